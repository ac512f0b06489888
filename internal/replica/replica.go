package replica

import (
	"strings"
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
	building *overlay // a new overlay that slots go into as well, see Rebase
	slots    int      // in the current overlay, without promoted ones
	bytes    int64    // approximate private memory of them
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
func (r *Replica) Put(k Key, v *Version) {
	s := r.state.Load()
	sl, ok := s.over.Load(k)
	if !ok {
		k.Str = strings.Clone(k.Str)
		v.follow(s, k, nil)
		fresh := &slot{}
		fresh.first.Store(v)
		if sl, ok = s.over.LoadOrStore(k, fresh); !ok {
			r.slots++
			r.bytes += slotCost + int64(len(k.Str)+len(v.raw))
			r.counted(s, k, sl, v, nil)
			r.carry(k, sl)
			return
		}
	}
	old := sl.first.Load()
	v.flags &^= rooted
	v.follow(s, k, old)
	v.prev.Store(old)
	sl.first.Store(v)
	r.bytes += int64(len(v.raw) - len(old.raw))
	r.counted(s, k, sl, v, old)
	r.trim(s, old)
	if r.building != nil {
		k.Str = strings.Clone(k.Str)
		r.carry(k, sl)
	}
}

// slotCost is roughly what an entry of the overlay takes besides its bytes.
const slotCost = 208

func (r *Replica) carry(k Key, sl *slot) {
	if r.building != nil {
		r.building.Store(k, sl)
	}
}

// trim lets go of the versions before the newest one that everybody may need.
func (r *Replica) trim(s *State, v *Version) {
	keep := min(r.Views.lowest.Load(), s.applied.Load())
	for ; v != nil && v != cut; v = v.prev.Load() {
		if v.Revision <= keep {
			if p := v.prev.Load(); p != nil && p != cut {
				v.prev.Store(cut)
			}
			return
		}
	}
}

// Clear makes everything of dict up to position at absent. Nobody sees it
// before Advance. The caller holds the lock.
func (r *Replica) Clear(dict, at uint64) {
	s := r.state.Load()
	keep := min(r.Views.lowest.Load(), s.applied.Load())
	list := []horizon{{dict, at}}
	if old := s.horizons.Load(); old != nil {
		// Of those that everybody has passed, the newest of a dictionary says it
		// all. It is kept for ever: slots may hold older versions.
		passed := uint64(0)
		for _, h := range *old {
			if h.dict == dict && h.at <= keep {
				passed = max(passed, h.at)
			}
		}
		for _, h := range *old {
			if h.dict != dict || h.at >= passed {
				list = append(list, h)
			}
		}
	}
	s.horizons.Store(&list)
	s.cleared.Store(at)
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
	s := &State{Base: base, over: newOverlay(0)}
	s.applied.Store(base.Position())
	if old != nil {
		s.inherit(old)
	}
	r.building = nil
	r.slots, r.bytes, r.counts = 0, 0, nil
	r.state.Store(s)
}

func (s *State) inherit(old *State) {
	s.horizons.Store(old.horizons.Load())
	s.cleared.Store(old.cleared.Load())
	s.used.Store(old.used.Load())
}

// Close replaces the picture by one that says it is closed. The caller holds
// the lock.
func (r *Replica) Close() {
	s := &State{closed: true, over: newOverlay(0), Base: nothing{}}
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
	n    int
	size int64
}

// Begin starts a rebase upon base, whose position must not lie above the
// applied one. From now on slots go into both overlays. The caller holds the
// lock.
func (r *Replica) Begin(base Base) *Rebase {
	s := r.state.Load()
	b := &Rebase{r: r, from: s, to: &State{Base: base, over: newOverlay(r.slots / 2)}}
	r.building = b.to.over
	return b
}

// Copy takes over the slots that the new base does not answer for. It needs no
// lock.
func (b *Rebase) Copy() {
	q := b.to.Base.Position()
	b.from.over.Range(func(k Key, sl *slot) bool {
		if v := sl.first.Load(); v.Revision > q {
			if _, loaded := b.to.over.LoadOrStore(k, sl); !loaded {
				b.size += slotCost + int64(len(k.Str)+len(v.raw))
			}
		}
		return true
	})
}

// Finish makes the new state the replica's, unless it was replaced meanwhile.
// The caller holds the lock.
func (b *Rebase) Finish() bool {
	r := b.r
	if r.building != b.to.over || r.state.Load() != b.from {
		return false
	}
	r.building = nil
	b.to.inherit(b.from)
	b.to.applied.Store(b.from.applied.Load())
	r.slots, r.bytes, r.counts = b.to.over.Size(), b.size, nil
	r.state.Store(b.to)
	return true
}
