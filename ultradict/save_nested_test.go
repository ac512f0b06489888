package ultradict_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// Nested dictionaries of any kind, and times to live, are saved and restored: into the
// dictionary itself, into another, into a nested one, and at Open.
func TestSaveOfNestedAndExpiring(t *testing.T) {
	ctx := context.Background()
	dir, saves := memoryDir(t), t.TempDir()
	path := filepath.Join(saves, "one.save")
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	require.NoError(t, d.Set("n", 1))
	require.NoError(t, dictOf(t, d, "a", "b").Set("deep", strings.Repeat("x", 100_000)))
	require.NoError(t, dictOf(t, d, "a").Set("k", "v"))
	dictOf(t, d, "empty")
	jobs, err := ultradict.Nested[int, job](d, "jobs")
	require.NoError(t, err)
	require.NoError(t, jobs.Set(7, job{"seven", 7}))
	require.NoError(t, d.SetWithTTL("hour", "h", time.Hour))
	require.NoError(t, dictOf(t, d, "a").SetWithTTL("large", strings.Repeat("y", 100_000), time.Hour))
	require.NoError(t, d.SetWithTTL("gone", 1, time.Nanosecond))
	require.NoError(t, d.Save(ctx, path))

	check := func(d *ultradict.Dict) {
		t.Helper()
		jobs, err := ultradict.Nested[int, job](d, "jobs")
		require.NoError(t, err)
		j, err := jobs.Get(7)
		require.NoError(t, err)
		require.Equal(t, job{"seven", 7}, j)
		p := plain(t, dictOf(t, d, "a"))
		require.Equal(t, strings.Repeat("x", 100_000), p["b"].(map[string]any)["deep"])
		require.Equal(t, "v", p["k"])
		n, err := d.Len()
		require.NoError(t, err)
		require.Equal(t, 5, n)
		for _, at := range []struct {
			d   *ultradict.Dict
			key string
		}{{d, "hour"}, {dictOf(t, d, "a"), "large"}} {
			ttl, err := at.d.TTL(at.key)
			require.NoError(t, err)
			require.Greater(t, ttl, 50*time.Minute)
			require.LessOrEqual(t, ttl, time.Hour)
		}
		_, err = d.Get("gone")
		require.ErrorIs(t, err, ultradict.ErrNotFound)
	}
	old := dictOf(t, d, "a", "b")
	require.NoError(t, dictOf(t, d, "later").Set("k", 1))
	require.NoError(t, d.Restore(ctx, path))
	check(d)
	requireGone(t, old, ultradict.ErrRemoved)
	requireHealthy(t, dir)

	otherDir := memoryDir(t)
	other := open(t, otherDir)
	require.NoError(t, other.Restore(ctx, path))
	check(other)
	below := dictOf(t, other, "copy", "of it")
	require.NoError(t, below.Restore(ctx, path))
	check(below)
	check2 := plain(t, dictOf(t, other, "a"))
	require.Len(t, check2, 3)
	requireHealthy(t, otherDir)

	// A nested dictionary is saved alone, or some keys are.
	require.NoError(t, dictOf(t, d, "a").Save(ctx, path))
	require.NoError(t, below.Restore(ctx, path))
	require.Equal(t, plain(t, dictOf(t, d, "a")), plain(t, below))
	require.NoError(t, d.Save(ctx, path, ultradict.SomeKeys("a", "n")))
	require.NoError(t, below.Clear())
	require.NoError(t, below.Restore(ctx, path))
	require.Equal(t, []string{"a", "n"}, sortedKeys(plain(t, below)))
	require.NoError(t, d.Save(ctx, path))
	require.NoError(t, below.Clear())
	require.NoError(t, below.Restore(ctx, path, ultradict.SomeKeys("n", "empty")))
	require.Equal(t, map[string]any{"n": int64(1), "empty": map[string]any{}}, plain(t, below))
	requireHealthy(t, otherDir)

	// Any flipped bit is noticed, and changes nothing.
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	before := plain(t, below)
	for at := 0; at < len(whole); at += 1 + len(whole)/300 {
		broken := append([]byte(nil), whole...)
		broken[at] ^= 1 << (at % 8)
		require.NoError(t, os.WriteFile(path, broken, 0o600))
		var damage *ultradict.SaveError
		require.ErrorAs(t, below.Restore(ctx, path), &damage)
	}
	require.Equal(t, before, plain(t, below))
}

func TestNestedAfterAReboot(t *testing.T) {
	dir, saves := memoryDir(t), t.TempDir()
	persistent := ultradict.WithPersistence(saves, time.Hour)
	d, err := ultradict.Open("test", ultradict.WithDir(dir), persistent)
	require.NoError(t, err)
	require.NoError(t, dictOf(t, d, "a", "b").Set("k", "v"))
	require.NoError(t, dictOf(t, d, "a").SetWithTTL("hour", 1, time.Hour))
	require.NoError(t, dictOf(t, d, "a").SetWithTTL("soon", 1, 400*time.Millisecond))
	require.NoError(t, d.Close())
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "test")))

	d = open(t, dir, persistent)
	require.Equal(t, "v", plain(t, dictOf(t, d, "a", "b"))["k"])
	ttl, err := dictOf(t, d, "a").TTL("hour")
	require.NoError(t, err)
	require.Greater(t, ttl, 50*time.Minute)
	a := dictOf(t, d, "a")
	require.Eventually(t, func() bool { n, err := a.Len(); return err == nil && n == 2 }, 20*time.Second, 5*time.Millisecond, "swept here too")
	require.NoError(t, d.Set("a", 1))
	requireGone(t, a, ultradict.ErrRemoved)
	require.NoError(t, dictOf(t, d, "c").Set("k", 1))
	requireHealthy(t, dir)
}
