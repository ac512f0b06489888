package ultradict

import (
	"context"
	"errors"
	"math"
	"reflect"
	"sync/atomic"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/value"
)

// Map is one open handle of a dictionary with keys of type K and values of
// type V. Any number of goroutines may use it. [Open] and [OpenMap] make one;
// the zero value is of no use.
type Map[K comparable, V any] struct {
	d       *core.Dict
	which   atomic.Uint64 // 0: the root dictionary; else see Close
	strings bool          // K is a string type
	small   bool          // and small values are encoded by AppendSmall
	nested  bool          // this is a handle of a nested dictionary, or was
	keys    *value.Keys[K]
	values  *values[V]
	reader  core.Reader
	beside  replica.Beside[V]
}

// number is that of the dictionary.
func (m *Map[K, V]) number() uint64 { return m.which.Load() }

// Dict is a dictionary of dynamic values. What is stored comes back as nil,
// bool, int64 (uint64 above its range), float64, string, []byte, time.Time,
// []any or map[string]any, in every process alike; with [WithCodec], as what the
// codec makes of it.
type Dict = Map[string, any]

// key is the look-up form of a key. It must not outlive buf and *key.
func (m *Map[K, V]) key(key *K, buf *value.KeyBuf) replica.Key {
	return replica.Key{Dict: m.number(), Str: m.keys.View(key, buf)}
}

// Get returns the value of a key. It sees every write, of any process, that
// returned before Get was called. Where nothing was written since the last
// look it costs what a look-up in a local map costs, takes no lock and makes no
// allocation.
//
// The value is shared with this process's replica: do not change it.
//
// Errors: bare [ErrNotFound]; *[TypeError] if the stored value is not a V;
// [ErrClosed], [ErrRemoved], [ErrCorrupt].
func (m *Map[K, V]) Get(key K) (V, error) {
	if m.strings {
		v, err := m.d.Get(replica.Key{Dict: m.number(), Str: stringOf(&key)}, &m.reader)
		if err == nil {
			if m.beside.Usable() {
				if p := m.beside.Value(v); p != nil {
					return *p, nil
				}
			} else if x, ok := v.Value(); ok {
				if t, ok := x.(V); ok {
					return t, nil
				}
			}
		}
		return m.result(m.d, key, v, err)
	}
	var buf value.KeyBuf
	v, err := m.d.Get(m.key(&key, &buf), &m.reader)
	return m.result(m.d, key, v, err)
}

// Peek is Get without a look at the stream: it returns what this process's
// replica says as it stands, at one position that only moves forward. Any call
// that synchronizes moves it on, and a keeper does so every 250 ms while Peek
// is in use; the first Peek after an idle time may be up to 5 s behind.
func (m *Map[K, V]) Peek(key K) (V, error) {
	if m.strings {
		v, err := m.d.Peek(replica.Key{Dict: m.number(), Str: stringOf(&key)}, &m.reader)
		if err == nil {
			if m.beside.Usable() {
				if p := m.beside.Value(v); p != nil {
					return *p, nil
				}
			} else if x, ok := v.Value(); ok {
				if t, ok := x.(V); ok {
					return t, nil
				}
			}
		}
		return m.result(m.d, key, v, err)
	}
	var buf value.KeyBuf
	v, err := m.d.Peek(m.key(&key, &buf), &m.reader)
	return m.result(m.d, key, v, err)
}

// encoded is where versions come from, and their encoded values: a dictionary, or a
// view, which says that it was lost where the dictionary would speak of damage.
type encoded interface {
	Raw(v *replica.Version) (string, error)
	Kind(dict uint64) (string, error) // of the keys of a nested dictionary
}

// result turns what the core found into a V.
func (m *Map[K, V]) result(from encoded, key K, v *replica.Version, err error) (V, error) {
	var zero V
	if err != nil {
		return zero, named(key, m.missing(err))
	}
	if x, ok := v.Value(); ok {
		if t, ok := x.(V); ok {
			return t, nil
		}
		if x == nil && m.values.dynamic {
			return zero, nil
		}
	}
	return m.own(from, key, v)
}

// missing is err, unless the key is missing because the whole dictionary is gone.
func (m *Map[K, V]) missing(err error) error {
	if err == ErrNotFound && m.nested {
		if gone := m.d.Living(m.number()); gone != nil {
			return gone
		}
	}
	return err
}

// own decodes a version once more, into memory that is the caller's.
func (m *Map[K, V]) own(from encoded, key K, v *replica.Version) (V, error) {
	var zero V
	if v.IsNested() {
		return m.dictionary(from, key, v)
	}
	raw, err := from.Raw(v)
	if err != nil {
		return zero, err
	}
	if x, ok := v.Value(); ok && raw == "" {
		if t, ok := x.(V); ok || (x == nil && m.values.dynamic) {
			return t, nil
		}
		return zero, &TypeError{Key: key, Want: reflect.TypeFor[V]().String(), Reason: "it is " + reflect.TypeOf(x).String()}
	}
	t, err := m.values.codec.Decode([]byte(raw))
	return t, named(key, err)
}

// named puts the key into an error that has none yet.
func named[K any](key K, err error) error {
	var t *TypeError
	if err != nil && errors.As(err, &t) && t.Key == nil {
		named := *t
		named.Key = key
		return &named
	}
	return err
}

// Has reports whether a key is present, as [Map.Get] would find it. It does not
// decode the value. Errors: [ErrClosed], [ErrRemoved], [ErrCorrupt].
func (m *Map[K, V]) Has(key K) (bool, error) {
	var buf value.KeyBuf
	ok, err := m.d.Has(m.key(&key, &buf))
	if !ok && err == nil && m.nested {
		err = m.d.Living(m.number())
	}
	return ok, err
}

// Set stores a value. When it returns nil, every Get of every process sees the
// value, and no death of any process can undo that. It waits for the lock at
// most for [WithLockTimeout].
//
// Errors: *[EncodeError] if key or value could not be read back, *[LockError],
// [ErrNoSpace], [ErrReadOnly], [ErrClosed], [ErrRemoved]. After any of them
// nothing has changed.
func (m *Map[K, V]) Set(key K, v V) error {
	if err := m.keys.Check(key); err != nil {
		return unencodable(key, err)
	}
	if m.small {
		// What most calls are: without a buffer but the stack.
		var room [smallValue]byte
		if raw, ok := value.AppendSmall(room[:0], v); ok {
			if k := (replica.Key{Dict: m.number(), Str: stringOf(&key)}); m.d.Fits(k, len(raw)) {
				return m.d.Put(k, raw, m.kept(raw, v))
			}
		}
	}
	return m.set(key, v)
}

// smallValue is the size in bytes up to which a value is encoded on the stack.
const smallValue = 64

// set is Set of whatever it may be, with a key that was checked.
func (m *Map[K, V]) set(key K, v V) error {
	if tree, ok := m.tree(v); ok {
		return m.setTree(key, tree)
	}
	buf := core.GetBuffer()
	defer buf.Release()
	raw, err := m.values.codec.Append(buf.Value[:0], v)
	if err != nil {
		return unencodable(key, err)
	}
	buf.Value = raw
	var kb value.KeyBuf
	k := m.key(&key, &kb)
	if m.d.Fits(k, len(raw)) {
		return m.d.Put(k, raw, m.kept(raw, v))
	}
	_, err = m.d.Write(context.Background(), []record.Op{{Kind: record.Put, Dict: m.number(), Key: []byte(k.Str), Value: raw}}, nil)
	return err
}

// Delete removes a key and reports whether it was present. Errors: as
// [Map.Set].
func (m *Map[K, V]) Delete(key K) (existed bool, err error) {
	err = m.remove(key, func(old *replica.Version) error {
		existed = old != nil
		return nil
	})
	return existed && err == nil, err
}

// Clear removes everything. It costs the same however much there is. Errors:
// as [Map.Set].
func (m *Map[K, V]) Clear() error {
	_, err := m.d.Write(context.Background(), []record.Op{{Kind: record.Clear, Dict: m.number()}}, nil)
	return err
}

// Len is the number of entries. The first call after the replica has moved on
// to newer layers costs a walk over what was changed since; otherwise it is
// cheap. Errors: [ErrClosed], [ErrRemoved], [ErrCorrupt].
func (m *Map[K, V]) Len() (int, error) {
	n, err := m.d.Len(m.number())
	if n == 0 && err == nil && m.nested {
		err = m.d.Living(m.number())
	}
	return n, err
}

// Sync applies everything that was committed before the call to this process's
// replica, so that [Map.Peek] sees it. Errors: [ErrClosed], [ErrRemoved],
// [ErrCorrupt].
func (m *Map[K, V]) Sync() error {
	_, err := m.d.Sync()
	return err
}

// Name is the name that the dictionary was opened by.
func (m *Map[K, V]) Name() string { return m.d.Name() }

// Close ends the handle: what was written stays, and every later call returns
// [ErrClosed]. It waits for background work of the handle to stop. Close is
// idempotent. Memory is unmapped when the garbage collector finds that nothing
// uses it any more. A handle that saves the dictionary, see [WithPersistence], does so
// once more, if need be, and says why if it cannot; it is closed all the same.
//
// Of a nested dictionary it closes only this handle; all others of the same Open stay,
// and closing the one of the root closes them all.
func (m *Map[K, V]) Close() error {
	if m.nested {
		m.which.Store(core.ClosedDict)
		return nil
	}
	return m.d.Close()
}

// unencodable says which key an encoding error belongs to.
func unencodable[K any](key K, err error) error {
	var u *value.Unencodable
	if errors.As(err, &u) {
		return &EncodeError{Key: key, Reason: u.Reason, Err: u.Err}
	}
	return err
}

func floatFrom(bits uint64) float64 { return math.Float64frombits(bits) }
