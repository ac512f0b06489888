package ultradict

import (
	"iter"
	"time"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/replica"
)

// Entry is one entry of a dictionary.
type Entry[K comparable, V any] struct {
	Key      K             // the key, decoded
	Value    V             // the value, decoded
	Revision uint64        // of the commit that stored the value; 0 in a transaction that has not committed it yet
	Created  uint64        // of the commit since which the key has been present, with whatever values; 0 likewise
	TTL      time.Duration // how long the entry has left to live; 0: it does not expire
}

// All returns the entries as of one position: that of the moment when the
// iteration begins. The loop's body may write, also to this dictionary. It
// stops early at an error, silently: use [Map.Entries] where that matters.
// Entries come in no particular order.
func (m *Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for e, err := range m.Entries() {
			if err != nil || !yield(e.Key, e.Value) {
				return
			}
		}
	}
}

// Keys is [Map.All] without the values, which are not even decoded.
func (m *Map[K, V]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		v, err := m.view()
		if err != nil {
			return
		}
		defer v.Close()
		_ = v.Each(m.number(), func(enc string, _ *replica.Version) bool {
			key, err := m.keys.Decode(enc)
			return err == nil && yield(key)
		})
	}
}

// Values is [Map.All] without the keys.
func (m *Map[K, V]) Values() iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, v := range m.All() {
			if !yield(v) {
				return
			}
		}
	}
}

// Entries is [Map.All] with all there is to know of each entry, and with the
// error if it stops early, which is then the last thing it yields. Values are
// the caller's own.
func (m *Map[K, V]) Entries() iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) {
		v, err := m.view()
		if err != nil {
			yield(Entry[K, V]{}, err)
			return
		}
		defer v.Close()
		m.entries(v, nil, yield)
	}
}

// entriesOf are the entries of a view.
func (m *Map[K, V]) entriesOf(v *core.View) iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) { m.entries(v, nil, yield) }
}

// entries yields the entries of a view, except those that skip names.
func (m *Map[K, V]) entries(v *core.View, skip func(replica.Key) bool, yield func(Entry[K, V], error) bool) (more bool) {
	more = true
	var failed error
	err := v.Each(m.number(), func(enc string, ver *replica.Version) bool {
		k := replica.Key{Dict: m.number(), Str: enc}
		if skip != nil && skip(k) {
			return true
		}
		var e Entry[K, V]
		if e, failed = m.entry(v, k, ver); failed != nil {
			return false
		}
		more = yield(e, nil)
		return more
	})
	if failed == nil {
		failed = err
	}
	if failed != nil {
		yield(Entry[K, V]{}, failed)
		return false
	}
	return more
}

func (m *Map[K, V]) entry(v *core.View, k replica.Key, ver *replica.Version) (e Entry[K, V], err error) {
	if e.Key, err = m.keys.Decode(k.Str); err != nil {
		return e, err
	}
	if e.Value, err = m.own(v, e.Key, ver); err != nil {
		return e, err
	}
	e.Revision, e.TTL = ver.Revision, core.Left(ver)
	e.Created, err = v.Created(k, ver)
	return e, err
}
