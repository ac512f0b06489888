package ultradict_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

// smallFileSystem mounts a tmpfs of the given size.
func smallFileSystem(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=0700"); err != nil {
		t.Skipf("mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// fill sets keys until there is no space, and returns how many there are.
func fill(t *testing.T, d *ultradict.Dict, size, most int) int {
	t.Helper()
	for i := range most {
		err := d.Set(fmt.Sprint("k", i), fillValue(i, size))
		if errors.Is(err, ultradict.ErrNoSpace) {
			return i
		}
		require.NoError(t, err)
	}
	require.Fail(t, "it never fills up")
	return 0
}

func fillValue(i, size int) string { return fmt.Sprint(i, strings.Repeat("x", size)) }

// requireFilled checks that what was there is there.
func requireFilled(t *testing.T, d *ultradict.Dict, n, size int) {
	t.Helper()
	count, err := d.Len()
	require.NoError(t, err)
	require.Equal(t, n, count)
	for i := range n {
		v, err := d.Get(fmt.Sprint("k", i))
		require.NoError(t, err)
		require.Equal(t, fillValue(i, size), v)
	}
	seen := 0
	for _, err := range d.Entries() {
		require.NoError(t, err)
		seen++
	}
	require.Equal(t, n, seen)
}

// recovers checks that writing works again, at the latest after a while:
// memory is given back in the background.
func recovers(t *testing.T, what string, write func() error) {
	t.Helper()
	var err error
	for range 100 {
		if err = write(); err == nil {
			return
		}
		require.ErrorIs(t, err, ultradict.ErrNoSpace, what)
		time.Sleep(50 * time.Millisecond)
	}
	require.NoError(t, err, what)
}

func TestNoSpace(t *testing.T) {
	for name, room := range map[string]func(*testing.T) (string, []ultradict.Option){
		"file system": func(t *testing.T) (string, []ultradict.Option) { return smallFileSystem(t, "1M"), nil },
		"limit": func(t *testing.T) (string, []ultradict.Option) {
			return memoryDir(t), []ultradict.Option{ultradict.WithMaxBytes(1 << 20)}
		},
	} {
		for _, size := range []int{50, 50_000} {
			if testing.Short() && size == 50 {
				continue
			}
			for _, by := range []string{"Clear", "Delete"} {
				t.Run(fmt.Sprint(name, "/", size, "/", by), func(t *testing.T) {
					dir, opts := room(t)
					opts = append(opts, ultradict.WithStreamSize(4<<10), ultradict.WithLockTimeout(200*time.Millisecond))
					a, b := open(t, dir, opts...), open(t, dir, opts...)
					for range 2 {
						require.NoError(t, a.Set("k0", fillValue(0, size)))
						n := fill(t, a, size, 30_000)
						require.Positive(t, n)
						requireFilled(t, a, n, size)
						requireFilled(t, b, n, size)
						newcomer := open(t, dir, opts...)
						requireFilled(t, newcomer, n, size)
						require.NoError(t, newcomer.Close())
						if by == "Clear" {
							require.NoError(t, a.Clear())
						} else {
							for i := range n {
								_, err := b.Delete(fmt.Sprint("k", i))
								require.NoError(t, err)
							}
						}
						requireFilled(t, b, 0, size)
						require.NoError(t, b.Set("after", fillValue(0, size)))
						v, err := a.Get("after")
						require.NoError(t, err)
						require.Equal(t, fillValue(0, size), v)
						_, err = a.Delete("after")
						require.NoError(t, err)
						requireHealthy(t, dir)
					}
				})
			}
		}
	}
}

// All entries are deleted, one at a time, from a file system that is full,
// beside another process that has old layers mapped.
func TestNoSpaceBesideAnIdleProcess(t *testing.T) {
	const size = 50
	dir := smallFileSystem(t, "1M")
	d := open(t, dir, ultradict.WithStreamSize(4<<10), ultradict.WithLockTimeout(200*time.Millisecond))
	n := fill(t, d, size, 30_000)
	p := proctest.Start(t, "idle", dir)
	require.Equal(t, fmt.Sprint(n), p.Line())
	for i := range n {
		recovers(t, fmt.Sprint("Delete ", i, " of ", n), func() error { _, err := d.Delete(fmt.Sprint("k", i)); return err })
	}
	recovers(t, "Set", func() error { return d.Set("after", 1) })
	p.Send("end")
	require.Equal(t, "1", p.Line())
	require.NoError(t, p.Wait())
	requireHealthy(t, dir)
}

// Large values have files of their own, thousands of which may be made between
// two layers: they must not take the room that deletions need.
func TestLargeValuesLeaveRoom(t *testing.T) {
	const size = 100_000
	dir := smallFileSystem(t, "16M")
	d := open(t, dir, ultradict.WithLockTimeout(200*time.Millisecond))
	for i := range 3000 { // what the next layer has to take
		require.NoError(t, d.Set(fmt.Sprint("small", i), strings.Repeat("x", 100)))
	}
	for range 2 {
		n := fill(t, d, size, 1000)
		require.Positive(t, n)
		var st unix.Statfs_t
		require.NoError(t, unix.Statfs(dir, &st))
		require.Greater(t, int64(st.Bavail)*int64(st.Bsize), int64(2<<20))
		for i := range n {
			_, err := d.Delete(fmt.Sprint("k", i))
			require.NoError(t, err)
		}
		require.NoError(t, d.Set("after", "v"))
		require.NoError(t, d.Clear())
		for i := range 20_000 {
			require.NoError(t, d.Set(fmt.Sprint("small", i%3000), strings.Repeat("x", 100)))
		}
		requireHealthy(t, dir)
	}
}

// Somebody else fills the file system, and goes away again.
func TestNoSpaceBecauseOfOthers(t *testing.T) {
	dir := smallFileSystem(t, "1M")
	d := open(t, dir, ultradict.WithStreamSize(4<<10), ultradict.WithLockTimeout(200*time.Millisecond))
	require.NoError(t, d.Set("big", strings.Repeat("x", 20_000)))
	ballast := filepath.Join(dir, "ballast")
	require.Error(t, os.WriteFile(ballast, make([]byte, 2<<20), 0o600), "it is full now")
	n := fill(t, d, 100, 10_000)
	requireFilledBeside(t, d, n)
	require.ErrorIs(t, d.Set("big", strings.Repeat("y", 20_000)), ultradict.ErrNoSpace)
	_, err := ultradict.Open("another", ultradict.WithDir(dir))
	require.ErrorIs(t, err, ultradict.ErrNoSpace)
	requireFilledBeside(t, d, n)
	require.NoError(t, os.Remove(ballast))
	require.NoError(t, d.Set("more", 1))
	require.NoError(t, d.Set("big", strings.Repeat("y", 20_000)))
	for i := range 3000 {
		require.NoError(t, d.Set(fmt.Sprint("k", i%50), fillValue(i%50, 100)))
	}
	another := open(t, dir)
	v, err := another.Get("big")
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("y", 20_000), v)
	requireHealthy(t, dir)
}

func requireFilledBeside(t *testing.T, d *ultradict.Dict, n int) {
	t.Helper()
	v, err := d.Get("big")
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x", 20_000), v)
	for i := range n {
		v, err := d.Get(fmt.Sprint("k", i))
		require.NoError(t, err)
		require.Equal(t, fillValue(i, 100), v)
	}
}
