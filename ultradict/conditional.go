package ultradict

import (
	"fmt"
	"math"
	"reflect"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/value"
)

// The writes in this file depend on what a key holds. Each is one record, and none
// can lose an update: where another process changes the key first, the decision is
// made again. They cost little more than [Map.Set], and block like it.
//
// A revision is that of [Entry]; 0 stands for a key that is absent.

// GetEntry is [Map.Get] with all there is to know of the entry. The value is the
// caller's own. Errors: as [Map.Get].
func (m *Map[K, V]) GetEntry(key K) (Entry[K, V], error) {
	enc, err := m.keys.Append(nil, key)
	if err != nil {
		return Entry[K, V]{}, unencodable(key, err)
	}
	v, err := m.view()
	if err != nil {
		return Entry[K, V]{}, err
	}
	defer v.Close()
	k := replica.Key{Dict: m.number(), Str: string(enc)}
	ver, err := v.Version(k)
	if err != nil {
		return Entry[K, V]{}, err
	}
	e, err := m.entry(v, k, ver)
	if err != nil {
		return Entry[K, V]{}, named(key, err)
	}
	return e, nil
}

// CompareAndSet stores a value if the key's revision is the given one, and returns
// the new revision. With revision 0 it stores the value if the key is absent.
//
// Errors: [ErrConflict] if the revision is another one; otherwise as [Map.Set].
func (m *Map[K, V]) CompareAndSet(key K, revision uint64, v V) (uint64, error) {
	return m.replace(key, v, func(old *replica.Version) (bool, error) {
		return true, m.expect(key, old, revision)
	})
}

// CompareAndDelete removes a key if its revision is the given one. With revision 0
// it does nothing to a key that is absent.
//
// Errors: [ErrConflict] if the revision is another one; otherwise as [Map.Set].
func (m *Map[K, V]) CompareAndDelete(key K, revision uint64) error {
	return m.remove(key, func(old *replica.Version) error {
		return m.expect(key, old, revision)
	})
}

// SetIfAbsent stores a value if the key is absent, and returns the value that is
// there now: the given one if it was stored, otherwise a copy of its own of the one
// that was there. Errors: as [Map.Set]; *[TypeError] if what is there is not a V.
func (m *Map[K, V]) SetIfAbsent(key K, v V) (actual V, stored bool, err error) {
	_, err = m.replace(key, v, func(old *replica.Version) (bool, error) {
		if stored = old == nil; stored {
			actual = v
			return true, nil
		}
		var err error
		actual, err = m.own(m.d, key, old)
		return false, err
	})
	if err != nil {
		var zero V
		return zero, false, err
	}
	return actual, stored, nil
}

// Replace stores a value if the key is present, and reports whether it was. Errors:
// as [Map.Set].
func (m *Map[K, V]) Replace(key K, v V) (existed bool, err error) {
	_, err = m.replace(key, v, func(old *replica.Version) (bool, error) {
		existed = old != nil
		return existed, nil
	})
	return existed && err == nil, err
}

// Swap stores a value and returns a copy of the one that was there before. Errors: as
// [Map.Set]; *[TypeError] if what was there is not a V, and then nothing has changed.
func (m *Map[K, V]) Swap(key K, v V) (old V, existed bool, err error) {
	_, err = m.replace(key, v, func(was *replica.Version) (bool, error) {
		if existed = was != nil; !existed {
			var zero V
			old = zero
			return true, nil
		}
		var err error
		old, err = m.own(m.d, key, was)
		return true, err
	})
	if err != nil {
		var zero V
		return zero, false, err
	}
	return old, existed, nil
}

// GetAndDelete removes a key and returns a copy of what it held. Errors: as
// [Map.Set]; *[TypeError] if that is not a V, and then nothing has changed.
func (m *Map[K, V]) GetAndDelete(key K) (old V, existed bool, err error) {
	err = m.remove(key, func(was *replica.Version) error {
		if existed = was != nil; !existed {
			return nil
		}
		var err error
		old, err = m.own(m.d, key, was)
		return err
	})
	if err != nil || !existed {
		var zero V
		return zero, false, err
	}
	return old, true, nil
}

// Add adds to an integer and returns the sum, which is what is stored now. An absent
// key counts as 0.
//
// Errors: *[TypeError] if V, or what is stored, is no integer; [ErrOverflow] if the
// sum is not an int64 or does not fit into V; otherwise as [Map.Set]. After any of
// them nothing has changed.
func (m *Map[K, V]) Add(key K, delta int64) (sum int64, err error) { return m.add(key, delta, 0, 0) }

// add is Add of a key that counts as initial where it is absent, and has a deadline then.
func (m *Map[K, V]) add(key K, delta, initial, deadline int64) (sum int64, err error) {
	buf := core.GetBuffer()
	defer buf.Release()
	err = m.modify(buf, key, func(old *replica.Version) (core.Change, error) {
		now, err := m.integer(key, old, initial)
		if err != nil {
			return core.Change{}, err
		}
		until := deadline
		if old != nil {
			until = old.Deadline()
		}
		if sum = now + delta; (sum > now) != (delta > 0) && delta != 0 {
			return core.Change{}, m.overflow(key, now, delta)
		}
		raw, v, fits, err := m.values.appendInt(buf.Value[:0], sum)
		if !fits {
			return core.Change{}, m.overflow(key, now, delta)
		}
		if err != nil {
			return core.Change{}, unencodable(key, err)
		}
		buf.Value = raw
		return core.Change{Kind: record.Put, Value: buf.Value, Kept: m.kept(buf.Value, v), Deadline: until}, nil
	})
	if err != nil {
		return 0, err
	}
	return sum, nil
}

// integer is the integer that a version holds, or what an absent one counts as.
func (m *Map[K, V]) integer(key K, v *replica.Version, absent int64) (int64, error) {
	kind := reflect.TypeFor[V]().Kind()
	if !m.values.dynamic && (kind < reflect.Int || kind > reflect.Uint64) {
		return 0, &TypeError{Key: key, Want: "an integer", Reason: "the map's values are " + reflect.TypeFor[V]().String()}
	}
	if v == nil {
		return absent, nil
	}
	x, err := m.own(m.d, key, v)
	if err != nil {
		return 0, err
	}
	switch n := reflect.ValueOf(x); {
	case n.CanInt():
		return n.Int(), nil
	case n.CanUint():
		if n.Uint() > math.MaxInt64 {
			return 0, fmt.Errorf("%d, which key %q holds, is not an int64: %w", n.Uint(), fmt.Sprint(key), ErrOverflow)
		}
		return int64(n.Uint()), nil
	case !m.values.native:
		return m.foreignInteger(key, v, x)
	}
	return 0, &TypeError{Key: key, Want: "an integer", Reason: fmt.Sprintf("it is %T", x)}
}

func (m *Map[K, V]) overflow(key K, now, delta int64) error {
	return fmt.Errorf("add %d to %d, which key %q of %q holds: %w", delta, now, fmt.Sprint(key), m.Name(), ErrOverflow)
}

// expect returns [ErrConflict] unless a version has the given revision.
func (m *Map[K, V]) expect(key K, v *replica.Version, revision uint64) error {
	now := uint64(0)
	if v != nil {
		now = v.Revision
	}
	if now == revision {
		return nil
	}
	return fmt.Errorf("key %q of %q is at revision %d, not %d: %w", fmt.Sprint(key), m.Name(), now, revision, ErrConflict)
}

// replace stores v if what is there is such that it should be.
func (m *Map[K, V]) replace(key K, v V, should func(old *replica.Version) (bool, error)) (revision uint64, err error) {
	if tree, ok := m.tree(v); ok {
		return m.replaceTree(key, tree, should)
	}
	buf := core.GetBuffer()
	defer buf.Release()
	raw, err := m.values.codec.Append(buf.Value[:0], v)
	if err != nil {
		return 0, unencodable(key, err)
	}
	buf.Value = raw
	return m.modified(buf, key, func(old *replica.Version) (core.Change, error) {
		if ok, err := should(old); !ok || err != nil {
			return core.Change{}, err
		}
		return core.Change{Kind: record.Put, Value: raw, Kept: m.kept(raw, v)}, nil
	})
}

// remove removes the key, if it is there and look has no objection.
func (m *Map[K, V]) remove(key K, look func(old *replica.Version) error) error {
	buf := core.GetBuffer()
	defer buf.Release()
	return m.modify(buf, key, func(old *replica.Version) (core.Change, error) {
		if err := look(old); err != nil || old == nil {
			return core.Change{}, err
		}
		return core.Change{Kind: record.Delete}, nil
	})
}

// modify is [core.Dict.Modify] for a key of the map.
func (m *Map[K, V]) modify(buf *core.Buffer, key K, decide func(*replica.Version) (core.Change, error)) error {
	_, err := m.modified(buf, key, decide)
	return err
}

func (m *Map[K, V]) modified(buf *core.Buffer, key K, decide func(*replica.Version) (core.Change, error)) (uint64, error) {
	if err := m.keys.Check(key); err != nil {
		return 0, unencodable(key, err)
	}
	var kb value.KeyBuf
	return m.d.Modify(buf, m.key(&key, &kb), decide)
}
