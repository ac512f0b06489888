package replica

// count is the number of live entries of a dictionary as of the applied
// position. A blind write does not know whether its key existed in the base:
// it is counted as new, and the key is noted until somebody asks.
type count struct {
	n       int
	pending []Key
}

// counted notes what a version changes. old is the version before it, nil
// where the overlay had none.
func (r *Replica) counted(s *State, v, old *Version) {
	c := r.counts[v.name.dict]
	if c == nil {
		return
	}
	if v.live() {
		c.n++
	}
	switch {
	case old == nil:
		c.pending = append(c.pending, v.name.key())
	case old.live() && !s.Wiped(v.name.dict, old.Revision, none-1):
		c.n--
	}
}

// Len is the number of live entries of a dictionary as of the applied
// position. The first call upon a base costs a walk over the overlay, each
// further one a look into the base for each key that is new since. The caller
// holds the lock.
func (r *Replica) Len(dict uint64) (int, error) {
	s := r.state.Load()
	c := r.counts[dict]
	if c == nil {
		n, err := s.Len(dict, s.applied.Load())
		if err != nil {
			return 0, err
		}
		if r.counts == nil {
			r.counts = map[uint64]*count{}
		}
		r.counts[dict] = &count{n: n}
		return n, nil
	}
	for len(c.pending) > 0 {
		last := len(c.pending) - 1
		v, err := s.FindBase(c.pending[last], s.applied.Load())
		if err != nil {
			return 0, err
		}
		if v != nil {
			c.n--
		}
		c.pending = c.pending[:last]
	}
	return c.n, nil
}

// Len is the number of live entries of a dictionary as of position p, found by
// a walk over the overlay.
func (s *State) Len(dict, p uint64) (int, error) {
	n := 0
	if !s.Wiped(dict, s.Base.Position(), p) {
		var err error
		if n, err = s.Base.Live(dict); err != nil {
			return 0, err
		}
	}
	var failed error
	s.Each(dict, p, func(key string, v *Version) bool {
		if v != nil {
			n++
		}
		below, err := s.FindBase(Key{dict, key}, p)
		if err != nil {
			failed = err
			return false
		}
		if below != nil {
			n--
		}
		return true
	})
	return n, failed
}
