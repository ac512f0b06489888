package snapshot

import (
	"iter"
	"runtime"
)

// All yields every entry, tombstones included: by dictionary, ascending, and
// within one in the order in which they were added. Keys are the caller's;
// a value is overwritten by the next step, so clone what is to stay. A
// *[errs.CorruptError] is the last thing yielded.
func (l *Layer) All() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		defer runtime.KeepAlive(l)
		var d dictEntry
		for i := range l.dicts {
			before := d.Dict
			err := l.readDict(&d, i)
			if err == nil && i > 0 && d.Dict <= before {
				err = l.disordered(i)
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !l.yieldDict(&d, yield) {
				return
			}
		}
	}
}

// AllOf is [Layer.All] for one dictionary; it does not walk the others.
func (l *Layer) AllOf(dict uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		defer runtime.KeepAlive(l)
		d, ok, err := l.findDict(dict)
		if err != nil {
			yield(Entry{}, err)
		}
		if ok {
			l.yieldDict(&d, yield)
		}
	}
}

// yieldDict reports whether to go on.
func (l *Layer) yieldDict(d *dictEntry, yield func(Entry, error) bool) bool {
	for w := l.walk(d); ; {
		ok, err := w.next()
		if err != nil {
			yield(Entry{}, err)
			return false
		}
		if !ok {
			return true
		}
		if !yield(w.head.entry(string(w.key), w.value), nil) {
			return false
		}
	}
}

// walker goes through the entries of one dictionary in one layer, a verified
// copy of each at a time. The caller keeps the layer alive.
type walker struct {
	l      *Layer
	dict   uint64
	left   uint64 // entries still to come
	offset uint64 // of the next
	head   head
	buf    []byte
	key    []byte // these two lie in buf until the next step
	value  []byte
}

func (l *Layer) walk(d *dictEntry) walker {
	return walker{l: l, dict: d.Dict, left: d.Entries, offset: d.first}
}

// next reports whether there was a further entry.
func (w *walker) next() (bool, error) {
	if w.left == 0 {
		return false, nil
	}
	h := &w.head
	if err := w.l.readHead(h, w.offset); err != nil {
		return false, err
	}
	n := int(h.end - h.keyAt)
	w.buf = append(w.buf[:0], w.l.data[h.keyAt:h.end]...)
	k := int(h.valueAt - h.keyAt)
	w.key, w.value = w.buf[:k:k], w.buf[k:n:n]
	if err := w.l.verify(h, view(w.key), w.value); err != nil {
		return false, err
	}
	if h.dict != w.dict {
		return false, w.l.corrupt(w.offset, "an entry among those of another dictionary")
	}
	w.left--
	w.offset += h.size
	return true, nil
}
