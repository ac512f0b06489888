package core

import (
	"structs"
	"time"

	"github.com/ultradict/go/internal/failpoint"
)

// lease says who works on something in the background. It is only a hint that
// saves double work: what is worked out is published by comparison, so a
// worker that was robbed, is slow or wakes up late harms nothing.
type lease struct {
	_        structs.HostLayout
	owner    failpoint.Uint32 // participant id, 0 for nobody
	_        [4]byte
	progress failpoint.Uint64 // moves as long as the owner works
}

// How long a worker may make no progress before its lease is robbed. A merge
// may be long: its progress is the lease's own word. What counts of a fold is
// that the stream's floor moves; a folder that gets too little of the processor
// for that is robbed too, since writers wait for it.
const (
	mergePatience = 100 * time.Millisecond
	foldPatience  = 20 * time.Millisecond
)

// watch is what one handle has seen of a lease.
type watch struct {
	owner    uint32
	progress uint64
	since    time.Time
}

// take tries to get the lease for participant self; progress is a number that
// moves as long as its owner works.
func (l *lease) take(self uint32, dead func(uint32) bool, w *watch, progress uint64, after time.Duration) bool {
	owner := l.owner.Load()
	if owner == 0 || owner == self || dead(owner) {
		return l.owner.CompareAndSwap(owner, self)
	}
	if w.owner != owner || w.progress != progress {
		*w = watch{owner, progress, time.Now()}
		return false
	}
	return time.Since(w.since) > after && l.owner.CompareAndSwap(owner, self)
}

// drop gives the lease back, unless somebody has robbed it.
func (l *lease) drop(self uint32) { l.owner.CompareAndSwap(self, 0) }
