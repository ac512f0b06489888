package snapshot

import (
	"fmt"
	"runtime"
	"slices"
)

// Verify reads all of the layer and checks everything that can be checked
// without its neighbours: every checksum; that the sections follow each other
// without a gap; that dictionaries and externals ascend, and that the externals
// are exactly those that entries refer to; that all counts are right; that
// revisions lie within the layer's range, and horizons too; that every entry is
// found through the index, at its own place, so that none has the key of
// another; and that padding is zero. That an entry outlives a horizon, or counts
// as live, is for [Stack.Verify].
//
// It takes a time proportional to the size of the layer and next to no memory
// besides the externals. Unless it is nil, progress is called every few hundred
// entries; its error ends the work and is returned. Otherwise the error is the
// first damage found, a *[errs.CorruptError].
func (l *Layer) Verify(progress func() error) error {
	defer runtime.KeepAlive(l)
	v := verifier{l: l, t: ticker{progress: progress}, next: l.at.entries}
	err := v.verifyExternals()
	if err == nil {
		err = v.verifyIndex()
	}
	if err == nil {
		err = v.verifyDicts()
	}
	if err == nil {
		err = v.verifyCounts()
	}
	return err
}

// verifier is what has been seen of a layer on the way through it.
type verifier struct {
	l          *Layer
	t          ticker
	externals  []uint64
	used       []bool // which of the externals an entry refers to
	next       uint64 // where the next entry must begin
	slots      uint64 // in use, of all buckets
	entries    uint64
	tombstones uint64
}

func (v *verifier) verifyExternals() (err error) {
	l := v.l
	if v.externals, err = l.Externals(); err != nil {
		return err
	}
	for i, id := range v.externals {
		if id == 0 || i > 0 && id <= v.externals[i-1] {
			return l.corrupt(l.at.externals+8*uint64(i), "externals out of order")
		}
	}
	v.used = make([]bool, len(v.externals))
	return v.zeros(l.at.externals+8*l.externals, l.at.index)
}

// zeros checks padding.
func (v *verifier) zeros(from, to uint64) error {
	for i, b := range v.l.data[from:to] {
		if b != 0 {
			return v.l.corrupt(from+uint64(i), "padding is not zero")
		}
	}
	return nil
}

func (v *verifier) verifyIndex() error {
	l := v.l
	for n := range l.buckets {
		var b [bucketSize]byte
		if err := l.readBucket(&b, n); err != nil {
			return err
		}
		v.slots += uint64(b[bucketCount])
		if b[bucketFlags]&^bucketOverflow != 0 || b[bucketFlags] != 0 && b[bucketCount] != bucketSlots {
			return l.corrupt(l.at.index+n*bucketSize, "flags of a bucket")
		}
		if err := v.t.tick(); err != nil {
			return err
		}
	}
	if v.slots != l.entries {
		return l.corrupt(l.at.index, fmt.Sprintf("the index has %d entries, the header says %d", v.slots, l.entries))
	}
	return nil
}

func (v *verifier) verifyDicts() error {
	l := v.l
	var d dictEntry
	for i := range l.dicts {
		before := d.Dict
		if err := l.readDict(&d, i); err != nil {
			return err
		}
		at := headerEnd + i*dictSize
		switch {
		case i > 0 && d.Dict <= before:
			return l.disordered(i)
		case d.Horizon != 0 && (d.Horizon <= l.from || d.Horizon > l.to):
			return l.corrupt(at, fmt.Sprintf("horizon %d of a layer from %d to %d", d.Horizon, l.from, l.to))
		case d.first != v.next:
			return l.corrupt(at, fmt.Sprintf("entries of a dictionary begin at %d, not at %d", d.first, v.next))
		case d.Entries > l.entries-v.entries:
			return l.corrupt(at, "more entries than the header says")
		}
		if err := v.verifyEntries(&d); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) verifyEntries(d *dictEntry) error {
	w := v.l.walk(d)
	for {
		ok, err := w.next()
		if err != nil || !ok {
			v.next = w.offset
			return err
		}
		if err := v.verifyEntry(&w, d.Horizon); err != nil {
			return err
		}
		if err := v.t.tick(); err != nil {
			return err
		}
	}
}

// verifyEntry checks an entry whose checksum is right.
func (v *verifier) verifyEntry(w *walker, horizon uint64) error {
	l, h := v.l, &w.head
	dead := h.flags&flagTombstone != 0
	v.entries++
	if dead {
		v.tombstones++
	}
	bad := func(format string, args ...any) error { return l.corrupt(h.offset, fmt.Sprintf(format, args...)) }
	switch {
	case h.flags&flagDict != 0 && h.dict == 0, h.flags&flagExternal != 0 && h.external == 0:
		return bad("flags of an entry")
	case dead && (len(w.value) != 0 || h.external != 0 || h.flags&flagMarks != 0):
		return bad("a tombstone with a value")
	case h.revision <= l.from || h.revision > l.to:
		return bad("revision %d in a layer from %d to %d", h.revision, l.from, l.to)
	case h.created > h.revision:
		return bad("created at %d, after its revision %d", h.created, h.revision)
	case hidden(h.revision, horizon):
		return bad("revision %d is not beyond the horizon %d of its own layer", h.revision, horizon)
	}
	if h.external != 0 {
		i, ok := slices.BinarySearch(v.externals, h.external)
		if !ok {
			return bad("refers to %#x, which is not among the externals", h.external)
		}
		v.used[i] = true
	}
	if err := v.zeros(h.end, h.offset+h.size); err != nil {
		return err
	}
	var found head
	switch ok, err := l.locate(&found, l.hash.sum(h.dict, view(w.key)), h.dict, view(w.key)); {
	case err != nil:
		return err
	case !ok:
		return bad("an entry that the index does not lead to")
	case found.offset != h.offset:
		return bad("an entry with the key of the one at %d", found.offset)
	}
	return nil
}

func (v *verifier) verifyCounts() error {
	l := v.l
	switch {
	case v.entries != l.entries:
		return l.corrupt(offEntries, fmt.Sprintf("%d entries, the header says %d", v.entries, l.entries))
	case v.tombstones != l.tombstones:
		return l.corrupt(offTombstones, fmt.Sprintf("%d tombstones, the header says %d", v.tombstones, l.tombstones))
	case v.next != l.size:
		return l.corrupt(offSize, fmt.Sprintf("entries end at %d, the layer at %d", v.next, l.size))
	}
	if i := slices.Index(v.used, false); i >= 0 {
		return l.corrupt(l.at.externals+8*uint64(i), "an external that no entry refers to")
	}
	return nil
}
