package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/stream"
)

// Watch is a walk along the commits of one dictionary. One goroutine at a time may
// use it.
//
// It goes in strides: from a view of where it stands to a view of the newest position.
// In between it reads the records from the ring. If one of them is gone, because the
// ring has come round or a body was swept, the two views tell the difference: so what
// is left out is never more than steps in between.
//
//	  view         at            target
//	───┼────────────┼───────────────┼──▶
//	   │ shown      │ records, or   │
//	   │            │ the difference│
type Watch struct {
	d    *Dict
	dict uint64
	at   uint64 // everything up to here was shown

	view   *View // where the stride began; nil if that is not to be had
	target *View // where it ends; nil between two
	reader *stream.Reader
	shown  map[string]bool // keys that the stride has shown: whether they were present then
	clear  bool            // the stride has shown a clear
}

// Commit is what one record, or a difference, makes of a dictionary.
type Commit struct {
	Revision uint64
	Resync   bool // a difference
	Changes  []KeyChange
}

// KeyChange is what became of a key. A Clear comes before all others and has none.
type KeyChange struct {
	Kind     record.Kind
	Expired  bool // of a Delete: its time was up
	Key      string
	Revision uint64
	Value    string           // of a Put: encoded, or
	Version  *replica.Version // this
}

// Watch returns a watch of what is committed from now on.
func (d *Dict) Watch(dict uint64) (*Watch, error) {
	v, err := d.View()
	if err != nil {
		return nil, err
	}
	return &Watch{d: d, dict: dict, at: v.position, view: v, reader: d.str.Reader(v.position)}, nil
}

// WatchFrom returns a watch of what was committed after a revision.
func (d *Dict) WatchFrom(dict, revision uint64) (*Watch, error) {
	v, err := d.View()
	if err != nil {
		return nil, err
	}
	if revision > v.position || revision < d.str.First() {
		v.Close()
		return nil, d.wrap("watch", fmt.Errorf("%d is no revision of this instance, which is at %d: %w", revision, v.position, errs.ErrInvalidOption))
	}
	w := &Watch{d: d, dict: dict, at: revision, target: v, reader: d.str.Reader(revision), shown: map[string]bool{}}
	if revision >= d.str.Tail() {
		// A position within a record has no checksum that is right.
		_, _, err := d.str.Reader(revision).Next(v.position)
		if errors.Is(err, errs.ErrCorrupt) {
			w.Close()
			return nil, d.wrap("watch", fmt.Errorf("%d is no revision: %w (%v)", revision, errs.ErrInvalidOption, err))
		}
	}
	return w, nil
}

// Position is the revision up to which everything was shown.
func (w *Watch) Position() uint64 { return w.at }

// View is where the watch began, before the first call of Next; nil for one that
// began at a revision.
func (w *Watch) View() *View { return w.view }

// Raw is the encoded value of a version that Next has returned, or View has, until Next
// is called again.
func (w *Watch) Raw(v *replica.Version) (string, error) { return w.view.Raw(v) }

// Close lets go of what the watch keeps. It is idempotent.
func (w *Watch) Close() {
	for _, v := range []*View{w.view, w.target} {
		if v != nil {
			v.Close()
		}
	}
}

// Next returns the next commit that changes the dictionary, and waits for it.
func (w *Watch) Next(ctx context.Context) (Commit, error) {
	for {
		if w.target == nil {
			if err := w.stride(ctx); err != nil {
				return Commit{}, err
			}
			continue
		}
		if err := ctx.Err(); err != nil {
			return Commit{}, err
		}
		rec, ok, err := w.reader.Next(w.target.position)
		if err == nil && !ok {
			w.arrive()
			continue
		}
		var c Commit
		if err == nil {
			c, err = w.commit(rec)
		}
		if errors.Is(err, stream.ErrLapped) || errors.Is(err, errBodyGone) {
			c, err = w.difference()
			for tries := 0; errors.Is(err, errs.ErrViewLost) && tries < 10; tries++ {
				if err = w.further(); err == nil {
					c, err = w.difference()
				}
			}
		}
		if err != nil {
			return Commit{}, w.d.wrap("watch", err)
		}
		if len(c.Changes) > 0 || c.Resync {
			return c, nil
		}
	}
}

// stride waits until there is news, and begins a stride to the newest position. Where
// there is none for long, it exchanges its view for one that keeps no old layers.
func (w *Watch) stride(ctx context.Context) error {
	if err := w.d.AwaitFor(ctx, w.at, idleTick); err != nil {
		return err
	}
	v, err := w.d.View()
	if err != nil {
		return err
	}
	if v.position == w.at {
		w.target = v
		w.arrive()
		return nil
	}
	w.target, w.shown, w.clear = v, map[string]bool{}, false
	w.reader.Seek(w.at)
	return nil
}

// arrive ends a stride.
func (w *Watch) arrive() {
	if w.view != nil {
		w.view.Close()
	}
	w.at = w.target.position
	w.view, w.target = w.target, nil
}

// commit is what a record makes of the dictionary: of each key the last operation.
func (w *Watch) commit(rec stream.Record) (Commit, error) {
	ops, body, err := w.d.operations(rec)
	if err != nil {
		return Commit{}, err
	}
	c := Commit{Revision: rec.End}
	last := map[string]int{}
	cleared := false
	for len(ops) > 0 {
		var op record.Op
		if ops, err = record.Next(ops, &op); err != nil {
			return Commit{}, w.d.malformed(rec, err)
		}
		switch {
		case op.Dict != w.dict:
			continue
		case op.Kind == record.Clear:
			cleared = true
			continue
		}
		change := KeyChange{Kind: op.Kind, Expired: op.Expired, Key: string(op.Key), Revision: rec.End}
		switch {
		case op.Kind == record.Delete:
		case op.InBody:
			if change.Value, err = w.d.readValue(place{body, op.Place}.encode()); err != nil {
				return Commit{}, err
			}
		default:
			change.Value = string(op.Value)
		}
		if i, again := last[change.Key]; again {
			c.Changes[i] = change
			continue
		}
		last[change.Key] = len(c.Changes)
		c.Changes = append(c.Changes, change)
	}
	if cleared {
		c.Changes = slices.Insert(c.Changes, 0, KeyChange{Kind: record.Clear, Revision: rec.End})
		w.clear = true
		clear(w.shown)
	}
	for _, change := range c.Changes {
		if change.Kind != record.Clear {
			w.shown[change.Key] = change.Kind == record.Put
		}
	}
	w.at = rec.End
	return c, nil
}

// difference is what is left of the stride, as one commit, in the order of the
// revisions.
func (w *Watch) difference() (Commit, error) {
	c := Commit{Revision: w.target.position, Resync: true}
	from := w.at
	gone, err := w.gone()
	unknown := w.view == nil && !w.clear || errors.Is(err, errs.ErrViewLost)
	switch {
	case unknown: // of what was there before: begin anew
		gone, from = []KeyChange{{Kind: record.Clear, Revision: c.Revision}}, 0
	case err != nil:
		return Commit{}, err
	}
	var failed error
	err = w.target.Each(w.dict, func(key string, ver *replica.Version) bool {
		if ver.Revision <= from {
			return true
		}
		change := KeyChange{Kind: record.Put, Key: key, Revision: ver.Revision, Version: ver}
		if w.d.lock == nil && ver.IsExternal() {
			// A read-only handle cannot keep the body: it reads it while it is there.
			change.Version = nil
			change.Value, failed = w.target.Raw(ver)
		}
		c.Changes = append(c.Changes, change)
		return failed == nil
	})
	if err = cmp.Or(failed, err); err != nil {
		return Commit{}, err
	}
	slices.SortFunc(c.Changes, func(a, b KeyChange) int { return cmp.Compare(a.Revision, b.Revision) })
	c.Changes = append(gone, c.Changes...)
	w.arrive()
	return c, nil
}

// further moves the end of the stride to the newest position.
func (w *Watch) further() error {
	v, err := w.d.View()
	if err == nil {
		w.target.Close()
		w.target = v
	}
	return err
}

// gone are the keys that were present when last shown and are absent now.
func (w *Watch) gone() (gone []KeyChange, err error) {
	was := maps.Clone(w.shown)
	if w.view != nil && !w.clear {
		err = w.view.Each(w.dict, func(key string, _ *replica.Version) bool {
			if _, known := was[key]; !known {
				was[key] = true
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	for key, present := range was {
		if !present {
			continue
		}
		_, err := w.target.Version(replica.Key{Dict: w.dict, Str: key})
		if errors.Is(err, errs.ErrNotFound) {
			gone = append(gone, KeyChange{Kind: record.Delete, Key: key, Revision: w.target.position})
		} else if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(gone, func(a, b KeyChange) int { return cmp.Compare(a.Key, b.Key) })
	return gone, nil
}
