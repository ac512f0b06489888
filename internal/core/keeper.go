package core

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ultradict/go/internal/shm"
)

// keeper does what a process owes its handles from time to time: it catches up
// for those that were peeked at, and looks whether background work was left
// behind by somebody who died. There is one a process, not one a handle: a
// thousand idle handles cost one timer.
type keeper struct {
	mu      sync.Mutex
	handles map[*Dict]struct{}
	stop    chan struct{}
	news    chan struct{} // a handle is in use again
}

var keeperOf = keeper{news: make(chan struct{}, 1)}

// The keeper ticks four times a second while any handle is in use or somebody
// writes to its dictionary, and ever more rarely, down to once in five seconds,
// while nothing happens.
const (
	tick     = 250 * time.Millisecond
	idleTick = 5 * time.Second
)

func (k *keeper) add(d *Dict) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.handles == nil {
		k.handles = map[*Dict]struct{}{}
	}
	k.handles[d] = struct{}{}
	if k.stop == nil {
		k.stop = make(chan struct{})
		go k.run(k.stop)
	}
}

func (k *keeper) remove(d *Dict) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.handles, d)
	if len(k.handles) == 0 && k.stop != nil {
		close(k.stop)
		k.stop = nil
	}
}

func (k *keeper) run(stop chan struct{}) {
	wait := tick
	for {
		select {
		case <-stop:
			return
		case <-k.news:
			if wait = tick; !k.rest(stop) {
				return
			}
		case <-time.After(wait):
		}
		used := false
		for _, d := range k.all() {
			if d.tick() {
				used = true
			}
		}
		if used {
			wait = tick
		} else {
			wait = min(2*wait, idleTick)
		}
	}
}

// release makes all handles of an instance let go of what they keep of layers
// and chunks that are gone.
func (k *keeper) release(id shm.ID) {
	for _, d := range k.all() {
		if d.segment.Instance() == id {
			d.background("moving on", d.release())
		}
	}
}

// all are the handles at this moment.
func (k *keeper) all() []*Dict {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.handles))
}

// wake says that a handle is in use again, so that its replica does not have
// to wait for an idle keeper.
func (k *keeper) wake() {
	select {
	case k.news <- struct{}{}:
	default:
	}
}

// rest waits for one tick.
func (k *keeper) rest(stop chan struct{}) bool {
	select {
	case <-stop:
		return false
	case <-time.After(tick):
		return true
	}
}

// report tells the others how far the replica has got and how much was
// committed, unless the handle has left: its entry may be somebody else's by
// then.
func (d *Dict) report() {
	d.rep.Lock()
	defer d.rep.Unlock()
	d.startMu.Lock()
	defer d.startMu.Unlock()
	if !d.closing.Load() {
		d.reportLocked()
	}
}

// reportLocked is report for who has the replica's lock and knows that the
// handle has not left.
func (d *Dict) reportLocked() {
	e := d.peer.Entry()
	if e == nil {
		return
	}
	e.Applied.Store(d.rep.State().Applied())
	e.Commits.Add(d.commits - d.reported)
	d.reported = d.commits
}

// tick does a handle's share and reports whether the handle is in use.
func (d *Dict) tick() (used bool) {
	if d.closing.Load() {
		return false
	}
	s := d.rep.State()
	used = s.Touched()
	if used {
		if _, err := d.Sync(); err != nil {
			d.background("catching up", err)
		}
	}
	d.report()
	if d.lock != nil && d.unfolded(d.str.Head()) >= d.due {
		d.start(&d.folder)
	}
	head := d.str.Head()
	written := d.seen.Swap(head) != head
	if d.lock != nil && !written && d.grown() {
		d.start(&d.shrinker)
	}
	timed := d.lock != nil && d.control.work.timed.Load() != 0
	if timed {
		d.start(&d.expirer)
	}
	d.str.Forget()
	sequence, full := d.control.snapshot.Sequence(), d.control.work.full.Load() != 0
	b, ok := s.Base.(*base)
	if sequence != d.swept.Load() || full && ok && b.list.Sequence != sequence {
		if d.lock != nil {
			d.start(&d.merger)
		}
		d.start(&d.tidier)
	}
	// Where there is no room, others wait for what this process lets go of. Where
	// something will expire, somebody has to come after a sweeper that dies.
	return used || written || full || timed
}
