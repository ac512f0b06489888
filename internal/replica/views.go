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
// version that it needs is cut in between.
type Views struct {
	lowest atomic.Uint64 // none, or the lowest position that is needed

	// Changed, if set, is told the lowest position whenever it changes; 0 while
	// a view is about to choose, none when there is no view. It is called with
	// the registry locked.
	Changed func(lowest uint64)

	mu    sync.Mutex
	first *Hold
}

// Hold is one registered view.
type Hold struct {
	position   uint64
	next, prev *Hold
	views      *Views
}

// Register returns a hold on everything.
func (v *Views) Register() *Hold {
	h := &Hold{views: v}
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
	h.position = position
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

func (v *Views) update() {
	lowest := uint64(none)
	for h := v.first; h != nil; h = h.next {
		lowest = min(lowest, h.position)
	}
	if lowest != v.lowest.Swap(lowest) && v.Changed != nil {
		v.Changed(lowest)
	}
}
