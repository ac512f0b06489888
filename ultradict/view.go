package ultradict

import (
	"iter"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/value"
)

// View shows the dictionary as of one position, see [Map.View]. It is good
// until the function that it was given to returns, and for one goroutine at a
// time.
type View[K comparable, V any] struct {
	m *Map[K, V]
	v *core.View
	*session
}

// session is what the views of one call of Map.View share, or the transactions of one
// call of Map.Update: a nested dictionary has its own.
type session struct {
	done bool
	err  error // the first failure; becomes the result
}

// View calls fn with a view of everything that was committed before the call.
// However long fn takes, it sees one position, and holds up nobody; what it
// sees and others replace meanwhile stays in memory for it. View returns what fn
// returns, or else the error at which an iteration in it stopped.
//
// Errors: [ErrClosed], [ErrRemoved], [ErrCorrupt]; with [ReadOnly] also
// [ErrViewLost].
func (m *Map[K, V]) View(fn func(*View[K, V]) error) error {
	cv, err := m.view()
	if err != nil {
		return err
	}
	v := &View[K, V]{m, cv, &session{}}
	defer func() {
		v.done = true
		cv.Close()
	}()
	if err := fn(v); err != nil {
		return err
	}
	return v.err
}

// Revision is the position that the view shows.
func (v *View[K, V]) Revision() uint64 { return v.v.Position() }

// Get returns the value of a key. It is shared with this process's replica: do
// not change it. Errors: bare [ErrNotFound], *[TypeError], [ErrTxDone],
// [ErrCorrupt].
func (v *View[K, V]) Get(key K) (V, error) {
	var zero V
	if v.done {
		return zero, ErrTxDone
	}
	var buf value.KeyBuf
	ver, err := v.v.Get(v.m.key(&key, &buf), &v.m.reader)
	if err != nil {
		return zero, named(key, err)
	}
	return v.m.result(v.v, key, ver, nil)
}

// Has reports whether a key is present. Errors: [ErrTxDone], [ErrCorrupt].
func (v *View[K, V]) Has(key K) (bool, error) {
	if v.done {
		return false, ErrTxDone
	}
	var buf value.KeyBuf
	_, err := v.v.Version(v.m.key(&key, &buf))
	return present(err)
}

// present turns ErrNotFound into an answer.
func present(err error) (bool, error) {
	if err == ErrNotFound {
		return false, nil
	}
	return err == nil, err
}

// Len is the number of entries. Errors: [ErrTxDone], [ErrCorrupt].
func (v *View[K, V]) Len() (int, error) {
	if v.done {
		return 0, ErrTxDone
	}
	return v.v.Len(v.m.number())
}

// All returns the entries, in no particular order. If it stops early because
// of an error, that is what [Map.View] returns, unless fn returns another.
func (v *View[K, V]) All() iter.Seq2[K, V] { return pairs(v.Entries(), &v.err) }

// Entries is All with all there is to know of each entry. An error is the last
// thing it yields.
func (v *View[K, V]) Entries() iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) {
		if v.done {
			yield(Entry[K, V]{}, ErrTxDone)
			return
		}
		v.m.entries(v.v, nil, yield)
	}
}

// pairs reduces entries to keys and values, and keeps the first error.
func pairs[K comparable, V any](entries iter.Seq2[Entry[K, V], error], sticky *error) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for e, err := range entries {
			if err != nil {
				if *sticky == nil {
					*sticky = err
				}
				return
			}
			if !yield(e.Key, e.Value) {
				return
			}
		}
	}
}
