package core

import (
	"runtime"
	"time"

	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/snapshot"
)

// A replica that is up to date needs no newer layers. It moves on to them when
// its overlay has outgrown one of these bounds, or when the layers that it
// stands on are no longer listed and keep too much memory from being freed.
var (
	overlaySlots       = 64 << 10
	overlayBytes int64 = 32 << 20
	pinnedBytes  int64 = 8 << 20 // and a quarter of what is listed

	// adoptEvery is the shortest time between two adoptions.
	adoptEvery = 250 * time.Millisecond
)

// collectAt is how many bytes of mappings may wait for the collector before it
// is told to run: it cannot see them.
const collectAt = 64 << 20

// tidy is the background work on what this process itself holds: it moves the
// replica on to newer layers if that is worth it, and sweeps files.
func (d *Dict) tidy() (again bool) {
	sequence := d.control.snapshot.Sequence()
	done, err := d.adopt()
	if err == nil && d.lock != nil {
		var swept bool
		swept, err = d.sweep()
		done = done && swept
	}
	if done && err == nil {
		d.swept.Store(sequence)
	}
	d.background("tidying up", err)
	return false
}

// adopt moves the replica on to newer layers if that is worth it. It reports
// whether, for the present list of layers, nothing is left to be done.
func (d *Dict) adopt() (done bool, err error) {
	list, err := d.control.snapshot.Read()
	if err != nil {
		return false, err
	}
	d.rep.Lock()
	slots, bytes := d.rep.Weight()
	now, ok := d.rep.State().Base.(*base)
	d.rep.Unlock()
	if !ok || now.list.Sequence == list.Sequence {
		return true, nil
	}
	heavy := (slots > overlaySlots || bytes > overlayBytes) && list.Position() > now.position
	pinned := unlisted(now.list, list)
	full := d.control.work.full.Load() != 0 // every page counts
	if !heavy && pinned <= max(pinnedBytes, int64(list.Bytes()/4)) && (!full || pinned == 0) {
		return true, nil
	}
	if wait := adoptEvery - time.Since(d.adopted); wait > 0 {
		if d.pause(wait) {
			return false, nil
		}
	}
	if done, err = d.moveOn(now); err != nil {
		return false, err
	}
	d.adopted = time.Now()
	if done {
		d.waiting += pinned
	}
	if d.waiting > collectAt || full {
		d.waiting = 0
		runtime.GC()
	}
	return done, nil
}

// moveOn puts the replica, which stands upon the layers in old, upon the newest
// ones. It reports whether it did: not if the replica has moved on already,
// because it was lapped or by somebody else.
func (d *Dict) moveOn(old *base) (done bool, err error) {
	b, err := d.openBase()
	if err != nil {
		return false, err
	}
	d.rep.Lock()
	if err := d.advance(b.position); err != nil {
		d.rep.Unlock()
		return false, err
	}
	if d.rep.State().Base != replica.Base(old) {
		d.rep.Unlock()
		return false, nil
	}
	rebase := d.rep.Begin(b)
	d.rep.Unlock()
	rebase.Copy()
	d.rep.Lock()
	defer d.rep.Unlock()
	return rebase.Finish(), nil
}

// release lets go of everything in shared memory that the replica keeps though
// the dictionary has moved on: layers that are no longer listed, and chunks that
// left the ring.
func (d *Dict) release() error {
	d.str.Forget()
	list, err := d.control.snapshot.Read()
	if err != nil {
		return err
	}
	now, ok := d.rep.State().Base.(*base)
	if !ok || unlisted(now.list, list) == 0 {
		return nil
	}
	_, err = d.moveOn(now)
	return err
}

// pause waits and reports whether the handle is being closed.
func (d *Dict) pause(t time.Duration) (closing bool) {
	for end := time.Now().Add(t); time.Now().Before(end) && !d.closing.Load(); {
		time.Sleep(min(10*time.Millisecond, t))
	}
	return d.closing.Load()
}

// unlisted is how many bytes of the layers in old are no longer listed.
func unlisted(old, list snapshot.List) (bytes int64) {
	listed := map[uint64]bool{}
	for _, l := range list.Layers {
		listed[l.ID] = true
	}
	for _, l := range old.Layers {
		if !listed[l.ID] {
			bytes += int64(l.Bytes)
		}
	}
	return bytes
}
