package core

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/stream"
)

// commit is what a record makes of the watched dictionaries: of each key the last
// operation. A dictionary has a higher number than the one that it hangs from: so parents
// come before what is nested in them.
func (w *Watch) commit(rec stream.Record) (Commit, error) {
	payload, body, err := w.d.operations(rec)
	if err != nil {
		return Commit{}, err
	}
	if err := w.structure(rec, payload); err != nil {
		return Commit{}, err
	}
	c := Commit{Revision: rec.End}
	last := map[replica.Key]int{}
	cleared := map[uint64]bool{}
	for ops := payload; len(ops) > 0; {
		var op record.Op
		if ops, err = record.Next(ops, &op); err != nil {
			return Commit{}, w.d.malformed(rec, err)
		}
		path, watched := w.places[op.Dict]
		switch {
		case !watched:
			continue
		case op.Kind == record.Clear:
			cleared[op.Dict] = true
			continue
		}
		change := KeyChange{Dict: op.Dict, Path: path, Kind: op.Kind, Expired: op.Expired, Key: string(op.Key), Revision: rec.End}
		switch {
		case op.Kind == record.Delete:
		case op.Nested:
			change.Version = replica.Nested(rec.End, string(op.Value))
		case op.InBody:
			if change.Value, err = w.d.readValue(place{body, op.Place}.encode()); err != nil {
				return Commit{}, err
			}
		default:
			change.Value = string(op.Value)
		}
		k := replica.Key{Dict: op.Dict, Str: change.Key}
		if i, again := last[k]; again {
			c.Changes[i] = change
			continue
		}
		last[k] = len(c.Changes)
		c.Changes = append(c.Changes, change)
	}
	for _, change := range c.Changes {
		w.shown[replica.Key{Dict: change.Dict, Str: change.Key}] = change.Kind == record.Put
	}
	if len(cleared) > 0 {
		w.cleared(&c, cleared, last)
	}
	if len(w.places) > 1 {
		slices.SortStableFunc(c.Changes, func(a, b KeyChange) int {
			return cmp.Or(cmp.Compare(clears(b), clears(a)), cmp.Compare(a.Dict, b.Dict))
		})
	}
	w.at = rec.End
	return c, nil
}

// clears is 1 for a Clear.
func clears(c KeyChange) int {
	if c.Kind == record.Clear {
		return 1
	}
	return 0
}

// cleared puts clears before all else.
func (w *Watch) cleared(c *Commit, dicts map[uint64]bool, changed map[replica.Key]int) {
	maps.DeleteFunc(w.shown, func(k replica.Key, _ bool) bool {
		_, again := changed[k]
		return dicts[k.Dict] && !again
	})
	for dict := range dicts {
		w.whole[dict] = true
		c.Changes = slices.Insert(c.Changes, 0, KeyChange{Dict: dict, Path: w.places[dict], Kind: record.Clear, Revision: c.Revision})
	}
}

// structure notes which dictionaries a record hangs up and frees.
func (w *Watch) structure(rec stream.Record, ops []byte) error {
	births := map[uint64]node{}
	for len(ops) > 0 {
		var op record.Op
		var err error
		if ops, err = record.Next(ops, &op); err != nil {
			return w.d.malformed(rec, err)
		}
		if op.Dict != Dictionaries || len(op.Key) != nodeKeySize {
			continue
		}
		id := binary.LittleEndian.Uint64(op.Key)
		switch {
		case op.Kind == record.Delete && id == w.dict:
			w.gone = true
		case op.Kind == record.Delete:
			delete(w.places, id)
		case op.Kind == record.Put && w.below:
			if n, ok := parseNode(id, string(op.Value)); ok {
				births[id] = n
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(births)) {
		n := births[id]
		above, watched := w.places[n.parent]
		if _, known := w.places[id]; known || !watched || n.kind != StringKeys || id < FirstNested {
			continue
		}
		w.places[id] = append(slices.Clone(above), n.key)
		w.whole[id] = true
	}
	return nil
}

// survey finds the watched dictionaries in a view. Those whose keys are no strings are
// left out: nobody could tell of them.
func (w *Watch) survey(v *View) (map[uint64][]string, error) {
	places := map[uint64][]string{w.dict: nil}
	if !w.below || w.d.control.work.structure.Load() == 0 {
		return places, nil
	}
	for level := []uint64{w.dict}; len(level) > 0; {
		id := level[0]
		level = level[1:]
		if n, listed, err := v.node(id); err != nil {
			return nil, err
		} else if !listed || n.children == 0 {
			continue
		}
		var failed error
		err := v.EachStored(id, func(key string, ver *replica.Version) bool {
			if !ver.IsNested() {
				return true
			}
			child, err := v.d.nestedIn(ver, nil)
			var kind string
			if err == nil {
				kind, err = v.Kind(child)
			}
			if err == nil && kind == StringKeys {
				places[child] = append(slices.Clone(places[id]), key)
				level = append(level, child)
			}
			failed = err
			return err == nil
		})
		if err = cmp.Or(failed, err); err != nil {
			return nil, err
		}
	}
	return places, nil
}

// Contents calls visit for everything that was there when the watch began, parents first.
// It is for a watch that was not read yet, and began with a view.
func (w *Watch) Contents(visit func(*KeyChange) bool) error {
	for _, dict := range slices.Sorted(maps.Keys(w.places)) {
		more := true
		err := w.view.Each(dict, func(key string, ver *replica.Version) bool {
			more = visit(&KeyChange{Dict: dict, Path: w.places[dict], Kind: record.Put, Key: key, Revision: ver.Revision, Version: ver})
			return more
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// difference is what is left of the stride, as one commit: dictionary by dictionary,
// parents first, and in each what is gone before what has changed, that in the order of
// the revisions.
func (w *Watch) difference() (Commit, error) {
	c := Commit{Revision: w.target.position, Resync: true}
	if err := w.target.Living(w.dict); errors.Is(err, errs.ErrRemoved) {
		c.Changes = []KeyChange{{Dict: w.dict, Kind: record.Clear, Revision: c.Revision}}
		w.gone = true
		w.arrive()
		return c, nil
	} else if err != nil {
		return Commit{}, err
	}
	places, err := w.survey(w.target)
	if err != nil {
		return Commit{}, err
	}
	for _, dict := range slices.Sorted(maps.Keys(places)) {
		if err := w.differenceIn(&c, dict, places[dict]); err != nil {
			return Commit{}, err
		}
	}
	// Clears count before all else, also before what stands in a dictionary above.
	slices.SortStableFunc(c.Changes, func(a, b KeyChange) int { return cmp.Compare(clears(b), clears(a)) })
	w.places = places
	w.arrive()
	return c, nil
}

// differenceIn adds the difference in one dictionary.
func (w *Watch) differenceIn(c *Commit, dict uint64, path []string) error {
	from := uint64(0)
	if _, before := w.places[dict]; before {
		missing, err := w.missing(dict, path)
		switch {
		case errors.Is(err, errs.ErrViewLost) || w.view == nil && !w.whole[dict]:
			// Of what was there before, nothing is known: begin anew.
			c.Changes = append(c.Changes, KeyChange{Dict: dict, Path: path, Kind: record.Clear, Revision: c.Revision})
		case err != nil:
			return err
		default:
			from = w.at
			c.Changes = append(c.Changes, missing...)
		}
	}
	var changes []KeyChange
	var failed error
	err := w.target.Each(dict, func(key string, ver *replica.Version) bool {
		if ver.Revision <= from {
			return true
		}
		change := KeyChange{Dict: dict, Path: path, Kind: record.Put, Key: key, Revision: ver.Revision, Version: ver}
		if w.d.lock == nil && ver.IsExternal() {
			// A read-only handle cannot keep the body: it reads it while it is there.
			change.Version = nil
			change.Value, failed = w.target.Raw(ver)
		}
		changes = append(changes, change)
		return failed == nil
	})
	slices.SortFunc(changes, func(a, b KeyChange) int { return cmp.Compare(a.Revision, b.Revision) })
	c.Changes = append(c.Changes, changes...)
	return cmp.Or(failed, err)
}

// missing are the keys of a dictionary that were present when last shown and are absent
// now. What has expired is told of when it is swept.
func (w *Watch) missing(dict uint64, path []string) (gone []KeyChange, err error) {
	was := map[string]bool{}
	for k, present := range w.shown {
		if k.Dict == dict {
			was[k.Str] = present
		}
	}
	if w.view != nil && !w.whole[dict] {
		err = w.view.EachStored(dict, func(key string, _ *replica.Version) bool {
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
		_, err := w.target.Stored(replica.Key{Dict: dict, Str: key})
		if errors.Is(err, errs.ErrNotFound) {
			gone = append(gone, KeyChange{Dict: dict, Path: path, Kind: record.Delete, Key: key, Revision: w.target.position})
		} else if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(gone, func(a, b KeyChange) int { return cmp.Compare(a.Key, b.Key) })
	return gone, nil
}
