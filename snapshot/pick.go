package snapshot

import "math/bits"

// The policy. Not part of the format: processes may disagree about it.
const (
	fanOut     = 4             // deltas of about one size that are merged together
	tierUnit   = 12            // log₂ of the size below which all deltas count as equally small
	slack      = 1 << 20       // bytes of deltas that are not worth a new base, however small it is
	nearlyFull = MaxLayers - 4 // layers from which on merging goes further than it otherwise would
)

// Pick says which adjacent layers of a list to merge next, l.Layers[i:j], and
// whether the base is one of them; ok is false if all is well as it is. Call
// it again after each merge.
//
//   - Once the deltas together are half as large as the base and 1 MiB, or half
//     of what was live in the base has been deleted, everything is merged into
//     a new base.
//   - Otherwise deltas are sorted into tiers, each four times as large as the
//     one before (a delta counts at least as high as those newer than it).
//     Four of one tier are merged, together with all that is newer.
//   - Should the list be nearly full all the same, the cheapest run of a third
//     of it is merged.
//
// So a byte that is published in a delta is copied about once for each tier
// between its delta's size and the base's, log₄(base/delta) times, and at most
// three times more into a base; deletions cost a copy of the other half of the
// base at most. Layers take up at most 1.5 times the base, or 1 MiB more than it,
// and the base is at most twice what is live, unless large values were overwritten
// by far smaller ones: that shows only when deltas have grown. Add the new
// layer while a merge is under way, and what is published meanwhile.
//
// The rule for deletions needs [Listed.Live]; a list where it is always 0 does
// without.
func Pick(l List) (i, j int, base, ok bool) {
	n := len(l.Layers)
	if n < 2 {
		return 0, 0, false, false
	}
	bottom, deltas := &l.Layers[0], l.Layers[1:]
	if sumBytes(deltas) >= max(bottom.Bytes/2, slack) || deltas[len(deltas)-1].Live < bottom.Live/2 {
		return 0, n, true, true
	}
	if i, ok := fullTier(l.Layers); ok {
		return i, n, false, true
	}
	if n >= nearlyFull {
		i, j := cheapestRun(l.Layers, n/3)
		return i, j, false, true
	}
	return 0, 0, false, false
}

// fullTier returns the oldest delta of the lowest tier with enough of them.
func fullTier(layers []Listed) (first int, ok bool) {
	tier, count := 0, 0
	for k := len(layers) - 1; k > 0; k-- {
		if t := tierOf(layers[k].Bytes); t > tier {
			if count >= fanOut {
				return k + 1, true
			}
			tier, count = t, 0
		}
		count++
	}
	return 1, count >= fanOut
}

func tierOf(bytes uint64) int { return (bits.Len64(bytes>>tierUnit) + 1) / 2 }

// cheapestRun returns the n adjacent deltas with the fewest bytes.
func cheapestRun(layers []Listed, n int) (i, j int) {
	best, i := uint64(0), 0
	for k := 1; k+n <= len(layers); k++ {
		if sum := sumBytes(layers[k : k+n]); i == 0 || sum < best {
			best, i = sum, k
		}
	}
	return i, i + n
}
