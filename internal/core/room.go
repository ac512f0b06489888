package core

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/ultradict/go/internal/errs"
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

// measure raises or lowers the flag that the dictionary is full.
func (d *Dict) measure() {
	full := uint32(0)
	if free, err := d.dir.Free(); err != nil || free < d.reserve() {
		full = 1
	}
	if d.id.maxBytes > 0 {
		if used, err := d.dir.Bytes(); err != nil || used >= d.id.maxBytes {
			full = 1
		}
	}
	if d.control.work.full.Load() != full {
		d.control.work.full.Store(full)
	}
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

// admit lets a record that stores values pass, unless the dictionary is full
// and nothing can be done about it.
func (d *Dict) admit(ctx context.Context) error {
	if d.control.work.full.Load() == 0 {
		return nil
	}
	if d.measure(); d.control.work.full.Load() == 0 {
		return nil // somebody else has made room
	}
	if d.reclaim(ctx); d.control.work.full.Load() == 0 {
		return nil
	}
	if d.id.maxBytes > 0 {
		return fmt.Errorf("its limit of %d bytes is reached, or the file system's: %w", d.id.maxBytes, errs.ErrNoSpace)
	}
	return fmt.Errorf("the file system has less than %d bytes left, which are kept for deletions and merges: %w", d.reserve(), errs.ErrNoSpace)
}

// reclaim frees what nobody needs any more, at once: it folds the records, so
// that what they have replaced is no longer referred to, merges all layers and
// sweeps. It reports whether there may be more room than before.
//
// The replicas of this process move on to the new layers first, or they would
// keep the old ones; other processes do so at their keeper's next tick.
func (d *Dict) reclaim(ctx context.Context) bool {
	head := d.str.Head()
	d.reclaiming.Lock()
	defer d.reclaiming.Unlock()
	if d.reclaimed == head && time.Since(d.reclaimedAt) < grace {
		return false // nothing was written since the last time
	}
	folded := d.foldUpTo(head)
	merged := d.mergeAll() == nil
	keeperOf.release(d.segment.Instance())
	if merged || !folded {
		// Superseded layers stay a little.
		select {
		case <-ctx.Done():
		case <-time.After(grace + grace/2):
		}
	}
	err := d.sweep()
	// What was unlinked is free when nobody maps it any more: our own mappings
	// go with the next collection.
	runtime.GC()
	for range 10 {
		if d.measure(); d.control.work.full.Load() == 0 {
			break
		}
		time.Sleep(grace / 100)
	}
	if !folded {
		d.foldUpTo(head)
	}
	d.reclaimed, d.reclaimedAt = head, time.Now()
	return err == nil
}

// foldUpTo folds the records up to a position, in bites, and reports whether
// that worked.
func (d *Dict) foldUpTo(position uint64) bool {
	for floor := d.str.Floor(); floor < position; floor = d.str.Floor() {
		if err := d.foldNow(floor); err != nil || d.str.Floor() == floor {
			return false
		}
	}
	return true
}

// mergeAll merges all layers into one, though it may not be due.
func (d *Dict) mergeAll() error {
	b, err := d.openBase()
	if err != nil {
		return err
	}
	if n := len(b.list.Layers); n > 1 {
		return d.mergeLayers(b, 0, n)
	}
	return errNothing
}

// errNothing says that there was nothing to do.
var errNothing = errors.New("nothing to do")

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
