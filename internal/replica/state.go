package replica

import (
	"hash/maphash"
	"math"
	"sync/atomic"

	"github.com/puzpuzpuz/xsync/v3"
)

// Key identifies an entry: the dictionary it belongs to, and its encoded key.
type Key struct {
	Dict uint64
	Str  string
}

// Base answers for everything up to its position. It is immutable.
type Base interface {
	// Find returns the live entry of a key, nil where there is none. Its
	// string is the caller's own.
	Find(k Key) (*Version, error)
	// Live is the number of live entries of a dictionary.
	Live(dict uint64) (int, error)
	// Position is that of the last record in it.
	Position() uint64
}

// Result says how a look-up in the overlay ended.
type Result uint8

// Results of [State.Find].
const (
	Found  Result = iota // the version is the answer
	Gone                 // the key is absent
	Below                // the overlay does not know: ask the base
	Behind               // the state or the position is too old: load both again
)

// State is a picture that only grows: see the package's rules. Its zero value
// is of no use; [Replica.State] gives one.
type State struct {
	applied atomic.Uint64
	cleared atomic.Uint64 // the newest horizon of any dictionary, 0 for none
	over    *overlay
	Base    Base
	closed  bool
	used    atomic.Bool

	horizons atomic.Pointer[[]horizon]
	promoted atomic.Int64 // approximate bytes of versions read from the base
}

type overlay = xsync.MapOf[Key, *slot]

type slot struct{ first atomic.Pointer[Version] }

// horizon says that everything of dict up to at is absent, from position at on.
type horizon struct{ dict, at uint64 }

var seed = maphash.MakeSeed()

func newOverlay(presize int) *overlay {
	return xsync.NewMapOfWithHasher[Key, *slot](func(k Key, _ uint64) uint64 {
		return maphash.String(seed, k.Str) ^ k.Dict*0x9e3779b97f4a7c15
	}, xsync.WithPresize(presize))
}

// closedAt is the position of a closed replica's state: no head ever equals it.
const closedAt = math.MaxUint64

// Applied is the position that the state stands for.
func (s *State) Applied() uint64 { return s.applied.Load() }

// Closed reports whether the replica was closed.
func (s *State) Closed() bool { return s.closed }

// Touch notes that somebody reads the state without looking at the stream. It
// reports whether nobody had since the last call of Touched.
func (s *State) Touch() (first bool) { return !s.used.Load() && !s.used.Swap(true) }

// Touched reports whether Touch was called since the last call of Touched.
func (s *State) Touched() bool { return s.used.Load() && s.used.Swap(false) }

// Find looks a key up in the overlay as of position p. It allocates nothing,
// and k need only live as long as the call.
func (s *State) Find(k Key, p uint64) (*Version, Result) {
	sl, ok := s.over.Load(k)
	if !ok {
		return nil, Below
	}
	v := sl.at(p)
	if v == nil {
		return nil, Below
	}
	if v == cut {
		return nil, Behind
	}
	if v.flags&tombstone != 0 || (v.Revision <= s.cleared.Load() && s.wiped(k.Dict, v.Revision, p)) {
		return nil, Gone
	}
	return v, Found
}

// at returns the newest version that is not newer than p; nil or cut where the
// chain ends first.
func (sl *slot) at(p uint64) *Version {
	v := sl.first.Load()
	for v != nil && v.Revision > p {
		v = v.prev.Load()
	}
	return v
}

// wiped reports whether a horizon that counts at position p covers revision.
func (s *State) wiped(dict, revision, p uint64) bool {
	list := s.horizons.Load()
	if list == nil {
		return false
	}
	for _, h := range *list {
		if h.dict == dict && revision <= h.at && h.at <= p {
			return true
		}
	}
	return false
}

// FindBase looks a key up in the base; nil says that it is absent as of p.
func (s *State) FindBase(k Key, p uint64) (*Version, error) {
	v, err := s.Base.Find(k)
	if err != nil || v == nil {
		return nil, err
	}
	if v.Revision <= s.cleared.Load() && s.wiped(k.Dict, v.Revision, p) {
		return nil, nil
	}
	return v, nil
}

// promotedBytes bounds what a state keeps of values read from its base.
const promotedBytes = 16 << 20

// Promote keeps a version that FindBase returned, unless the overlay has the
// key already or enough was kept. k must be memory of its own.
func (s *State) Promote(k Key, v *Version) {
	size := int64(200 + len(k.Str) + 2*len(v.raw))
	if s.promoted.Load()+size > promotedBytes || s.closed {
		return
	}
	sl := &slot{}
	sl.first.Store(v)
	if _, loaded := s.over.LoadOrStore(k, sl); !loaded {
		s.promoted.Add(size)
	}
}

// Keep replaces version v of a key by one with its value decoded, where v is
// still the newest, and returns the decoded one. So a value is decoded once.
func (s *State) Keep(k Key, v *Version, value any) *Version {
	d := v.decodedCopy(value)
	if sl, ok := s.over.Load(k); ok {
		sl.first.CompareAndSwap(v, d)
	}
	return d
}

// Each calls visit for what the overlay says of each key of a dictionary
// between the base and position p: the version, or nil where the key is
// absent. It stops when visit reports false, and returns Behind when the
// position is no longer to be had: views never see that.
func (s *State) Each(dict uint64, p uint64, visit func(key string, v *Version) bool) Result {
	base, result := s.Base.Position(), Found
	s.over.Range(func(k Key, sl *slot) bool {
		if k.Dict != dict {
			return true
		}
		v := sl.at(p)
		if v == nil {
			return true
		}
		if v == cut {
			result = Behind
			return false
		}
		if v.Revision <= base {
			return true // a promoted one, or one that the base knows as well
		}
		if !v.live() || s.wiped(dict, v.Revision, p) {
			v = nil
		}
		return visit(k.Str, v)
	})
	return result
}

// Covers reports whether the overlay, and not the base, answers for a key as
// of position p.
func (s *State) Covers(k Key, p uint64) bool {
	sl, ok := s.over.Load(k)
	if !ok {
		return false
	}
	v := sl.at(p)
	return v != nil && v != cut && v.Revision > s.Base.Position()
}

// Wiped reports whether an entry of the base is absent as of position p
// because its dictionary was cleared.
func (s *State) Wiped(dict, revision, p uint64) bool {
	return revision <= s.cleared.Load() && s.wiped(dict, revision, p)
}

// Created is the revision that created a key whose version as of position p
// this state found to be v.
func (s *State) Created(k Key, v *Version) (uint64, error) {
	if v.flags&rooted != 0 {
		return v.created, nil
	}
	below, err := s.FindBase(k, v.Revision)
	if err != nil || below == nil {
		return v.created, err
	}
	return below.created, nil
}
