package replica

import (
	"math"
	"sync"
	"sync/atomic"
)

// none is the lowest position when no view is open.
const none = math.MaxUint64

// Views are the positions that open views look at. A view registers before it
// reads the applied position and says afterwards which one it took, so that no
// version that it needs is let go in between.
type Views struct {
	lowest atomic.Uint64 // none, or the lowest position that is needed

	// Changed, if set, is told the lowest and the highest position whenever one of
	// them changes: highest is the largest number there is while a view is about to
	// choose, 0 when there is no view. It is called with the registry locked.
	Changed func(lowest, highest uint64)

	mu      sync.Mutex
	first   *Hold
	highest uint64
}

// Hold is one registered view.
type Hold struct {
	low, high  uint64 // the view looks at a position from low to high
	next, prev *Hold
	views      *Views
}

// Register returns a hold on position low and everything above.
func (v *Views) Register(low uint64) *Hold {
	h := &Hold{views: v, low: low, high: none}
	v.mu.Lock()
	defer v.mu.Unlock()
	if h.next = v.first; h.next != nil {
		h.next.prev = h
	}
	v.first = h
	v.update()
	return h
}

// Set says which position the view looks at.
func (h *Hold) Set(position uint64) {
	h.views.mu.Lock()
	defer h.views.mu.Unlock()
	h.low, h.high = position, position
	h.views.update()
}

// Release ends the hold. It is idempotent.
func (h *Hold) Release() {
	v := h.views
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case h.prev != nil:
		h.prev.next = h.next
	case v.first == h:
		v.first = h.next
	default:
		return
	}
	if h.next != nil {
		h.next.prev = h.prev
	}
	h.next, h.prev = nil, nil
	v.update()
}

// Lowest is the lowest position that a view needs; ok is false where no view
// is open.
func (v *Views) Lowest() (position uint64, ok bool) {
	p := v.lowest.Load()
	return p, p != none
}

// need reports whether a view may look at a position from first on and below
// end.
func (v *Views) need(first, end uint64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for h := v.first; h != nil; h = h.next {
		if h.low < end && h.high >= first {
			return true
		}
	}
	return false
}

func (v *Views) update() {
	lowest, highest := uint64(none), uint64(0)
	for h := v.first; h != nil; h = h.next {
		lowest, highest = min(lowest, h.low), max(highest, h.high)
	}
	if (lowest != v.lowest.Load() || highest != v.highest) && v.Changed != nil {
		v.Changed(lowest, highest)
	}
	v.lowest.Store(lowest)
	v.highest = highest
}
