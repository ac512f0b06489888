package core

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/stream"
)

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
