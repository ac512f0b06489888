package ultradict_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/ultradict"
)

// TestFullAtEachAllocation leaves a file system with exactly k free pages, for
// many k, so that every allocation of every operation is the first that fails:
// only ErrNoSpace comes of it, what was there stays, it works again when there
// is room, and nothing is left behind. Every k up to 64:
//
//	ULTRADICT_FULL=all go test -run TestFullAtEachAllocation ./ultradict
func TestFullAtEachAllocation(t *testing.T) {
	dir := smallFileSystem(t, "4M")
	free := func() uint64 {
		var st unix.Statfs_t
		require.NoError(t, unix.Statfs(dir, &st))
		return st.Bavail
	}
	empty := free()
	ks := []uint64{0, 1, 2, 3, 4, 5, 8, 20, 38, 39, 40, 41, 64}
	if testing.Short() {
		ks = []uint64{0, 3, 40, 64}
	}
	if os.Getenv("ULTRADICT_FULL") == "all" {
		ks = nil
		for k := range uint64(65) {
			ks = append(ks, k)
		}
	}
	for _, k := range ks {
		full := &fullRun{t: t, dir: dir, opts: []ultradict.Option{ultradict.WithDir(filepath.Join(dir, "root")), ultradict.WithStreamSize(4 << 10), ultradict.WithLockTimeout(100 * time.Millisecond)}}
		full.prepare()
		ballast := filepath.Join(dir, "ballast")
		f, err := os.Create(ballast)
		require.NoError(t, err)
		for tries := 0; free() != k; tries++ { // background work may be under way
			require.Less(t, tries, 300)
			var st unix.Stat_t
			require.NoError(t, unix.Fstat(int(f.Fd()), &st))
			size := st.Blocks*512 + (int64(free())-int64(k))*4096
			require.NoError(t, f.Truncate(size))
			_ = unix.Fallocate(int(f.Fd()), 0, 0, size) // looked at above
			time.Sleep(10 * time.Millisecond)
		}
		full.run(fmt.Sprintf("%d free pages", k))
		require.NoError(t, f.Close())
		require.NoError(t, os.Remove(ballast))
		full.recover()
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "root")))
		for range 100 { // the mappings of what is closed go with a collection
			if collect(); free() == empty {
				break
			}
		}
		require.Equal(t, empty, free(), "%d free pages: something is left behind", k)
	}
}

// TestFullOfFiles is the same for a file system that has room for no more files.
func TestFullOfFiles(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4M,nr_inodes=40,mode=0700"); err != nil {
		t.Skipf("mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	free := func() uint64 {
		var st unix.Statfs_t
		require.NoError(t, unix.Statfs(dir, &st))
		return st.Ffree
	}
	empty := free()
	for k := range 5 {
		full := &fullRun{t: t, dir: dir, opts: []ultradict.Option{ultradict.WithDir(filepath.Join(dir, "root")), ultradict.WithStreamSize(4 << 10), ultradict.WithLockTimeout(100 * time.Millisecond)}}
		full.prepare()
		var taken []string
		for i := 0; ; i++ {
			name := filepath.Join(dir, fmt.Sprint("taken", i))
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				require.ErrorIs(t, err, unix.ENOSPC)
				break
			}
			taken = append(taken, name)
		}
		require.GreaterOrEqual(t, len(taken), k)
		for i := range k {
			require.NoError(t, os.Remove(taken[i]))
		}
		full.run(fmt.Sprintf("%d free files", k))
		for _, name := range taken[k:] {
			require.NoError(t, os.Remove(name))
		}
		full.recover()
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "root")))
		for range 100 { // the mappings of what is closed go with a collection
			if collect(); free() == empty {
				break
			}
		}
		require.Equal(t, empty, free(), "%d free files: something is left behind", k)
	}
}

// fullRun is a dictionary in a file system that becomes full.
type fullRun struct {
	t    *testing.T
	dir  string
	opts []ultradict.Option
	d    *ultradict.Dict
	want map[string]any
}

func (f *fullRun) prepare() {
	t := f.t
	var err error
	f.d, err = ultradict.Open("test", f.opts...)
	require.NoError(t, err)
	other, err := ultradict.Open("other", f.opts...)
	require.NoError(t, err)
	require.NoError(t, other.Close())
	f.want = map[string]any{"large": strings.Repeat("l", 3000)}
	require.NoError(t, f.d.Set("large", f.want["large"]))
	for i := range 60 { // makes layers
		k := fmt.Sprint("k", i%20)
		f.want[k] = fmt.Sprint(i, strings.Repeat("v", 50))
		require.NoError(t, f.d.Set(k, f.want[k]))
	}
}

// run does everything that allocates.
func (f *fullRun) run(what string) {
	t := f.t
	failures := 0
	only := func(doing string, err error) bool {
		if err != nil {
			failures++
			require.ErrorIs(t, err, ultradict.ErrNoSpace, "%s: %s", what, doing)
		}
		return err == nil
	}
	for i := range 3 {
		if k := fmt.Sprint("small", i); only("Set", f.d.Set(k, i)) {
			f.want[k] = int64(i)
		}
	}
	if comer, err := ultradict.Open("test", f.opts...); only("open", err) {
		f.check(comer, what)
		require.NoError(t, comer.Close())
	}
	if made, err := ultradict.Open("new", f.opts...); only("create", err) {
		require.NoError(t, made.Close())
		only("remove", ultradict.Remove("new", f.opts...))
	}
	for _, size := range []int{600, 20_000} {
		if v := strings.Repeat("x", size); only("large Set", f.d.Set("large", v)) {
			f.want["large"] = v
		}
	}
	if only("Update", f.d.Update(t.Context(), func(tx *ultradict.Tx[string, any]) error {
		return errors.Join(tx.Set("tx1", strings.Repeat("t", 400)), tx.Set("tx2", strings.Repeat("t", 400)))
	})) {
		f.want["tx1"], f.want["tx2"] = strings.Repeat("t", 400), strings.Repeat("t", 400)
	}
	for i := range 100 { // the stream goes round, grows, is folded
		k, v := fmt.Sprint("k", i%20), fmt.Sprint(i, strings.Repeat("w", 100))
		if !only("Set", f.d.Set(k, v)) {
			break
		}
		f.want[k] = v
	}
	if _, err := f.d.Delete("k0"); only("Delete", err) {
		delete(f.want, "k0")
	}
	f.check(f.d, what)
	only("remove", ultradict.Remove("other", f.opts...))
}

func (f *fullRun) check(d *ultradict.Dict, what string) {
	n, err := d.Len()
	require.NoError(f.t, err, what)
	require.Equal(f.t, len(f.want), n, what)
	for k, want := range f.want {
		v, err := d.Get(k)
		require.NoError(f.t, err, what)
		require.Equal(f.t, want, v, what)
	}
}

// recover is when there is room again.
func (f *fullRun) recover() {
	t := f.t
	require.NoError(t, f.d.Set("again", "v"))
	f.want["again"] = "v"
	require.NoError(t, f.d.Set("large", strings.Repeat("y", 20_000)))
	f.want["large"] = strings.Repeat("y", 20_000)
	for i := range 100 {
		k, v := fmt.Sprint("k", i%20), fmt.Sprint(i, strings.Repeat("z", 100))
		require.NoError(t, f.d.Set(k, v))
		f.want[k] = v
	}
	f.check(f.d, "afterwards")
	comer, err := ultradict.Open("test", f.opts...)
	require.NoError(t, err)
	f.check(comer, "newcomer afterwards")
	require.NoError(t, comer.Close())
	made, err := ultradict.Open("new", f.opts...)
	require.NoError(t, err)
	require.NoError(t, made.Close())
	require.NoError(t, f.d.Close())
	for _, name := range []string{"test", "new"} {
		require.NoError(t, ultradict.Remove(name, f.opts...))
	}
	if err := ultradict.Remove("other", f.opts...); err != nil {
		require.ErrorIs(t, err, ultradict.ErrNotExist)
	}
	requireNothingLeft(t, filepath.Join(f.dir, "root"))
}

// collect gives back the mappings of what nobody reaches any more.
func collect() {
	runtime.GC()
	time.Sleep(5 * time.Millisecond)
}
