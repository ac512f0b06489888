package core

import (
	"errors"
	"runtime"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/replica"
)

// View is one position of the dictionary, kept until Close. It costs writers
// and other readers nothing. One goroutine at a time may use it.
type View struct {
	d        *Dict
	state    *replica.State
	position uint64
	hold     *replica.Hold
}

// View returns a view of everything that was committed before the call.
func (d *Dict) View() (*View, error) {
	if d.closing.Load() {
		return nil, d.wrap("view", errs.ErrClosed)
	}
	// The order matters twice: the hold keeps versions from being cut from
	// before the position is read, and the pin that it sets in shared memory
	// keeps bodies from being swept from before the replica catches up.
	hold := d.rep.Views.Register(d.rep.State().Applied())
	for {
		s, err := d.Sync()
		if err != nil {
			hold.Release()
			return nil, err
		}
		// Without a hold on its position a state may have been cut before it was
		// loaded; with one it cannot be: so once more, if it was replaced.
		p := s.Applied()
		if s != d.rep.State() {
			continue
		}
		hold.Set(p)
		return &View{d: d, state: s, position: p, hold: hold}, nil
	}
}

// Close lets go of the position. It is idempotent.
func (v *View) Close() { v.hold.Release() }

// Position is the revision that the view shows.
func (v *View) Position() uint64 { return v.position }

// pin tells the other participants between which positions our views may need
// bodies that nothing else refers to any more: up to everything while one is about
// to choose its position, 0 without a view. Once the handle is closing its entry may
// be somebody else's: leaving it takes the pin away.
func (d *Dict) pin(lowest, highest uint64) {
	d.startMu.Lock()
	defer d.startMu.Unlock()
	if e := d.peer.Entry(); e != nil && !d.closing.Load() {
		e.PinFrom.Store(lowest)
		e.Pin.Store(highest)
	}
}

// Version returns the version of a key, or ErrNotFound.
func (v *View) Version(k replica.Key) (*replica.Version, error) {
	ver, err := v.d.at(v.state, k, v.position)
	if err == errBehind {
		return nil, v.lost()
	}
	return ver, err
}

// Stored is Version, whether the key's time is up or not.
func (v *View) Stored(k replica.Key) (*replica.Version, error) {
	ver, err := v.d.stored(v.state, k, v.position)
	if err == errBehind {
		return nil, v.lost()
	}
	return ver, err
}

// Get returns the version of a key with its value decoded, or ErrNotFound.
func (v *View) Get(k replica.Key, as *Reader) (*replica.Version, error) {
	ver, err := v.Version(k)
	if err != nil {
		return nil, err
	}
	ver, err = v.d.decode(v.state, k, ver, as)
	if errors.Is(err, errBodyGone) {
		err = v.lost()
	}
	return ver, err
}

// lost says that what the view shows could not be kept for it. That happens to
// read-only handles, which cannot pin.
func (v *View) lost() error {
	if v.d.lock == nil {
		return v.d.wrap("view", errs.ErrViewLost)
	}
	return v.d.wrap("view", &errs.CorruptError{Segment: "layer", Reason: "something that a view needs is gone"})
}

// Len is the number of entries of a dictionary.
func (v *View) Len(dict uint64) (int, error) {
	if v.state == v.d.rep.State() && v.state.Applied() == v.position {
		v.d.rep.Lock()
		if v.state == v.d.rep.State() && v.state.Applied() == v.position {
			defer v.d.rep.Unlock()
			n, err := v.d.rep.Len(dict)
			return n, v.d.wrap("count", err)
		}
		v.d.rep.Unlock()
	}
	n, err := v.state.Len(dict, v.position)
	return n, v.d.wrap("count", err)
}

// Each calls visit for each entry of a dictionary, in no order, until visit
// reports false. Versions may have to be decoded. Keys are the callee's own. What has
// expired is left out.
func (v *View) Each(dict uint64, visit func(key string, ver *replica.Version) bool) error {
	return v.EachStored(dict, func(key string, ver *replica.Version) bool { return expired(ver) || visit(key, ver) })
}

// EachStored is Each with what has expired and was not swept yet.
func (v *View) EachStored(dict uint64, visit func(key string, ver *replica.Version) bool) error {
	stopped := false
	result := v.state.Each(dict, v.position, func(key string, ver *replica.Version) bool {
		if ver != nil && !visit(key, ver) {
			stopped = true
		}
		return !stopped
	})
	if stopped {
		return nil
	}
	if result == replica.Behind {
		return v.lost()
	}
	b, ok := v.state.Base.(*base)
	if !ok {
		return v.d.wrap("view", errs.ErrClosed)
	}
	for e, err := range b.stack.All(dict) {
		if err != nil {
			return v.d.wrap("read", err)
		}
		k := replica.Key{Dict: dict, Str: e.Key}
		if v.state.Wiped(dict, e.Revision, v.position) || v.state.Covers(k, v.position) {
			continue
		}
		if !visit(e.Key, b.version(&e)) {
			break
		}
	}
	runtime.KeepAlive(b)
	return nil
}

// Raw is [Dict.Raw] for a version that the view has found.
func (v *View) Raw(ver *replica.Version) (string, error) {
	raw, err := v.d.raw(ver)
	if errors.Is(err, errBodyGone) {
		return "", v.lost()
	}
	return raw, err
}

// Created is the revision that created a key whose version this is.
func (v *View) Created(k replica.Key, ver *replica.Version) (uint64, error) {
	created, err := v.state.Created(k, ver)
	return created, v.d.wrap("read", err)
}
