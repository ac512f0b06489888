package ultradict

import (
	"context"
	"errors"
	"iter"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
)

// Tx is a transaction, see [Map.Update]: it sees one position of the
// dictionary and its own writes. It is good until the function that it was
// given to returns, and for one goroutine at a time. Values that it returns are
// the caller's own.
type Tx[K comparable, V any] struct {
	m *Map[K, V]
	t *core.Tx
	*session
}

// Update calls fn and commits what it wrote as one record: everybody sees all
// of it or nothing, and only if nothing that fn has read was changed meanwhile.
// Otherwise fn runs again, so it should have no effects of its own; after a few
// conflicts such callers take turns. If fn returns an error, panics or calls
// runtime.Goexit, nothing is changed.
//
// Len, All and Entries read the whole dictionary: with them every other commit
// is a conflict. What is read and not found counts as read. fn must not write
// to the same dictionary other than through tx; that would be a conflict each
// time.
//
// Errors: what fn returned; the first error of a call on tx, if fn ignored it;
// the context's; otherwise as [Map.Set].
func (m *Map[K, V]) Update(ctx context.Context, fn func(tx *Tx[K, V]) error) error {
	return m.d.Update(ctx, func(t *core.Tx) error {
		tx := &Tx[K, V]{m, t, &session{}}
		defer func() { tx.done = true }()
		if err := fn(tx); err != nil {
			return err
		}
		return tx.err
	})
}

// fail keeps the first failure of the transaction.
func (tx *Tx[K, V]) fail(err error) error {
	if tx.err == nil && err != nil && err != ErrNotFound {
		tx.err = err
	}
	return err
}

// usable returns why the transaction, or the nested dictionary, is of no use any more.
func (tx *Tx[K, V]) usable() error {
	if tx.done {
		return ErrTxDone
	}
	if tx.m.nested {
		return tx.fail(tx.t.Living(tx.m.number()))
	}
	return nil
}

// encode returns a key's look-up form, which is the transaction's to keep.
func (tx *Tx[K, V]) encode(key K) (replica.Key, error) {
	if err := tx.usable(); err != nil {
		return replica.Key{}, err
	}
	enc, err := tx.m.keys.Append(nil, key)
	if err != nil {
		return replica.Key{}, tx.fail(unencodable(key, err))
	}
	return replica.Key{Dict: tx.m.number(), Str: string(enc)}, nil
}

// Get returns the value of a key. Errors: bare [ErrNotFound], *[TypeError],
// *[EncodeError], [ErrTxDone], [ErrCorrupt].
func (tx *Tx[K, V]) Get(key K) (V, error) {
	var zero V
	k, err := tx.encode(key)
	if err != nil {
		return zero, err
	}
	if op, known := tx.t.Pending(k); known {
		if op == nil {
			return zero, ErrNotFound
		}
		if op.Nested {
			v, err := tx.m.dictionary(tx.t, key, replica.Nested(0, string(op.Value)))
			return v, tx.fail(err)
		}
		v, err := tx.m.values.codec.Decode(op.Value)
		return v, tx.fail(named(key, err))
	}
	ver, err := tx.t.Read(k)
	if err != nil {
		return zero, tx.fail(err)
	}
	v, err := tx.m.own(tx.t, key, ver)
	return v, tx.fail(err)
}

// Has reports whether a key is present. Errors: *[EncodeError], [ErrTxDone],
// [ErrCorrupt].
func (tx *Tx[K, V]) Has(key K) (bool, error) {
	k, err := tx.encode(key)
	if err != nil {
		return false, err
	}
	if op, known := tx.t.Pending(k); known {
		return op != nil, nil
	}
	_, err = tx.t.Read(k)
	ok, err := present(err)
	return ok, tx.fail(err)
}

// Set stores a value when the transaction commits. Errors: *[EncodeError],
// [ErrTxDone].
func (tx *Tx[K, V]) Set(key K, v V) error {
	k, err := tx.encode(key)
	if err != nil {
		return err
	}
	if tree, ok := tx.m.tree(v); ok {
		return tx.fail(tx.m.putTree(tx.t, k, tree, 0))
	}
	raw, err := tx.m.values.codec.Append(nil, v)
	if err != nil {
		return tx.fail(unencodable(key, err))
	}
	tx.t.Write(record.Op{Kind: record.Put, Dict: tx.m.number(), Key: []byte(k.Str), Value: raw})
	return nil
}

// Delete removes a key when the transaction commits, and reports whether it is
// present now. Errors: *[EncodeError], [ErrTxDone], [ErrCorrupt].
func (tx *Tx[K, V]) Delete(key K) (existed bool, err error) {
	existed, err = tx.Has(key)
	if err != nil || !existed {
		return false, err
	}
	k, err := tx.encode(key)
	if err != nil {
		return false, err
	}
	tx.t.Write(record.Op{Kind: record.Delete, Dict: tx.m.number(), Key: []byte(k.Str)})
	return true, nil
}

// Clear removes everything when the transaction commits, what it has written
// before included. Errors: [ErrTxDone].
func (tx *Tx[K, V]) Clear() error {
	if err := tx.usable(); err != nil {
		return err
	}
	tx.t.Write(record.Op{Kind: record.Clear, Dict: tx.m.number()})
	return nil
}

// Len is the number of entries. Errors: [ErrTxDone], [ErrCorrupt].
func (tx *Tx[K, V]) Len() (int, error) {
	if err := tx.usable(); err != nil {
		return 0, err
	}
	n, err := tx.t.Count(tx.m.number())
	return n, tx.fail(err)
}

// All returns the entries, in no particular order, with what the transaction
// itself has done. If it stops early because of an error, [Map.Update] returns
// it. The loop's body may write; whether the iteration shows that is open.
func (tx *Tx[K, V]) All() iter.Seq2[K, V] { return pairs(tx.Entries(), &tx.err) }

// Entries is All with all there is to know of each entry. An error is the last
// thing it yields.
func (tx *Tx[K, V]) Entries() iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) {
		if err := tx.usable(); err != nil {
			yield(Entry[K, V]{}, err)
			return
		}
		tx.t.ReadAll()
		for _, p := range tx.t.Written(tx.m.number()) {
			key, err := tx.m.keys.DecodeBytes(p.Key)
			if err != nil { // then there is no key to name
				yield(Entry[K, V]{}, tx.fail(err))
				return
			}
			var v V
			if p.Nested {
				v, err = tx.m.dictionary(tx.t, key, replica.Nested(0, string(p.Value)))
			} else {
				v, err = tx.m.values.codec.Decode(p.Value)
			}
			if err != nil {
				yield(Entry[K, V]{}, tx.fail(named(key, err)))
				return
			}
			if !yield(Entry[K, V]{Key: key, Value: v}, nil) {
				return
			}
		}
		tx.m.entries(tx.t.View, tx.t.Covered, func(e Entry[K, V], err error) bool {
			return yield(e, tx.fail(err))
		})
	}
}

// Op says what [Map.Compute] is to do.
type Op uint8

// What a function given to [Map.Compute] may ask for.
const (
	Keep  Op = 0 // leave everything as it is
	Store Op = 1 // store the value that was returned
	Drop  Op = 2 // remove the key
)

// Compute replaces the value of one key by what fn makes of it, atomically. fn
// is given the present value, or ok false where there is none, and may run
// again, as in [Map.Update]; old is its own. Compute returns the value that is
// stored when it is done, the zero value if there is none.
//
// Errors: *[TypeError] if the present value is no V, the context's; otherwise
// as [Map.Set].
func (m *Map[K, V]) Compute(ctx context.Context, key K, fn func(old V, ok bool) (V, Op)) (V, error) {
	var stored V
	err := m.Update(ctx, func(tx *Tx[K, V]) error {
		var zero V
		old, err := tx.Get(key)
		ok := err == nil
		if !ok && !errors.Is(err, ErrNotFound) {
			return err
		}
		v, op := fn(old, ok)
		switch op {
		case Store:
			stored = v
			return tx.Set(key, v)
		case Drop:
			stored = zero
			_, err := tx.Delete(key)
			return err
		case Keep:
			stored = old
			return nil
		default:
			return errors.New("ultradict: Compute: function returned an unknown Op")
		}
	})
	if err != nil {
		var zero V
		return zero, err
	}
	return stored, nil
}
