package ultradict_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// endsWith checks that every method returns one of the errors.
func endsWith(t *testing.T, d *ultradict.Dict, want ...error) {
	t.Helper()
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"Get":    func() error { _, err := d.Get("k"); return err },
		"miss":   func() error { _, err := d.Get("no such key"); return err },
		"Has":    func() error { _, err := d.Has("k"); return err },
		"Set":    func() error { return d.Set("k", 1) },
		"large":  func() error { return d.Set("k", make([]byte, 1<<20)) },
		"Delete": func() error { _, err := d.Delete("k"); return err },
		"Clear":  d.Clear,
		"Len":    func() error { _, err := d.Len(); return err },
		"Sync":   d.Sync,
		"Status": func() error { _, err := d.Status(); return err },
		"View":   func() error { return d.View(func(*ultradict.View[string, any]) error { return errors.New("called") }) },
		"Update": func() error {
			return d.Update(ctx, func(tx *ultradict.Tx[string, any]) error { return tx.Set("k", 1) })
		},
		"Compute": func() error {
			_, err := d.Compute(ctx, "k", func(any, bool) (any, ultradict.Op) { return 1, ultradict.Store })
			return err
		},
		"Entries": func() error {
			var last error
			for _, err := range d.Entries() {
				last = err
			}
			return last
		},
	} {
		err := call()
		require.Error(t, err, name)
		found := false
		for _, w := range want {
			found = found || errors.Is(err, w)
		}
		require.True(t, found, "%s: %v", name, err)
	}
	for range d.All() {
		require.Fail(t, "All yields an entry")
	}
	for range d.Keys() {
		require.Fail(t, "Keys yields a key")
	}
}

func TestClosedHandle(t *testing.T) {
	dir := t.TempDir()
	d, other := open(t, dir), open(t, dir)
	require.NoError(t, d.Set("k", 1))
	require.NoError(t, d.Close())
	require.NoError(t, d.Close(), "idempotent")
	endsWith(t, d, ultradict.ErrClosed)
	_, err := d.Peek("k")
	require.ErrorIs(t, err, ultradict.ErrClosed)
	v, err := other.Get("k")
	require.NoError(t, err)
	require.Equal(t, int64(1), v)
}

// A view and a transaction that are used after their function returned do no
// harm.
func TestViewAndTxAfterTheirEnd(t *testing.T) {
	d := open(t, t.TempDir())
	require.NoError(t, d.Set("k", 1))
	var v *ultradict.View[string, any]
	require.NoError(t, d.View(func(x *ultradict.View[string, any]) error { v = x; return nil }))
	var tx *ultradict.Tx[string, any]
	require.NoError(t, d.Update(context.Background(), func(x *ultradict.Tx[string, any]) error { tx = x; return nil }))
	for name, call := range map[string]func() error{
		"View.Get":   func() error { _, err := v.Get("k"); return err },
		"View.Has":   func() error { _, err := v.Has("k"); return err },
		"View.Len":   func() error { _, err := v.Len(); return err },
		"View.All":   func() (last error) { return lastOf(v.Entries()) },
		"Tx.Get":     func() error { _, err := tx.Get("k"); return err },
		"Tx.Has":     func() error { _, err := tx.Has("k"); return err },
		"Tx.Set":     func() error { return tx.Set("k", 2) },
		"Tx.Delete":  func() error { _, err := tx.Delete("k"); return err },
		"Tx.Clear":   func() error { return tx.Clear() },
		"Tx.Len":     func() error { _, err := tx.Len(); return err },
		"Tx.Entries": func() error { return lastOf(tx.Entries()) },
	} {
		require.ErrorIs(t, call(), ultradict.ErrTxDone, name)
	}
	x, err := d.Get("k")
	require.NoError(t, err)
	require.Equal(t, int64(1), x)
}

// lastOf is the error that an iteration ends with.
func lastOf(entries func(func(ultradict.Entry[string, any], error) bool)) (last error) {
	for _, err := range entries {
		last = err
	}
	return last
}
