package replica

import (
	"errors"
	"math"
	"sync/atomic"
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
	over    atomic.Pointer[table]
	Base    Base
	replica *Replica
	closed  bool
	used    atomic.Bool

	promoted atomic.Int64 // approximate bytes of versions read from the base
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
	v := s.over.Load().get(k).at(p)
	if v == nil {
		return nil, Below
	}
	if v.meta&(tombstone|gap) != 0 {
		if v.lost() {
			return nil, Behind
		}
		return nil, Gone
	}
	if v.Revision <= s.cleared.Load() {
		if wiped, known := s.wiped(k.Dict, v.Revision, p); !known {
			return nil, Behind
		} else if wiped {
			return nil, Gone
		}
	}
	return v, Found
}

// at returns the newest version that is not newer than p, nil where the chain,
// which may be empty, ends first. What it returns may be lost.
func (v *Version) at(p uint64) *Version {
	for v != nil && v.Revision > p {
		v = v.prev.Load()
	}
	return v
}

// wiped reports whether the dictionary was cleared between a revision and position
// p, both inclusive. It is not known where p is too old.
func (s *State) wiped(dict, revision, p uint64) (wiped, known bool) {
	h := s.over.Load().get(horizonOf(&dict)).at(p)
	switch {
	case h == nil:
		return false, true
	case h.lost():
		return false, false
	}
	return revision < h.Revision, true
}

// ErrBehind is [Behind] as an error.
var ErrBehind = errors.New("replica has moved on")

// FindBase looks a key up in the base; nil says that it is absent as of p, ErrBehind
// that the state or the position is too old to tell.
func (s *State) FindBase(k Key, p uint64) (*Version, error) {
	v, err := s.Base.Find(k)
	if err != nil || v == nil {
		return nil, err
	}
	if v.Revision <= s.cleared.Load() {
		if wiped, known := s.wiped(k.Dict, v.Revision, p); !known {
			return nil, ErrBehind
		} else if wiped {
			return nil, nil
		}
	}
	return v, nil
}

// promotedBytes bounds what a state keeps of values read from its base.
const promotedBytes = 16 << 20

// Promote keeps a version that FindBase returned, unless the overlay has the
// key already or enough was kept. k need only live as long as the call.
func (s *State) Promote(k Key, v *Version) {
	size := entryCost + int64(len(k.Str)+2*len(v.Raw()))
	if s.promoted.Load()+size > promotedBytes || s.closed {
		return
	}
	if s.over.Load().full() && !s.grow() {
		return
	}
	v.name = newName(k)
	if present, ok := s.over.Load().add(v); ok && present == nil {
		s.promoted.Add(size)
	}
}

// grow makes room in the overlay, if its applier is not at work just now.
func (s *State) grow() bool {
	if !s.replica.mu.TryLock() {
		return false
	}
	defer s.replica.mu.Unlock()
	if s.replica.state.Load() != s {
		return false
	}
	if t := s.over.Load(); t.full() {
		s.over.Store(t.grown())
	}
	return true
}

// Keep replaces version v of a key by d, the same with its value decoded, where v is
// still the newest, and returns d. So a value is decoded once.
func (s *State) Keep(k Key, v, d *Version) *Version {
	if c, newest := s.over.Load().cell(k); newest == v {
		c.CompareAndSwap(v, d)
	}
	return d
}

// Each calls visit for what the overlay says of each key of a dictionary
// between the base and position p: the version, or nil where the key is
// absent. It stops when visit reports false, and returns Behind when the
// position is no longer to be had: views never see that.
func (s *State) Each(dict uint64, p uint64, visit func(key string, v *Version) bool) Result {
	base, result := s.Base.Position(), Found
	s.over.Load().each(func(v *Version) bool {
		m := v.name
		if m.dict != dict {
			return true
		}
		if v = v.at(p); v == nil {
			return true
		}
		if v.lost() {
			result = Behind
			return false
		}
		if v.Revision <= base {
			return true // a promoted one, or one that the base knows as well
		}
		if !v.live() || s.Wiped(dict, v.Revision, p) {
			v = nil
		}
		return visit(m.str(), v)
	})
	return result
}

// Covers reports whether the overlay, and not the base, answers for a key as
// of position p.
func (s *State) Covers(k Key, p uint64) bool {
	v := s.over.Load().get(k).at(p)
	return v != nil && !v.lost() && v.Revision > s.Base.Position()
}

// Wiped reports whether an entry is absent as of position p, that of a view or the
// newest, because its dictionary was cleared.
func (s *State) Wiped(dict, revision, p uint64) bool {
	if revision > s.cleared.Load() {
		return false
	}
	wiped, _ := s.wiped(dict, revision, p)
	return wiped
}

// Created is the revision that created a key whose version as of position p
// this state found to be v.
func (s *State) Created(k Key, v *Version) (uint64, error) {
	if v.meta&rooted != 0 {
		return v.created(), nil
	}
	below, err := s.FindBase(k, v.Revision)
	if err != nil || below == nil {
		return v.created(), err
	}
	return below.created(), nil
}
