package core

import (
	"errors"
	"runtime"

	"github.com/ultradict/go/internal/clock"
	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/replica"
)

// Get returns the newest version of a key, its value decoded, or bare
// ErrNotFound. It sees every write that returned before it was called, in any
// process. The key need only live as long as the call.
//
// With the replica up to date and the value decoded before, it is one look-up,
// takes no lock and allocates nothing.
func (d *Dict) Get(k replica.Key, as *Reader) (*replica.Version, error) {
	s := d.rep.State()
	p := s.Applied()
	// The head is loaded after the position: if they are equal, the replica
	// had everything at that moment. Closed and removed handles never match.
	current := staleGet || d.head.Load() == p && d.written.Load() <= p
	runtime.KeepAlive(d)
	if current {
		if v, r := s.Find(k, p); r == replica.Found && v.Ready(as.Form) {
			return v, nil
		}
	}
	return d.get(k, as, !staleGet)
}

// Peek is Get without a look at the stream: what the replica says as it stands.
func (d *Dict) Peek(k replica.Key, as *Reader) (*replica.Version, error) {
	s := d.rep.State()
	if s.Touch() {
		keeperOf.wake()
	}
	if v, r := s.Find(k, s.Applied()); r == replica.Found && v.Ready(as.Form) {
		return v, nil
	}
	return d.get(k, as, false)
}

// Has reports whether a key is present, without decoding its value.
func (d *Dict) Has(k replica.Key) (bool, error) {
	s, err := d.Sync()
	for err == nil {
		_, e := d.at(s, k, s.Applied())
		switch {
		case e == nil:
			return true, nil
		case errors.Is(e, errs.ErrNotFound):
			return false, nil
		case e != errBehind:
			return false, e
		}
		s, err = d.state()
	}
	return false, err
}

func (d *Dict) get(k replica.Key, as *Reader, sync bool) (*replica.Version, error) {
	// A body can be gone when the replica lags behind: then it catches up and asks
	// again. If it is gone once more, that is damage, unless a further layer was
	// published in between: no body goes without one.
	for missing, layers := false, uint64(0); ; {
		s, err := d.state()
		if sync && err == nil {
			s, err = d.Sync()
		}
		if err != nil {
			return nil, err
		}
		p := s.Applied()
		v, err := d.at(s, k, p)
		if err == errBehind {
			continue
		}
		if err != nil {
			return nil, err
		}
		v, err = d.decode(s, k, v, as)
		if errors.Is(err, errBodyGone) {
			if now := d.control.snapshot.Sequence(); !missing || now != layers {
				missing, layers, sync = true, now, true
				continue
			}
		}
		return v, d.missing(err)
	}
}

// errBehind says that a state or position is too old to be read.
var errBehind = replica.ErrBehind

// at returns the version of a key in state s as of position p: ErrNotFound
// where there is none or its time is up, errBehind where s is too old to tell.
func (d *Dict) at(s *replica.State, k replica.Key, p uint64) (*replica.Version, error) {
	v, err := d.stored(s, k, p)
	if err == nil && expired(v) {
		return nil, errs.ErrNotFound
	}
	return v, err
}

// expired reports whether the time of a version is up.
func expired(v *replica.Version) bool {
	until := v.Deadline()
	return until != 0 && clock.Now() >= until
}

// stored is at, whether the key's time is up or not.
func (d *Dict) stored(s *replica.State, k replica.Key, p uint64) (*replica.Version, error) {
	v, r := s.Find(k, p)
	switch r {
	case replica.Found:
		return v, nil
	case replica.Gone:
		return nil, errs.ErrNotFound
	case replica.Behind:
		return nil, errBehind
	}
	v, err := s.FindBase(k, p)
	if err == errBehind {
		return nil, err
	}
	if err != nil {
		return nil, d.wrap("read", err)
	}
	if v == nil {
		return nil, errs.ErrNotFound
	}
	s.Promote(k, v)
	return v, nil
}

// decode returns v with its value decoded, and sees to it that this is done
// once. A dictionary is left as it is.
func (d *Dict) decode(s *replica.State, k replica.Key, v *replica.Version, as *Reader) (*replica.Version, error) {
	if v.In(as.Form) || v.IsNested() {
		return v, nil
	}
	raw, err := d.raw(v)
	if err != nil {
		return nil, err
	}
	decoded, err := as.Values.Decoded(v, raw, as.Form)
	if err != nil {
		return nil, err
	}
	return s.Keep(k, v, decoded), nil
}

// Raw is the encoded value of a version, read from its body where it has one.
// It is empty for a version that was kept decoded only.
func (d *Dict) Raw(v *replica.Version) (string, error) {
	raw, err := d.raw(v)
	return raw, d.missing(err)
}

// raw is Raw, but where a body is gone it says errBodyGone: the replica may only
// be behind.
func (d *Dict) raw(v *replica.Version) (string, error) {
	if !v.IsExternal() {
		return v.Raw(), nil
	}
	return d.readValue(v.Raw())
}

// missing turns errBodyGone into what it is where nobody is behind.
func (d *Dict) missing(err error) error {
	if errors.Is(err, errBodyGone) {
		return d.wrap("read", &errs.CorruptError{Segment: "layer", Reason: err.Error()})
	}
	return err
}

// Sync applies everything that was committed before the call and returns the
// state.
func (d *Dict) Sync() (*replica.State, error) {
	s := d.rep.State()
	head := d.head.Load()
	runtime.KeepAlive(d)
	if s.Applied() == head && d.written.Load() <= head {
		return s, nil
	}
	if s.Closed() {
		return nil, d.wrap("use", errs.ErrClosed)
	}
	if d.str.Ended() {
		return nil, d.wrap("use", errs.ErrRemoved)
	}
	d.rep.Lock()
	defer d.rep.Unlock()
	if err := d.advance(head); err != nil {
		return nil, d.wrap("catch up with", err)
	}
	return d.rep.State(), nil
}

// Len is the number of entries of a dictionary.
func (d *Dict) Len(dict uint64) (int, error) {
	if _, err := d.Sync(); err != nil {
		return 0, err
	}
	d.rep.Lock()
	defer d.rep.Unlock()
	n, err := d.rep.Len(dict)
	return n, d.wrap("count", err)
}
