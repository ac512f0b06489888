package main

import (
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"
)

// histogram counts durations in classes, each at most 1/16 wide: of a quantile
// three digits are not to be had, whereas all durations of a long run are little
// data. The classes are those of nanoseconds 0, 1 … 31, then 16 for each power
// of two.
type histogram map[int]uint64

func (h histogram) add(d time.Duration) {
	n := uint64(max(d, 0))
	shift := max(bits.Len64(n)-5, 0)
	h[shift*16+int(n>>shift)]++
}

// merge adds what another histogram has counted.
func (h histogram) merge(other histogram) {
	for class, n := range other {
		h[class] += n
	}
}

// count is how many durations were added.
func (h histogram) count() (n uint64) {
	for _, c := range h {
		n += c
	}
	return n
}

// quantile returns a duration that the given part of all, from 0 to 1, did not
// exceed: the upper end of its class. It is 0 if there are none.
func (h histogram) quantile(part float64) time.Duration {
	rank := max(uint64(math.Ceil(part*float64(h.count()))), 1)
	for _, class := range slices.Sorted(maps.Keys(h)) {
		if rank > h[class] {
			rank -= h[class]
			continue
		}
		if class < 32 {
			return time.Duration(class)
		}
		shift := class/16 - 1
		return time.Duration(int64(class-shift*16+1)<<shift - 1)
	}
	return 0
}
