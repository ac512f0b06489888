package ultradict

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
)

// Entries with a time to live are not served any more once that is over, by no process
// and through no view. One process sweeps them soon after: until then [Map.Len] counts
// them. A watch tells of that with an [EventExpire]. The time is that of the machine's
// monotonic clock, so whoever sets the wall clock changes nothing.
//
// [Map.Set] and whatever else stores a value of its own takes a time to live away;
// [Map.Add] keeps it.

// SetWithTTL is [Map.Set] of a value that expires after a time to live. Errors: as
// [Map.Set]; [ErrInvalidOption] if ttl is not positive, [ErrOverflow] if it is so long
// that its end cannot be told.
func (m *Map[K, V]) SetWithTTL(key K, v V, ttl time.Duration) error {
	deadline, err := m.deadline(key, ttl)
	if err != nil {
		return err
	}
	if err := m.keys.Check(key); err != nil {
		return unencodable(key, err)
	}
	if _, ok := m.tree(v); ok {
		return m.noTTL(key)
	}
	buf := core.GetBuffer()
	defer buf.Release()
	raw, err := m.values.codec.Append(buf.Value[:0], v)
	if err != nil {
		return unencodable(key, err)
	}
	buf.Value = raw
	enc, err := m.keys.Append(nil, key)
	if err != nil {
		return unencodable(key, err)
	}
	_, err = m.d.Write(context.Background(), []record.Op{{Kind: record.Put, Deadline: deadline, Dict: m.number(), Key: enc, Value: raw}}, nil)
	return err
}

// Expire gives a key that is present a time to live from now on, in place of what it had
// before, and reports whether it is present. It stores the value again: the entry has a
// new revision, and a watch tells of it. Errors: as [Map.SetWithTTL]; *[TypeError] for a
// nested dictionary, which cannot expire.
func (m *Map[K, V]) Expire(key K, ttl time.Duration) (present bool, err error) {
	deadline, err := m.deadline(key, ttl)
	if err != nil {
		return false, err
	}
	return m.timed(key, func(*replica.Version) (int64, bool) { return deadline, true })
}

// Persist takes a key's time to live away, and reports whether it had one. Like
// [Map.Expire] it stores the value again. Errors: as [Map.Set].
func (m *Map[K, V]) Persist(key K) (had bool, err error) {
	return m.timed(key, func(old *replica.Version) (int64, bool) { return 0, old.Deadline() != 0 })
}

// TTL returns how much time a key has left, 0 if it does not expire. Errors: bare
// [ErrNotFound]; [ErrClosed], [ErrRemoved], [ErrCorrupt].
func (m *Map[K, V]) TTL(key K) (time.Duration, error) {
	enc, err := m.keys.Append(nil, key)
	if err != nil {
		return 0, unencodable(key, err)
	}
	v, err := m.view()
	if err != nil {
		return 0, err
	}
	defer v.Close()
	ver, err := v.Version(replica.Key{Dict: m.number(), Str: string(enc)})
	if err != nil {
		return 0, err
	}
	return core.Left(ver), nil
}

// timed stores the value of a key that is present again, with another deadline, 0 for
// none. It reports whether it did.
func (m *Map[K, V]) timed(key K, deadline func(old *replica.Version) (int64, bool)) (did bool, err error) {
	buf := core.GetBuffer()
	defer buf.Release()
	err = m.modify(buf, key, func(old *replica.Version) (core.Change, error) {
		did = false
		if old == nil {
			return core.Change{}, nil
		}
		if old.IsNested() {
			return core.Change{}, m.noTTL(key)
		}
		until, ok := deadline(old)
		if !ok {
			return core.Change{}, nil
		}
		raw, err := m.encoded(buf, old)
		if err != nil {
			return core.Change{}, named(key, err)
		}
		did = true
		return core.Change{Kind: record.Put, Value: raw, Kept: m.version(raw), Deadline: until}, nil
	})
	return did && err == nil, err
}

// encoded is the encoded value of a version, in buf.Value.
func (m *Map[K, V]) encoded(buf *core.Buffer, v *replica.Version) ([]byte, error) {
	raw, err := m.d.Raw(v)
	if err != nil {
		return nil, err
	}
	buf.Value = append(buf.Value[:0], raw...)
	if x, ok := v.Value(); ok && raw == "" {
		own, _ := x.(V)
		if buf.Value, err = m.values.codec.Append(buf.Value[:0], own); err != nil {
			return nil, err
		}
	}
	return buf.Value, nil
}

// version is an encoded value as the replica keeps it.
func (m *Map[K, V]) version(raw []byte) *replica.Version {
	if m.nested {
		return replica.Encoded(0, string(raw))
	}
	return m.values.Version(0, raw)
}

// deadline is when a time to live ends that begins now.
func (m *Map[K, V]) deadline(key any, ttl time.Duration) (int64, error) {
	deadline, err := core.Deadline(ttl)
	if err != nil {
		reason := "must be positive"
		if errors.Is(err, ErrOverflow) {
			reason = "ends beyond all time"
		}
		return 0, fmt.Errorf("time to live of %v for key %q of %q %s: %w", ttl, fmt.Sprint(key), m.Name(), reason, err)
	}
	return deadline, nil
}

func (m *Map[K, V]) noTTL(key K) error {
	return &TypeError{Key: key, Want: "a value that can expire", Reason: "it is a nested dictionary"}
}

// AddInit is [Map.Add], but an absent key counts as initial, and where the sum creates the
// key, it expires after ttl; 0 means never. What is there keeps the time that it has. So
// it counts what happens within a window that begins with the first, for all processes
// together:
//
//	n, err := m.AddInit("client 7", 1, 0, time.Minute)
//	if n > 100 { … too many within that minute }
//
// Errors: as [Map.Add]; [ErrInvalidOption] if ttl is negative, [ErrOverflow] if it is so
// long that its end cannot be told.
func (m *Map[K, V]) AddInit(key K, delta, initial int64, ttl time.Duration) (int64, error) {
	var until int64
	if ttl != 0 {
		var err error
		if until, err = m.deadline(key, ttl); err != nil {
			return 0, err
		}
	}
	return m.add(key, delta, initial, until)
}

// SetWithTTL is Set of a value that expires. The time begins now, not when the
// transaction commits. Errors: *[EncodeError], [ErrInvalidOption], [ErrOverflow],
// [ErrTxDone].
func (tx *Tx[K, V]) SetWithTTL(key K, v V, ttl time.Duration) error {
	k, err := tx.encode(key)
	if err != nil {
		return err
	}
	deadline, err := tx.m.deadline(key, ttl)
	if err != nil {
		return tx.fail(err)
	}
	if _, ok := tx.m.tree(v); ok {
		return tx.fail(tx.m.noTTL(key))
	}
	raw, err := tx.m.values.codec.Append(nil, v)
	if err != nil {
		return tx.fail(unencodable(key, err))
	}
	tx.t.Write(record.Op{Kind: record.Put, Deadline: deadline, Dict: k.Dict, Key: []byte(k.Str), Value: raw})
	return nil
}
