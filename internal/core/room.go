package core

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
)

// A dictionary that has reached its limit, or the file system's, refuses to
// store more and still takes what makes it smaller: deletions are records too
// and end in layers, so layers are not measured against the limit when they are
// made. Instead whoever has published one measures everything and raises a
// flag, which the writers of values look at. While layers are merged, the old
// ones and the new one are there together; for those moments the dictionary
// may take up to twice its limit. On a very small file system the room that is
// kept can run out all the same, see docs/decisions/0011.

// measure raises or lowers the flag that the dictionary is full, and reports what
// it has found: somebody who began to look earlier may set the flag later.
func (d *Dict) measure() (isFull bool) {
	full := uint32(0)
	free, err := d.dir.Free()
	if free < d.reserve() {
		full = 1
	}
	if d.id.maxBytes > 0 && err == nil {
		var used int64
		if used, err = d.dir.Bytes(); used >= d.id.maxBytes {
			full = 1
		}
	}
	if err != nil {
		return false // the handle is being closed, or the dictionary is gone
	}
	if d.control.work.full.Load() != full {
		d.control.work.full.Store(full)
	}
	return full != 0
}

// reserve is how many bytes of the file system are left to deletions: enough
// for the layers of some rings full of them, and for all layers once more: what
// was deleted is only gone when they have been merged.
func (d *Dict) reserve() int64 {
	layers := int64(0)
	if list, err := d.control.snapshot.Read(); err == nil {
		layers = int64(list.Bytes())
	}
	return 4*d.str.Capacity() + 64<<10 + layers
}

// stores reports whether operations store values, as opposed to making the
// dictionary smaller.
func stores(ops []record.Op) bool {
	return slices.ContainsFunc(ops, func(op record.Op) bool { return op.Kind == record.Put })
}

// roomFor refuses a body for which there is no room, or, if it stores values, that
// would take the room that is left to deletions. Nothing else measures it: thousands
// may come between two layers.
func (d *Dict) roomFor(size int64, stores bool) error {
	free, err := d.dir.Free()
	if err != nil {
		return err
	}
	reserve := int64(0)
	if stores {
		reserve = d.reserve()
	}
	if free-size < reserve {
		return fmt.Errorf("a body of %d bytes does not fit: of %d bytes that the file system has left, %d are kept for deletions and merges: %w",
			size, free, reserve, errs.ErrNoSpace)
	}
	return nil
}

// admit lets a record that stores values pass, unless the dictionary is full
// and nothing can be done about it.
func (d *Dict) admit(ctx context.Context) error {
	if d.control.work.full.Load() == 0 {
		return nil
	}
	if !d.measure() {
		return nil // somebody else has made room
	}
	full := true
	d.reclaim(ctx, func() bool {
		full = d.measure()
		return !full
	})
	if !full {
		return nil
	}
	if d.id.maxBytes > 0 {
		return fmt.Errorf("its limit of %d bytes is reached, or the file system's: %w", d.id.maxBytes, errs.ErrNoSpace)
	}
	return fmt.Errorf("the file system has less than %d bytes left, which are kept for deletions and merges: %w", d.reserve(), errs.ErrNoSpace)
}

// roomPatience is how long a writer waits for room at least, however short the
// timeout of the lock is: others may be at work on it, and what is superseded stays
// for a moment.
const roomPatience = time.Second

func (d *Dict) patience() time.Duration { return max(d.cfg.LockTimeout, roomPatience) }

// reclaim frees what nobody needs any more, at once and until that is enough: it
// folds the records, so that what they have replaced is no longer referred to,
// merges all layers and sweeps. It reports whether there may be more room than
// before.
//
// One participant at a time does all that, under the merger's lease: copies of
// everything made by each of many would take what room there is. Who has waited for
// another only measures again.
//
// The replicas of this process move on to the new layers first, or they would
// keep the old ones; other processes do so at their keeper's next tick.
func (d *Dict) reclaim(ctx context.Context, enough func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, d.patience())
	defer cancel()
	head := d.str.Head()
	if d.reclaiming.take(ctx) != nil || d.closing.Load() {
		return false
	}
	defer d.reclaiming.give()
	if d.reclaimed == head && time.Since(d.reclaimedAt) < grace {
		return enough() // nothing was written since all that could be had was freed
	}
	lease, list := &d.control.work.merge, d.control.snapshot.Sequence()
	var w watch
	for !lease.take(d.peer.ID(), d.peer.Dead, &w, lease.progress.Load(), mergePatience) {
		if !wait(ctx, 5*time.Millisecond) {
			return false
		}
	}
	defer lease.drop(d.peer.ID())
	if d.control.snapshot.Sequence() != list && enough() {
		return true
	}
	// What is superseded stays for a moment, what others have made too, and when it
	// goes there may be room for a merge that did not fit before: it is over when
	// nothing of the kind is left, or after two graces in which nothing has changed.
	for quiet := 0; quiet < 5; quiet++ {
		lease.progress.Add(1)
		list = d.control.snapshot.Sequence()
		folded := d.foldUpTo(ctx, head)
		d.mergeAll()
		keeperOf.release(d.segment.Instance())
		swept, err := d.sweep()
		// What was unlinked is free when nobody maps it any more: our own mappings
		// go with the next collection, in the background.
		runtime.GC()
		for range 10 {
			if enough() {
				return true
			}
			time.Sleep(grace / 100)
		}
		if folded && swept && err == nil && !d.unlisted() {
			break
		}
		if d.control.snapshot.Sequence() != list {
			quiet = 0
		}
		if !wait(ctx, grace/2) {
			return true
		}
	}
	if enough() {
		return true // the last of it went after the last look
	}
	d.reclaimed, d.reclaimedAt = head, time.Now()
	return true
}

// unlisted reports whether there are layers that are not listed: superseded ones, or
// new ones.
func (d *Dict) unlisted() bool {
	files, err := d.dir.Files()
	if err != nil {
		return false
	}
	list, err := d.control.snapshot.Read()
	layers := 0
	for _, f := range files {
		if f.Name.Kind == shm.Layer {
			layers++
		}
	}
	return err == nil && layers > len(list.Layers)
}

// wait waits, and reports false if the context ends first.
func wait(ctx context.Context, t time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(t):
		return true
	}
}

// foldUpTo folds the records up to a position, in bites, and reports whether
// that worked.
func (d *Dict) foldUpTo(ctx context.Context, position uint64) bool {
	for floor := d.str.Floor(); floor < position; floor = d.str.Floor() {
		if err := d.foldNow(ctx, floor); err != nil || d.str.Floor() == floor {
			return false
		}
	}
	return true
}

// mergeAll merges all layers into one, though it may not be due, and reports
// whether it did. The caller has the lease.
func (d *Dict) mergeAll() bool {
	b, err := d.openBase()
	if err != nil {
		return false
	}
	n := len(b.list.Layers)
	return n > 1 && d.mergeLayers(b, 0, n) == nil
}

// mergeLayers replaces some adjacent layers by one.
func (d *Dict) mergeLayers(b *base, i, j int) error {
	working := d.working(&d.control.work.merge)
	plan, err := snapshot.PlanMerge(b.stack.Layers[i:j], i == 0, working)
	if err != nil {
		return fmt.Errorf("plan merge: %w", err)
	}
	name, merged, err := d.buildLayer(plan, working)
	if err != nil {
		return err
	}
	merged.From, merged.To = plan.From(), plan.To()
	merged.Live = b.list.Layers[j-1].Live
	return d.exchange(b.list.Layers[i:j], merged, name)
}
