package replica

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Replica is the local picture of one dictionary handle. What reads goes
// through State and never waits; what changes it is called with the replica
// locked, in the order of the stream.
type Replica struct {
	state atomic.Pointer[State]
	Views Views

	mu       sync.Mutex
	building *table // a new overlay that versions go into as well, see Rebase
	slots    int    // keys in the current overlay, without promoted ones
	bytes    int64  // approximate private memory of them
	counts   map[uint64]*count
}

// New returns a replica that stands where base ends.
func New(base Base) *Replica {
	r := &Replica{}
	r.Views.lowest.Store(none)
	r.Reset(base)
	return r
}

// State is the picture as it stands.
func (r *Replica) State() *State { return r.state.Load() }

// Lock takes the appliers' lock.
func (r *Replica) Lock() { r.mu.Lock() }

// Unlock releases the appliers' lock.
func (r *Replica) Unlock() { r.mu.Unlock() }

// Put makes v the newest version of a key. k need only live as long as the
// call. Nobody sees it before Advance. The caller holds the lock.
func (r *Replica) Put(k Key, v *Version) { r.PutAt(r.Find(k), k, v) }

// Spot is where the overlay has a key, or had it when somebody looked. It stays
// right as long as the table does, since entries never move in one.
type Spot struct {
	t *table
	c *atomic.Pointer[Version] // nil where the key was absent
}

// Find looks a key up for PutAt, which is done best before a lock is taken: what
// is not in the processor's cache comes while other things are done. It needs
// no lock itself.
func (r *Replica) Find(k Key) Spot {
	t := r.state.Load().over.Load()
	c, _ := t.cell(k)
	return Spot{t, c}
}

// PutAt is Put of a key that Find has looked up at some time.
func (r *Replica) PutAt(at Spot, k Key, v *Version) {
	s := r.state.Load()
	c := at.c
	if t := s.over.Load(); c == nil || t != at.t {
		c, _ = t.cell(k)
	}
	if c == nil {
		if c = r.insert(s, k, v); c == nil {
			return
		}
		// Somebody has promoted the key this very moment.
	}
	old := c.Load()
	v.name = old.name
	v.follow(s, k, old)
	v.link(old)
	c.Store(v)
	if old.Revision <= s.Base.Position() {
		// The key was there only because somebody had read it from the base. From
		// now on it is one that a rebase has to take along.
		r.slots++
		r.bytes += entryCost + int64(len(k.Str)+len(v.Raw()))
	} else {
		r.bytes += int64(len(v.Raw()) - len(old.Raw()))
	}
	if r.counts != nil {
		r.counted(s, v, old)
	}
	r.trim(s, old)
	if r.building != nil {
		r.carry(v)
	}
}

// insert is Put of a key that the overlay does not have. Should it have it after
// all, insert returns its cell and has done nothing.
func (r *Replica) insert(s *State, k Key, v *Version) (present *atomic.Pointer[Version]) {
	v.name = newName(k)
	v.follow(s, k, nil)
	t := s.over.Load()
	var old *Version
	for ok := false; !ok; {
		if t.full() {
			t = t.grown()
			s.over.Store(t)
		}
		if old, ok = t.add(v); !ok { // filled up this very moment
			t = t.grown()
			s.over.Store(t)
		}
	}
	if old != nil {
		present, _ = t.cell(k)
		return present
	}
	r.slots++
	r.bytes += entryCost + int64(len(k.Str)+len(v.Raw()))
	if r.counts != nil {
		r.counted(s, v, nil)
	}
	if r.building != nil {
		r.carry(v)
	}
	return nil
}

// Expect makes room for n more keys at once, which is cheaper than to grow on
// the way. The caller holds the lock.
func (r *Replica) Expect(n int) {
	s := r.state.Load()
	t := s.over.Load()
	if room := int(t.used.Load()) + n; room > len(t.tags)*fullEighths {
		s.over.Store(t.copied(room))
	}
}

// entryCost is roughly what an entry of the overlay takes besides key and value.
const entryCost = 96

// carry puts a version into the overlay that is being built, as well. Should
// that be full, which it was made not to be, it is given up.
func (r *Replica) carry(v *Version) {
	if r.building.full() || !r.building.put(v) {
		r.building = nil
	}
}

// trim lets go of versions before v, which is the newest but one, that nobody
// needs any more. Whoever reads without a hold may still stand at a position
// where one of them was the answer: a cut or a gap in their place tells it to
// load the state again.
//
//	v ─▶ x ─▶ y ─▶ …        x is needed by views from x.Revision on and below v.Revision
//	v ─▶ (gap at x.Revision) ─▶ y ─▶ …
func (r *Replica) trim(s *State, v *Version) {
	x := v.prev.Load()
	if x == nil || x == cut {
		return
	}
	lowest, applied := r.Views.lowest.Load(), s.applied.Load()
	switch {
	case v.Revision > applied:
		// x is what everybody sees
	case v.Revision <= lowest:
		v.prev.Store(cut) // without a look at x, which nobody has looked at for long
	case x.lost():
	case !r.Views.need(x.Revision, v.Revision):
		y := x.prev.Load()
		if y == nil || !y.lost() {
			g := &Version{Revision: x.Revision, meta: gap}
			g.prev.Store(y)
			y = g
		}
		v.prev.Store(y)
	}
}

// Clear makes everything of dict up to position at absent. Nobody sees it
// before Advance. The caller holds the lock.
func (r *Replica) Clear(dict, at uint64) {
	r.Put(horizonOf(&dict), &Version{Revision: at + 1})
	r.state.Load().cleared.Store(at)
	if c := r.counts[dict]; c != nil {
		*c = count{}
	}
}

// Advance makes everything up to position visible. The caller holds the lock.
func (r *Replica) Advance(position uint64) { r.state.Load().applied.Store(position) }

// Weight is the number of slots in the overlay and roughly their private
// memory in bytes. The caller holds the lock.
func (r *Replica) Weight() (slots int, bytes int64) { return r.slots, r.bytes }

// Reset makes base the whole picture: for a newcomer, and for a replica that
// was lapped. Open views keep what they see. The caller holds the lock, except
// where nobody else can have it yet.
func (r *Replica) Reset(base Base) {
	old := r.state.Load()
	if old != nil && old.closed {
		return
	}
	s := &State{Base: base, replica: r}
	s.over.Store(newTable(0))
	s.applied.Store(base.Position())
	if old != nil {
		s.inherit(old)
	}
	r.building = nil
	r.slots, r.bytes, r.counts = 0, 0, nil
	r.state.Store(s)
}

func (s *State) inherit(old *State) {
	s.cleared.Store(old.cleared.Load())
	s.used.Store(old.used.Load())
}

// Close replaces the picture by one that says it is closed. The caller holds
// the lock.
func (r *Replica) Close() {
	s := &State{closed: true, Base: nothing{}, replica: r}
	s.over.Store(newTable(0))
	s.applied.Store(closedAt)
	r.building, r.counts = nil, nil
	r.state.Store(s)
}

type nothing struct{}

func (nothing) Find(Key) (*Version, error) { return nil, nil }
func (nothing) Live(uint64) (int, error)   { return 0, nil }
func (nothing) Position() uint64           { return 0 }

// Rebase is the replacement of a state by one upon a newer base. It is built
// in the background:
//
//	lock, Begin, unlock;  Copy;  lock, Finish, unlock
type Rebase struct {
	r    *Replica
	from *State
	to   *State
	over *table
	size int64
}

// Begin starts a rebase upon base, whose position must not lie above the
// applied one. From now on versions go into both overlays. The caller holds the
// lock.
func (r *Replica) Begin(base Base) *Rebase {
	s := r.state.Load()
	b := &Rebase{r: r, from: s, to: &State{Base: base, replica: r}}
	// Room for all that there is and as much again to come meanwhile.
	b.over = newTable(2 * r.slots)
	b.to.over.Store(b.over)
	r.building = b.over
	return b
}

// Copy takes over the keys that the new base does not answer for. It needs no
// lock.
func (b *Rebase) Copy() {
	q := b.to.Base.Position()
	n := 0
	b.from.over.Load().each(func(v *Version) bool {
		if v.Revision > q {
			if present, ok := b.over.add(v); ok && present == nil {
				b.size += entryCost + int64(int(v.name.n)+len(v.Raw()))
			}
		}
		if n++; n%256 == 0 {
			runtime.Gosched() // whoever reads or writes comes first
		}
		return !b.over.full()
	})
}

// Finish makes the new state the replica's, unless it was replaced meanwhile
// or the new overlay proved too small. The caller holds the lock.
func (b *Rebase) Finish() bool {
	r := b.r
	if r.building != b.over || b.over.full() || r.state.Load() != b.from {
		if r.building == b.over {
			r.building = nil
		}
		return false
	}
	r.building = nil
	b.to.inherit(b.from)
	b.to.applied.Store(b.from.applied.Load())
	r.slots, r.bytes, r.counts = int(b.over.used.Load()), b.size, nil
	r.state.Store(b.to)
	return true
}
