package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// times are durations of one thing.
type times []time.Duration

// sorted sorts them, in place.
func (t times) sorted() times {
	slices.Sort(t)
	return t
}

// at returns the quantile q of sorted times: the smallest that at least that
// part of them does not exceed.
func (t times) at(q float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	i := int(math.Ceil(float64(len(t))*q-1e-6)) - 1 // less what q cannot say exactly
	return t[min(max(i, 0), len(t)-1)]
}

// worst is the longest of sorted times.
func (t times) worst() time.Duration { return t.at(1) }

// String gives the usual quantiles of sorted times.
func (t times) String() string {
	return fmt.Sprintf("p50 %s  p99 %s  p99.9 %s  p99.99 %s  worst %s",
		short(t.at(.5)), short(t.at(.99)), short(t.at(.999)), short(t.at(.9999)), short(t.worst()))
}

// mean returns the mean of some figures.
func mean(n []float64) float64 {
	sum := 0.0
	for _, x := range n {
		sum += x
	}
	return sum / float64(len(n))
}

// median returns the middle one of some figures.
func median[N cmp.Ordered](n []N) N {
	n = slices.Clone(n)
	slices.Sort(n)
	return n[len(n)/2]
}
