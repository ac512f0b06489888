package core

import (
	"context"
	"errors"
	"fmt"

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
	d     *Dict
	dict  uint64
	below bool   // what is nested in it is watched too
	at    uint64 // everything up to here was shown

	view   *View // where the stride began; nil if that is not to be had
	target *View // where it ends; nil between two
	reader *stream.Reader
	places map[uint64][]string  // of the watched dictionaries: the paths to them, as of at
	shown  map[replica.Key]bool // keys that the stride has shown: whether they were present then
	whole  map[uint64]bool      // dictionaries of which it has shown all, since they were empty
	gone   bool                 // the dictionary was freed, which was shown
}

// Commit is what one record, or a difference, makes of a dictionary.
type Commit struct {
	Revision uint64
	Resync   bool // a difference
	Changes  []KeyChange
}

// KeyChange is what became of a key. A Clear comes before all others and has none.
type KeyChange struct {
	Dict     uint64   // of which it is a key,
	Path     []string // and where that is nested in the watched one
	Kind     record.Kind
	Expired  bool // of a Delete: its time was up
	Key      string
	Revision uint64
	Value    string           // of a Put: encoded, or
	Version  *replica.Version // this
}

// Watch returns a watch of what is committed from now on; with below, also in the
// dictionaries that are nested in this one.
func (d *Dict) Watch(dict uint64, below bool) (*Watch, error) {
	v, err := d.View()
	if err != nil {
		return nil, err
	}
	w := &Watch{d: d, dict: dict, below: below, at: v.position, view: v, reader: d.str.Reader(v.position)}
	if err = v.Living(dict); err == nil {
		w.places, err = w.survey(v)
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// WatchFrom is Watch of what was committed after a revision.
func (d *Dict) WatchFrom(dict uint64, below bool, revision uint64) (*Watch, error) {
	v, err := d.View()
	if err != nil {
		return nil, err
	}
	if revision > v.position || revision < d.str.First() {
		v.Close()
		return nil, d.wrap("watch", fmt.Errorf("%d is no revision of this instance, which is at %d: %w", revision, v.position, errs.ErrInvalidOption))
	}
	w := &Watch{d: d, dict: dict, below: below, at: revision, target: v, reader: d.str.Reader(revision)}
	w.shown, w.whole = map[replica.Key]bool{}, map[uint64]bool{}
	if err = v.Living(dict); err == nil {
		w.places, err = w.survey(v) // what was freed since is not told of any more
	}
	if err != nil {
		w.Close()
		return nil, err
	}
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

// Kind is the kind of the keys of a dictionary that Next has returned.
func (w *Watch) Kind(id uint64) (string, error) { return w.d.Kind(id) }

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
		if w.gone {
			return Commit{}, w.d.goneDict(w.dict)
		}
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
	w.target = v
	clear(w.shown)
	clear(w.whole)
	if w.shown == nil {
		w.shown, w.whole = map[replica.Key]bool{}, map[uint64]bool{}
	}
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

// further moves the end of the stride to the newest position.
func (w *Watch) further() error {
	v, err := w.d.View()
	if err == nil {
		w.target.Close()
		w.target = v
	}
	return err
}
