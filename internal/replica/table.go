package replica

import (
	"hash/maphash"
	"sync/atomic"
)

// table is a hash table from keys to their newest versions, made for what an
// overlay needs and nothing else: look-ups that take no lock and touch two
// cache lines, the cell's and the version's, which holds the key as well.
// Entries are never removed. Collisions go to the next cell.
//
//	cells   │ hash │ newest ─┼─▶ {revision, value, key, …} ─▶ older ─▶ …
//	        │ hash │ newest  │
//	        │  0   │  nil    │   empty: here a search ends
//
// Any goroutine may search, add a key that is absent, and replace a version by
// its equal; only the applier puts a newer version in an older one's place, and
// makes a larger table.
type table struct {
	cells []cell
	used  atomic.Int64
}

type cell struct {
	hash   atomic.Uint64 // 0: not told yet, look at the version
	newest atomic.Pointer[Version]
}

// smallest is the number of cells of an empty overlay.
const smallest = 256

// newTable returns a table with room for n keys before it has to grow.
func newTable(n int) *table {
	size := smallest
	for size*2 < n*3 {
		size *= 2
	}
	return &table{cells: make([]cell, size)}
}

var seed = maphash.MakeSeed()

// hash never returns 0.
func hash(k Key) uint64 { return maphash.String(seed, k.Str) ^ k.Dict*0x9e3779b97f4a7c15 | 1<<63 }

// get returns the newest version of a key, nil where there is none.
func (t *table) get(k Key) *Version {
	h := hash(k)
	mask := uint64(len(t.cells) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		c := &t.cells[i]
		told := c.hash.Load()
		if told != h && told != 0 {
			continue
		}
		v := c.newest.Load()
		if v == nil {
			return nil
		}
		if v.key == k.Str && v.dict == k.Dict {
			return v
		}
	}
}

// cell returns the cell of a key, or the empty one where it belongs.
func (t *table) cell(k Key, h uint64) (*cell, *Version) {
	mask := uint64(len(t.cells) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		c := &t.cells[i]
		if told := c.hash.Load(); told != h && told != 0 {
			continue
		}
		v := c.newest.Load()
		if v == nil || (v.key == k.Str && v.dict == k.Dict) {
			return c, v
		}
	}
}

// add makes v the version of a key that is absent, or returns the one that is
// there. v has its key already. It refuses, by ok, when the table is so full
// that searches would become long: an empty cell, where they end, is always
// left, however many add at once.
func (t *table) add(v *Version) (present *Version, ok bool) {
	k := Key{v.dict, v.key}
	h := hash(k)
	for {
		c, old := t.cell(k, h)
		if old != nil {
			return old, true
		}
		if int(t.used.Add(1)) > len(t.cells)/8*7 {
			t.used.Add(-1)
			return nil, false
		}
		if c.newest.CompareAndSwap(nil, v) {
			c.hash.Store(h)
			return nil, true
		}
		t.used.Add(-1)
	}
}

// put makes v the newest version of its key, whatever is there. Only the
// applier may call it. It refuses as add does.
func (t *table) put(v *Version) (ok bool) {
	old, ok := t.add(v)
	if old != nil {
		k := Key{v.dict, v.key}
		c, _ := t.cell(k, hash(k))
		c.newest.Store(v)
	}
	return ok
}

// full reports whether the table should have grown before it takes another key:
// a third of it is kept empty, so that searches stay short.
func (t *table) full() bool { return int(t.used.Load())*3 >= len(t.cells)*2 }

// grown returns a copy with twice the room. What others than the applier put in
// meanwhile may be missing: that was only kept to save work.
func (t *table) grown() *table {
	n := &table{cells: make([]cell, 2*len(t.cells))}
	for i := range t.cells {
		if v := t.cells[i].newest.Load(); v != nil {
			n.add(v) // there is room for all
		}
	}
	return n
}

// each calls visit for the newest version of every key, until it reports false.
func (t *table) each(visit func(*Version) bool) {
	for i := range t.cells {
		if v := t.cells[i].newest.Load(); v != nil && !visit(v) {
			return
		}
	}
}
