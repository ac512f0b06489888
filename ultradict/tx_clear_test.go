package ultradict_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// What a transaction writes after its own Clear is there afterwards, whoever
// reads it from wherever: the replica of the writer, another's, a layer.
func TestSetAfterClearInOneTransaction(t *testing.T) {
	dir := memoryDir(t)
	a, b := open(t, dir, ultradict.WithStreamSize(4<<10)), open(t, dir)
	require.NoError(t, a.Set("old", 1))
	require.NoError(t, a.Set("both", 1))
	require.NoError(t, a.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error {
		require.NoError(t, tx.Set("before", 1))
		require.NoError(t, tx.Clear())
		require.NoError(t, tx.Set("both", 2))
		return tx.Set("new", 2)
	}))
	want := map[string]any{"both": int64(2), "new": int64(2)}
	check := func(d *ultradict.Dict) {
		t.Helper()
		got := map[string]any{}
		for e, err := range d.Entries() {
			require.NoError(t, err)
			require.Equal(t, e.Revision, e.Created, "born by the transaction")
			got[e.Key] = e.Value
		}
		require.Equal(t, want, got)
		n, err := d.Len()
		require.NoError(t, err)
		require.Equal(t, 2, n)
		for k, v := range want {
			x, err := d.Get(k)
			require.NoError(t, err, k)
			require.Equal(t, v, x)
		}
		for _, k := range []string{"old", "before"} {
			has, err := d.Has(k)
			require.NoError(t, err)
			require.False(t, has, k)
		}
	}
	check(a)
	check(b)
	check(open(t, dir))
	for range 2000 { // so that the record goes into a layer
		require.NoError(t, a.Set("new", 2))
	}
	delete(want, "new")
	_, err := a.Delete("new")
	require.NoError(t, err)
	want["x"] = int64(1)
	require.NoError(t, a.Set("x", 1))
	for _, d := range []*ultradict.Dict{a, b, open(t, dir)} {
		got := map[string]any{}
		for k, v := range d.All() {
			got[k] = v
		}
		require.Equal(t, want, got)
		v, err := d.Get("both")
		require.NoError(t, err)
		require.Equal(t, int64(2), v)
	}
}
