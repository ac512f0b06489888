package core

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
)

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
