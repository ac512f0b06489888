package snapshot

import (
	"iter"
	"runtime"
)

// Stack is the picture that adjacent layers give together: each says what
// changed since the end of the one before. The zero value is empty. It may be
// used by any number of goroutines while Layers does not change.
type Stack struct {
	Layers []*Layer // oldest first; the first is the base
}

// Position returns the position the picture is of: the end of the newest
// layer, 0 without one.
func (s Stack) Position() uint64 {
	if len(s.Layers) == 0 {
		return 0
	}
	return s.Layers[len(s.Layers)-1].to
}

// Size returns the bytes of all layers together.
func (s Stack) Size() int64 {
	var n int64
	for _, l := range s.Layers {
		n += l.Size()
	}
	return n
}

// Find looks a live entry up, newest layer first; for buf and what is copied
// see [Layer.Find]. A tombstone and a horizon both mean "not found". Error:
// *[errs.CorruptError].
func (s Stack) Find(dict uint64, key string, buf []byte) (Entry, bool, error) {
	defer runtime.KeepAlive(s.Layers)
	var h head
	var above uint64 // the highest horizon of the layers above
	for i := len(s.Layers) - 1; i >= 0; i-- {
		l := s.Layers[i]
		if covered(l, above) {
			break
		}
		var known *dictEntry // the layer's header of dict, if that is known for nothing
		if l.cached != nil {
			at, ok := l.cachedDict(dict)
			if !ok {
				continue
			}
			known = &l.cached[at]
		}
		if known == nil || known.Entries > 0 {
			ok, err := l.locate(&h, l.hash.sum(dict, key), dict, key)
			if err != nil {
				return Entry{}, false, err
			}
			if ok {
				e, ok, err := l.read(&h, key, buf)
				if err != nil || e.Tombstone || hidden(e.Revision, above) {
					return Entry{}, false, err
				}
				return e, ok, nil
			}
		}
		switch {
		case i == 0:
		case known != nil:
			above = max(above, known.Horizon)
		default:
			h, _, err := l.Header(dict)
			if err != nil {
				return Entry{}, false, err
			}
			above = max(above, h.Horizon)
		}
	}
	return Entry{}, false, nil
}

// hidden reports whether a horizon of a layer above hides a revision.
func hidden(revision, horizon uint64) bool { return horizon != 0 && revision <= horizon }

// covered reports whether a horizon of a layer above hides all of a layer,
// whose entries have no revision beyond its end.
func covered(l *Layer, horizon uint64) bool { return hidden(l.to, horizon) }

// Header returns what the layers say of a dictionary as a whole: the newest
// count of live entries, the highest horizon, and the sum of Entries. Error:
// *[errs.CorruptError].
func (s Stack) Header(dict uint64) (sum Header, found bool, err error) {
	for i := len(s.Layers) - 1; i >= 0; i-- {
		h, ok, err := s.Layers[i].Header(dict)
		if err != nil {
			return Header{}, false, err
		}
		if !ok {
			continue
		}
		if !found {
			sum.Dict, sum.Live, found = dict, h.Live, true
		}
		sum.Horizon = max(sum.Horizon, h.Horizon)
		sum.Entries += h.Entries
	}
	return sum, found, nil
}

// Live returns the number of live entries of a dictionary: that of the newest
// layer with a header of it, 0 without one. Error: *[errs.CorruptError].
func (s Stack) Live(dict uint64) (uint64, error) {
	for i := len(s.Layers) - 1; i >= 0; i-- {
		if h, ok, err := s.Layers[i].Header(dict); ok || err != nil {
			return h.Live, err
		}
	}
	return 0, nil
}

// All yields the live entries of a dictionary, each once, in no useful order.
// Keys are the caller's; a value is overwritten by the next step, so clone
// what is to stay. A *[errs.CorruptError] is the last thing yielded.
func (s Stack) All(dict uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		defer runtime.KeepAlive(s.Layers)
		newer := make([]*Layer, 0, len(s.Layers)) // that have entries of dict
		var above uint64
		var buf []byte
		for i := len(s.Layers) - 1; i >= 0; i-- {
			l := s.Layers[i]
			if covered(l, above) {
				return
			}
			d, ok, err := l.findDict(dict)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !ok {
				continue
			}
			w := l.walk(&d)
			w.buf = buf
			for {
				e, ok, err := w.nextLive(newer, above)
				if err != nil {
					yield(Entry{}, err)
					return
				}
				if !ok {
					break
				}
				if !yield(e, nil) {
					return
				}
			}
			buf = w.buf
			above = max(above, d.Horizon)
			if d.Entries > 0 {
				newer = append(newer, l)
			}
		}
	}
}

// nextLive goes on to the next entry that no newer layer and no horizon
// overrules.
func (w *walker) nextLive(newer []*Layer, above uint64) (Entry, bool, error) {
	for {
		ok, err := w.next()
		if err != nil || !ok {
			return Entry{}, false, err
		}
		if w.head.flags&flagTombstone != 0 || hidden(w.head.revision, above) {
			continue
		}
		over, err := overruled(newer, w.dict, view(w.key))
		if err != nil {
			return Entry{}, false, err
		}
		if !over {
			return w.head.entry(string(w.key), w.value), true, nil
		}
	}
}

// overruled reports whether one of the layers says something of a key.
func overruled(layers []*Layer, dict uint64, key string) (bool, error) {
	for _, l := range layers {
		if ok, err := l.has(dict, key); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// Externals returns the ids of everything outside the layers that one of them
// refers to, ascending, each once. Error: *[errs.CorruptError].
func (s Stack) Externals() ([]uint64, error) {
	var all []uint64
	for _, l := range s.Layers {
		ids, err := l.Externals()
		if err != nil {
			return nil, err
		}
		all = append(all, ids...)
	}
	return compactSorted(all), nil
}
