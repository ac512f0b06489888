package core

import (
	"cmp"
	"maps"
	"slices"

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
