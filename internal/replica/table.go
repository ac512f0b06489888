package replica

import (
	"math/bits"
	"sync/atomic"
)

// table is a hash table from keys to their newest versions, made for what an
// overlay needs and nothing else: look-ups take no lock and touch little memory,
// and entries are never removed. Its layout is that of Swiss tables
// (Abseil, Kulukundis 2017; Go's own maps): cells come in groups of eight, and
// one word of tags, a byte a cell, tells which of them are worth looking at.
//
//	tags    │ 00 00 00 00 00 c1 f3 9a │ …     00: empty; a search ends in a group with one
//	cells   │ ──▶ ──▶ ──▶  ·  ·  ·  ·  · │ …     ──▶ {revision, name, value, …} ──▶ older ──▶ …
//
// Any goroutine may search, add a key that is absent, and replace a version by
// its equal; only the applier puts a newer version in an older one's place, and
// makes a larger table. A cell is taken by the pointer and shown by the tag:
// who adds a key and finds a cell taken that is not shown yet, shows it first.
type table struct {
	tags  []atomic.Uint64
	cells []atomic.Pointer[Version] // eight a group
	used  atomic.Int64
}

const (
	groupSize   = 8
	everyByte   = 0x0101010101010101
	everyTop    = 0x8080808080808080 // set in each tag that is not empty
	smallest    = 32                 // groups of an empty overlay
	tagBits     = 7
	fullEighths = 6 // of the cells: from there on a table should grow
)

// newTable returns a table with room for n keys before it has to grow.
func newTable(n int) *table {
	groups := smallest
	for groups*fullEighths <= n {
		groups *= 2
	}
	return &table{tags: make([]atomic.Uint64, groups), cells: make([]atomic.Pointer[Version], groups*groupSize)}
}

// matches marks the bytes of tags that equal tag, by their top bits. It may mark
// a byte too many, never one too few.
func matches(tags, tag uint64) uint64 {
	x := tags ^ tag*everyByte
	return (x - everyByte) &^ x & everyTop
}

// get returns the newest version of a key, nil where there is none.
func (t *table) get(k Key) *Version {
	h := hash(k)
	mask := uint64(len(t.tags) - 1)
	for g := h >> tagBits & mask; ; g = (g + 1) & mask {
		tags := t.tags[g].Load()
		for m := matches(tags, h&0x7f|0x80); m != 0; m &= m - 1 {
			v := t.cells[g*groupSize+uint64(bits.TrailingZeros64(m))/8].Load()
			if v.name.is(k) {
				return v
			}
		}
		if tags&everyTop != everyTop {
			return nil
		}
	}
}

// cell returns the cell of a key and its version, nil where there is none.
func (t *table) cell(k Key) (*atomic.Pointer[Version], *Version) {
	h := hash(k)
	mask := uint64(len(t.tags) - 1)
	for g := h >> tagBits & mask; ; g = (g + 1) & mask {
		tags := t.tags[g].Load()
		for m := matches(tags, h&0x7f|0x80); m != 0; m &= m - 1 {
			c := &t.cells[g*groupSize+uint64(bits.TrailingZeros64(m))/8]
			if v := c.Load(); v.name.is(k) {
				return c, v
			}
		}
		if tags&everyTop != everyTop {
			return nil, nil
		}
	}
}

// add makes v the version of a key that is absent, or returns the one that is
// there. v has its name already. It refuses, by ok, when the table is so full
// that searches would become long: an empty cell, where they end, is always
// left, however many add at once.
func (t *table) add(v *Version) (present *Version, ok bool) {
	k := v.name.key()
	if int(t.used.Add(1)) > len(t.cells)/8*7 {
		t.used.Add(-1)
		_, present = t.cell(k)
		return present, present != nil
	}
	h := hash(k)
	mask := uint64(len(t.tags) - 1)
	for g := h >> tagBits & mask; ; g = (g + 1) & mask {
		tags := t.tags[g].Load()
		for i := range uint64(groupSize) {
			tag := tags >> (8 * i) & 0xff
			if tag != 0 && tag != h&0x7f|0x80 {
				continue
			}
			c := &t.cells[g*groupSize+i]
			if tag == 0 && c.CompareAndSwap(nil, v) {
				t.show(g, i, h)
				return nil, true
			}
			old := c.Load()
			if tag == 0 {
				t.show(g, i, hash(old.name.key()))
			}
			if old.name == v.name || old.name.is(k) {
				t.used.Add(-1)
				return old, true
			}
		}
	}
}

// show sets the tag of a cell.
func (t *table) show(g, i, h uint64) { t.tags[g].Or((h&0x7f | 0x80) << (8 * i)) }

// put makes v the newest version of its key, whatever is there. Only the
// applier may call it. It refuses as add does.
func (t *table) put(v *Version) (ok bool) {
	old, ok := t.add(v)
	if old != nil {
		c, _ := t.cell(v.name.key())
		c.Store(v)
	}
	return ok
}

// full reports whether the table should have grown before it takes another key.
func (t *table) full() bool { return int(t.used.Load()) >= len(t.tags)*fullEighths }

// grown returns a copy with twice the room.
func (t *table) grown() *table { return t.copied(len(t.tags) * groupSize) }

// copied returns a copy with room for n keys, which are more than it has. What
// others than the applier put in meanwhile may be missing: that was only kept
// to save work.
func (t *table) copied(room int) *table {
	n := newTable(room)
	for i := range t.cells {
		if v := t.cells[i].Load(); v != nil {
			n.add(v) // there is room for all
		}
	}
	return n
}

// each calls visit for the newest version of every key, until it reports false.
func (t *table) each(visit func(*Version) bool) {
	for i := range t.cells {
		if v := t.cells[i].Load(); v != nil && !visit(v) {
			return
		}
	}
}
