package ultradict

import (
	"context"
	"errors"
)

// Wait returns the value of a key as soon as there is one, which may be at once. While
// nobody writes, whoever waits costs next to nothing; the first goroutine of a handle
// that does occupies a thread. The value is shared, as that of [Map.Get].
//
// Through a read-only handle it looks every 10 ms.
//
// Errors: the context's; otherwise as [Map.Get], but for [ErrNotFound].
func (m *Map[K, V]) Wait(ctx context.Context, key K) (V, error) {
	return m.WaitFor(ctx, key, func(V) bool { return true })
}

// WaitFor is [Map.Wait] for a value that ok accepts. ok is asked about the value that
// is there when WaitFor looks: values that were replaced before that are not seen, and
// one that stays may be asked about again. It must not change the value.
func (m *Map[K, V]) WaitFor(ctx context.Context, key K, ok func(V) bool) (V, error) {
	var zero V
	for {
		// The position comes first: what is committed after it ends the sleep.
		position, err := m.d.Position()
		if err != nil {
			return zero, err
		}
		v, err := m.Get(key)
		if err == nil && ok(v) {
			return v, nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return zero, err
		}
		if err := m.d.Await(ctx, position); err != nil {
			return zero, err
		}
	}
}
