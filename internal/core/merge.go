package core

import (
	"errors"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
)

// merge is the background work that keeps the layers few: it merges what
// [snapshot.Pick] picks until there is nothing to pick. Which process does it
// is agreed by a lease.
func (d *Dict) merge() (again bool) {
	list, err := d.control.snapshot.Read()
	if err != nil {
		return d.background("merge", err) && false
	}
	if _, _, due := d.pick(list); !due {
		return false
	}
	if !d.control.work.merge.take(d.peer.ID(), d.peer.Dead, &d.mergeWatch, d.control.work.merge.progress.Load(), mergePatience) {
		return false
	}
	err = d.mergeOnce()
	d.control.work.merge.drop(d.peer.ID())
	return d.background("merge", err) && err == nil
}

func (d *Dict) mergeOnce() error {
	b, err := d.openBase()
	if err != nil {
		return err
	}
	i, j, ok := d.pick(b.list)
	if !ok {
		return nil
	}
	return d.mergeLayers(b, i, j)
}

// pick is [snapshot.Pick], but in a dictionary that is full every layer goes
// into the base before long: there is room for that now, and later there may
// not be.
func (d *Dict) pick(list snapshot.List) (i, j int, ok bool) {
	if i, j, _, ok := snapshot.Pick(list); ok {
		return i, j, true
	}
	n := len(list.Layers)
	if n < 2 || d.control.work.full.Load() == 0 {
		return 0, 0, false
	}
	base := list.Layers[0].Bytes
	return 0, n, list.Bytes()-base >= base/8
}

// exchange publishes a merged layer in place of those that it was made of,
// unless they are no longer listed. Deltas that came meanwhile stay.
func (d *Dict) exchange(old []snapshot.Listed, merged snapshot.Listed, name shm.Name) error {
	for {
		list, err := d.control.snapshot.Read()
		if err == nil {
			layers, ok := list.Replace(old, merged)
			if !ok {
				d.discard(name)
				return errs.ErrConflict
			}
			err = d.publish(func() error { return d.control.snapshot.Publish(list.Sequence, layers) })
		}
		if err == nil {
			break
		}
		if !errors.Is(err, errs.ErrConflict) {
			d.discard(name)
			return err
		}
	}
	d.settle(name)
	d.control.work.merges.Add(1)
	d.retire(old)
	return nil
}

// grace is how long a superseded layer stays linked at least, for those who
// are on their way to it.
const grace = 100 * time.Millisecond

// retire removes layers that are no longer listed, after a while. Should this
// process end before, a sweep does it.
func (d *Dict) retire(old []snapshot.Listed) {
	d.startMu.Lock()
	defer d.startMu.Unlock()
	if d.closing.Load() {
		// Nobody of ours will be there when their time is up. Whoever is on the
		// way to one of them finds the new list.
		for _, l := range old {
			d.discard(shm.NameOf(shm.Layer, l.ID))
		}
		return
	}
	d.busy.Add(1)
	go func() {
		defer d.busy.Done()
		for wait := time.Duration(0); wait < grace && !d.closing.Load(); wait += grace / 10 {
			time.Sleep(grace / 10)
		}
		for _, l := range old {
			d.discard(shm.NameOf(shm.Layer, l.ID))
		}
		d.start(&d.tidier)
	}()
}
