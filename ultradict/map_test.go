package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// open opens a dictionary in a directory of the test's own.
func open(t testing.TB, dir string, opts ...ultradict.Option) *ultradict.Dict {
	t.Helper()
	d, err := ultradict.Open("test", append([]ultradict.Option{ultradict.WithDir(dir)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestTwoHandlesShareOneDictionary(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	_, err := b.Get("k")
	require.Equal(t, ultradict.ErrNotFound, err, "bare")
	require.NoError(t, a.Set("k", 1))
	n, err := ultradict.As[int](b.Get("k"))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, b.Set("k", map[string]any{"x": []any{1, "two", 3.5, true, nil}}))
	v, err := a.Get("k")
	require.NoError(t, err)
	require.Equal(t, map[string]any{"x": []any{int64(1), "two", 3.5, true, nil}}, v)

	existed, err := a.Delete("k")
	require.NoError(t, err)
	require.True(t, existed)
	existed, err = b.Delete("k")
	require.NoError(t, err)
	require.False(t, existed)
	has, err := b.Has("k")
	require.NoError(t, err)
	require.False(t, has)
}

func TestRolloversMergesAndNewcomers(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, ultradict.WithStreamSize(4<<10))
	b := open(t, dir)
	const keys = 2000
	for i := range 20_000 {
		require.NoError(t, a.Set(fmt.Sprint("k", i%keys), i))
		if i%5000 == 0 {
			_, err := b.Get("k0")
			require.NoError(t, err)
		}
	}
	for _, d := range []*ultradict.Dict{a, b, open(t, dir)} {
		n, err := d.Len()
		require.NoError(t, err)
		require.Equal(t, keys, n)
		seen := 0
		for e, err := range d.Entries() {
			require.NoError(t, err)
			var k int
			_, err = fmt.Sscanf(e.Key, "k%d", &k)
			require.NoError(t, err)
			require.Equal(t, int64(18_000+k), e.Value)
			require.Less(t, e.Created, e.Revision)
			seen++
		}
		require.Equal(t, keys, seen)
	}
	s, err := a.Status()
	require.NoError(t, err)
	require.NotEmpty(t, s.Layers)
	require.EqualValues(t, 20_000, s.Commits)
	t.Logf("%+v", s)
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	d := open(t, t.TempDir())
	ctx := context.Background()
	boom := errors.New("boom")
	require.ErrorIs(t, d.Update(ctx, func(tx *ultradict.Tx[string, any]) error {
		require.NoError(t, tx.Set("a", 1))
		return boom
	}), boom)
	require.Panics(t, func() {
		_ = d.Update(ctx, func(tx *ultradict.Tx[string, any]) error {
			require.NoError(t, tx.Set("a", 1))
			panic("boom")
		})
	})
	n, err := d.Len()
	require.NoError(t, err)
	require.Zero(t, n)
	var kept *ultradict.Tx[string, any]
	require.NoError(t, d.Update(ctx, func(tx *ultradict.Tx[string, any]) error {
		kept = tx
		require.NoError(t, tx.Set("a", 1))
		v, err := tx.Get("a")
		require.NoError(t, err)
		require.Equal(t, int64(1), v)
		require.NoError(t, tx.Set("b", 2))
		existed, err := tx.Delete("a")
		require.NoError(t, err)
		require.True(t, existed)
		n, err := tx.Len()
		require.NoError(t, err)
		require.Equal(t, 1, n)
		return nil
	}))
	require.ErrorIs(t, kept.Set("c", 1), ultradict.ErrTxDone)
	_, err = d.Get("a")
	require.ErrorIs(t, err, ultradict.ErrNotFound)
	v, err := d.Get("b")
	require.NoError(t, err)
	require.Equal(t, int64(2), v)
}

func TestLargeValues(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir, ultradict.WithStreamSize(4<<10)), open(t, dir)
	for _, size := range []int{100, 400, 500, 600, 5000, 100_000, 3 << 20} {
		value := make([]byte, size)
		for i := range value {
			value[i] = byte(i * size)
		}
		require.NoError(t, a.Set("big", value))
		got, err := b.Get("big")
		require.NoError(t, err)
		require.Equal(t, value, got)
	}
	require.NoError(t, a.Clear())
	n, err := b.Len()
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	require.NoError(t, a.Set("k", 1))
	require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir)))
	_, err := a.Get("k")
	require.ErrorIs(t, err, ultradict.ErrRemoved)
	require.ErrorIs(t, a.Set("k", 2), ultradict.ErrRemoved)
	require.ErrorIs(t, ultradict.Remove("test", ultradict.WithDir(dir)), ultradict.ErrNotExist)
	b := open(t, dir)
	_, err = b.Get("k")
	require.ErrorIs(t, err, ultradict.ErrNotFound)
}
