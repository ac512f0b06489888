package ultradict_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// churn writes so much that the stream goes round several times, and layers
// are published and merged.
func churn(t testing.TB, d *ultradict.Dict, rounds int) {
	t.Helper()
	for i := range rounds * 200 {
		require.NoError(t, d.Set(fmt.Sprint("churn", i%50), i))
	}
}

// Two views of one handle: the older one must not make the sweep believe that
// nothing younger is needed.
func TestOlderViewDoesNotCostAYoungerOneItsBody(t *testing.T) {
	dir := memoryDir(t)
	a, b := open(t, dir, ultradict.WithStreamSize(4<<10)), open(t, dir)
	require.NoError(t, a.Set("big", "small"))
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	require.NoError(t, a.View(func(older *ultradict.View[string, any]) error {
		require.NoError(t, b.Set("big", big))
		return a.View(func(younger *ultradict.View[string, any]) error {
			require.NoError(t, b.Set("big", "small again"))
			for range 5 {
				churn(t, b, 10)
				swept(t, b)
			}
			v, err := younger.Get("big")
			require.NoError(t, err)
			require.Equal(t, big, v)
			v, err = older.Get("big")
			require.NoError(t, err)
			require.Equal(t, "small", v)
			return nil
		})
	}))
}

// swept gives background work its turn.
func swept(t testing.TB, d *ultradict.Dict) {
	t.Helper()
	require.NoError(t, d.Sync())
	pause()
}

// A view that stays open while one key is written many times costs the writers
// nothing that grows with their number.
func TestWritesUnderAnOpenViewStayCheap(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	require.NoError(t, d.Set("hot", -1))
	require.NoError(t, d.View(func(v *ultradict.View[string, any]) error {
		const n = 300_000 // a walk over all versions at each write would take minutes
		for i := range n {
			require.NoError(t, d.Set("hot", i))
		}
		x, err := v.Get("hot")
		require.NoError(t, err)
		require.Equal(t, int64(-1), x)
		return nil
	}))
}

// A view of a handle that cannot pin shows what it showed, or says that it can
// no longer; it never shows anything else.
func TestViewOfAReadOnlyHandle(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	big := strings.Repeat("0123456789abcdef", 1<<10)
	for i := range 20 {
		require.NoError(t, d.Set(fmt.Sprint("big", i), fmt.Sprint(i, big)))
		require.NoError(t, d.Set(fmt.Sprint("small", i), i))
	}
	ro := open(t, dir, ultradict.ReadOnly())
	lost := 0
	require.NoError(t, ro.View(func(v *ultradict.View[string, any]) error {
		for i := range 20 {
			require.NoError(t, d.Set(fmt.Sprint("big", i), "other"))
			require.NoError(t, d.Set(fmt.Sprint("small", i), "other"))
		}
		for range 3 {
			churn(t, d, 10)
			swept(t, d)
		}
		for i := range 20 {
			x, err := v.Get(fmt.Sprint("small", i))
			require.NoError(t, err, "what is no body is in the replica's layers")
			require.Equal(t, int64(i), x)
			x, err = v.Get(fmt.Sprint("big", i))
			if errors.Is(err, ultradict.ErrViewLost) {
				lost++
				continue
			}
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i, big), x)
		}
		// An iteration comes to one that is lost, and says the same.
		var last error
		for _, err := range v.Entries() {
			last = err
		}
		if lost > 0 {
			require.ErrorIs(t, last, ultradict.ErrViewLost)
			require.NotErrorIs(t, last, ultradict.ErrCorrupt)
		}
		return nil
	}))
	t.Logf("%d of 20 large values were lost", lost)
	for i := range 20 {
		x, err := ro.Get(fmt.Sprint("big", i))
		require.NoError(t, err)
		require.Equal(t, "other", x)
	}
}
