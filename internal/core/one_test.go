package core

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
)

// A value with a body of its own may be replaced, and the body swept, between the
// look-up and the reading of it: then the decision is made again.
func TestModifyWhileTheBodyGoes(t *testing.T) {
	cfg := testConfig(t.TempDir())
	a, b := openDict(t, cfg), openDict(t, cfg)
	ctx := context.Background()
	_, err := a.Write(ctx, []record.Op{putOp("k", strings.Repeat("1", 100_000))}, nil)
	require.NoError(t, err)
	_, err = b.Sync()
	require.NoError(t, err)
	buf := GetBuffer()
	defer buf.Release()
	var seen []string
	revision, err := b.Modify(buf, replica.Key{Str: "k"}, func(v *replica.Version) (Change, error) {
		if len(seen) == 0 {
			_, err := a.Write(ctx, []record.Op{putOp("k", strings.Repeat("2", 100_000))}, nil)
			require.NoError(t, err)
			require.True(t, a.foldUpTo(ctx, a.str.Head()))
			_, err = a.sweep()
			require.NoError(t, err)
			runtime.GC() // of b's mapping, which would do as well
			seen = append(seen, "gone")
			_, err = b.Raw(v)
			require.Error(t, err)
			return Change{}, err
		}
		raw, err := b.Raw(v)
		require.NoError(t, err)
		seen = append(seen, raw)
		return Change{Kind: record.Delete}, nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{"gone", strings.Repeat("2", 100_000)}, seen)
	s, err := a.Sync()
	require.NoError(t, err)
	require.Equal(t, revision, s.Applied())
	_, err = a.get(replica.Key{Str: "k"}, reader, true)
	require.Error(t, err)
}

// What decide reports is what Modify returns, and nothing is committed.
func TestModifyThatFails(t *testing.T) {
	d := openDict(t, testConfig(t.TempDir()))
	_, err := d.Write(context.Background(), []record.Op{putOp("k", strings.Repeat("1", 100_000))}, nil)
	require.NoError(t, err)
	head := d.str.Head()
	buf := GetBuffer()
	defer buf.Release()
	asked := 0
	_, err = d.Modify(buf, replica.Key{Str: "k"}, func(*replica.Version) (Change, error) {
		asked++
		return Change{Kind: record.Delete}, context.Canceled
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, asked)
	require.Equal(t, head, d.str.Head())
}
