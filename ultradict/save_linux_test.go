package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// held is all that a dictionary holds.
func held[K comparable, V any](t testing.TB, m *ultradict.Map[K, V]) map[K]V {
	t.Helper()
	all := map[K]V{}
	for e, err := range m.Entries() {
		require.NoError(t, err)
		all[e.Key] = e.Value
	}
	n, err := m.Len()
	require.NoError(t, err)
	require.Len(t, all, n)
	return all
}

// onlyFile checks that there is nothing else in a directory.
func onlyFiles(t testing.TB, dir string, want ...string) {
	t.Helper()
	var names []string
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, want, names)
}

func TestSaveAndRestore(t *testing.T) {
	dir, files := memoryDir(t), t.TempDir()
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	want := map[string]any{}
	for i := range 300 {
		k := fmt.Sprint("key", i)
		switch i % 7 {
		case 0:
			want[k] = int64(i)
		case 1:
			want[k] = float64(i)
		case 2:
			want[k] = strings.Repeat("text", i)
		case 3:
			want[k] = []any{int64(1), "two", nil, map[string]any{"x": true}}
		case 4:
			want[k] = nil
		case 5:
			want[k] = time.Unix(1700000000, int64(i)).UTC()
		case 6:
			want[k] = []byte(strings.Repeat("b", 40*i)) // large ones go into bodies
		}
		require.NoError(t, d.Set(k, want[k]))
	}
	for i := range 50 {
		k := fmt.Sprint("key", i)
		_, err := d.Delete(k)
		require.NoError(t, err)
		delete(want, k)
	}
	file := filepath.Join(files, "all.save")
	require.NoError(t, d.Save(t.Context(), file))
	onlyFiles(t, files, "all.save")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	saved, err := ultradict.CheckSave(file)
	require.NoError(t, err)
	st, err := d.Status()
	require.NoError(t, err)
	require.Equal(t, ultradict.SaveInfo{Codec: "cbor", KeyKind: "string", Instance: st.Instance, Revision: st.Head,
		Saved: saved.Saved, Entries: uint64(len(want)), Dicts: 1, Bytes: info.Size()}, saved)
	require.WithinDuration(t, time.Now(), saved.Saved, time.Minute)

	// What is there goes, what was there comes, at one moment.
	require.NoError(t, d.Clear())
	require.NoError(t, d.Set("later", 1))
	other := open(t, dir)
	before, err := d.Status()
	require.NoError(t, err)
	require.NoError(t, d.Restore(t.Context(), file))
	require.Equal(t, want, held(t, d))
	require.Equal(t, want, held(t, other))
	after, err := d.Status()
	require.NoError(t, err)
	require.Equal(t, before.Commits+1, after.Commits, "one commit")
	requireHealthy(t, dir)

	// Into another dictionary as well, and through a read-only handle.
	second, err := ultradict.Open("second", ultradict.WithDir(dir))
	require.NoError(t, err)
	defer second.Close()
	require.NoError(t, second.Restore(t.Context(), file))
	require.Equal(t, want, held(t, second))
	reader := open(t, dir, ultradict.ReadOnly())
	again := filepath.Join(files, "again.save")
	require.NoError(t, reader.Save(t.Context(), again, ultradict.SaveMode(0o640)))
	info, err = os.Stat(again)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), info.Mode())
	require.NoError(t, second.Clear())
	require.NoError(t, second.Restore(t.Context(), again))
	require.Equal(t, want, held(t, second))
	require.ErrorIs(t, reader.Restore(t.Context(), again), ultradict.ErrReadOnly)
}

// A handle that reads integers as floating-point numbers saves what was stored.
func TestSaveKeepsWhatOthersStored(t *testing.T) {
	dir, files := memoryDir(t), t.TempDir()
	floats, err := ultradict.OpenMap[string, float64]("test", ultradict.WithDir(dir))
	require.NoError(t, err)
	defer floats.Close()
	d := open(t, dir)
	require.NoError(t, d.Set("n", 7))
	n, err := floats.Get("n")
	require.NoError(t, err)
	require.Equal(t, 7.0, n)
	file := filepath.Join(files, "f")
	require.NoError(t, floats.Save(t.Context(), file))
	require.NoError(t, floats.Restore(t.Context(), file))
	v, err := d.Get("n")
	require.NoError(t, err)
	require.Equal(t, int64(7), v)
}

func TestSaveOtherKeys(t *testing.T) {
	type place struct {
		Host string
		Port uint16
	}
	dir, file := memoryDir(t), filepath.Join(t.TempDir(), "f")
	m, err := ultradict.OpenMap[place, []string]("test", ultradict.WithDir(dir))
	require.NoError(t, err)
	defer m.Close()
	want := map[place][]string{{"a", 1}: {"x"}, {"b", 2}: {"y", "z"}, {"", 0}: {}}
	for k, v := range want {
		require.NoError(t, m.Set(k, v))
	}
	require.NoError(t, m.Save(t.Context(), file))
	require.NoError(t, m.Clear())
	require.NoError(t, m.Restore(t.Context(), file, ultradict.SomeKeys(place{"b", 2})))
	require.Equal(t, map[place][]string{{"b", 2}: {"y", "z"}}, held(t, m))
	require.NoError(t, m.Restore(t.Context(), file))
	require.Equal(t, want, held(t, m))
	require.ErrorIs(t, m.Save(t.Context(), file, ultradict.KeyPrefix("a")), ultradict.ErrInvalidOption)
	require.ErrorIs(t, m.Save(t.Context(), file, ultradict.SomeKeys("a")), ultradict.ErrInvalidOption)
}

func TestSaveSomeKeys(t *testing.T) {
	dir, files := memoryDir(t), t.TempDir()
	d := open(t, dir)
	fill := func(names ...string) {
		require.NoError(t, d.Clear())
		for _, name := range names {
			require.NoError(t, d.Set(name, "old "+name))
		}
	}
	old := func(names ...string) map[string]any {
		m := map[string]any{}
		for _, name := range names {
			m[name] = "old " + name
		}
		return m
	}
	save := func(name string, opts ...ultradict.SaveOption) string {
		file := filepath.Join(files, name)
		require.NoError(t, d.Save(t.Context(), file, opts...))
		info, err := ultradict.CheckSave(file)
		require.NoError(t, err)
		require.Equal(t, len(opts) > 0, info.Partial)
		return file
	}
	fill("a1", "a2", "b1", "b2", "c")
	whole := save("whole")
	as := save("as", ultradict.KeyPrefix("a"))
	mixed := save("mixed", ultradict.KeyPrefix("b"), ultradict.SomeKeys("c", "missing", "c"))
	one := save("one", ultradict.SomeKeys("c", "missing"))

	restore := func(file string, opts ...ultradict.SaveOption) map[string]any {
		require.NoError(t, d.Clear())
		for _, name := range []string{"a1", "a3", "c", "d", "missing"} {
			require.NoError(t, d.Set(name, "new"))
		}
		require.NoError(t, d.Restore(t.Context(), file, opts...))
		return held(t, d)
	}
	with := func(m map[string]any, names ...string) map[string]any {
		for _, name := range names {
			m[name] = "new"
		}
		return m
	}
	require.Equal(t, old("a1", "a2", "b1", "b2", "c"), restore(whole))
	// Of what is selected the rest goes, because the save says that it was not there.
	require.Equal(t, with(old("a1", "a2"), "c", "d", "missing"), restore(whole, ultradict.KeyPrefix("a")))
	require.Equal(t, with(old("c"), "a1", "a3", "d"), restore(whole, ultradict.SomeKeys("c", "missing")))
	require.Equal(t, with(old("a1", "a2", "c"), "d"), restore(whole, ultradict.KeyPrefix("a"), ultradict.SomeKeys("c", "missing")))
	// A save of some keys says nothing of others.
	require.Equal(t, with(old("a1", "a2"), "a3", "c", "d", "missing"), restore(as))
	require.Equal(t, with(old("b1", "b2", "c"), "a1", "a3", "d", "missing"), restore(mixed))
	require.Equal(t, with(old("c"), "a1", "a3", "d", "missing"), restore(one))
	require.Equal(t, with(old("b2"), "a1", "a3", "c", "d", "missing"), restore(mixed, ultradict.SomeKeys("b2", "d")))
	require.Equal(t, with(old(), "a1", "a3", "c", "d", "missing"), restore(one, ultradict.KeyPrefix("x")))

	for _, opt := range []ultradict.SaveOption{nil, ultradict.SomeKeys[string](), ultradict.SomeKeys(1), ultradict.SaveMode(0o1000), ultradict.SaveMode(0), ultradict.SaveProgress(nil)} {
		require.ErrorIs(t, d.Save(t.Context(), filepath.Join(files, "no"), opt), ultradict.ErrInvalidOption)
		require.ErrorIs(t, d.Restore(t.Context(), whole, opt), ultradict.ErrInvalidOption)
	}
	var encode *ultradict.EncodeError
	require.ErrorAs(t, d.Save(t.Context(), filepath.Join(files, "no"), ultradict.SomeKeys("\xff")), &encode)
	require.NoFileExists(t, filepath.Join(files, "no"))
}

// Every bit and every length of a file: an error that names the place, and nothing
// happens to the dictionary.
func TestDamagedSaves(t *testing.T) {
	dir, files := memoryDir(t), t.TempDir()
	d := open(t, dir)
	for i := range 10 {
		require.NoError(t, d.Set(fmt.Sprint("k", i), strings.Repeat("v", i)))
	}
	file := filepath.Join(files, "f")
	require.NoError(t, d.Save(t.Context(), file))
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, d.Clear())
	require.NoError(t, d.Set("present", 1))
	before, err := d.Status()
	require.NoError(t, err)
	try := func(b []byte, what string) {
		bad := filepath.Join(files, "bad")
		require.NoError(t, os.WriteFile(bad, b, 0o600))
		for _, opts := range [][]ultradict.SaveOption{nil, {ultradict.SomeKeys("k1")}} {
			err := d.Restore(context.Background(), bad, opts...)
			var damage *ultradict.SaveError
			require.ErrorAs(t, err, &damage, what)
			require.Equal(t, bad, damage.Path, what)
			require.LessOrEqual(t, damage.Offset, int64(len(b)), what)
			require.ErrorIs(t, err, ultradict.ErrCorrupt, what)
			var corrupt *ultradict.CorruptError
			require.ErrorAs(t, err, &corrupt, what)
			require.Contains(t, err.Error(), bad)
			require.Contains(t, err.Error(), fmt.Sprint("offset ", damage.Offset))
		}
		_, err := ultradict.CheckSave(bad)
		require.ErrorIs(t, err, ultradict.ErrCorrupt, what)
	}
	for n := range whole {
		if testing.Short() && n%11 != 0 {
			continue
		}
		if n < 300 || n > 512 || n%16 == 0 { // zeros
			try(whole[:n], fmt.Sprint("cut at ", n))
		}
	}
	for i := range whole {
		for bit := range 8 {
			if testing.Short() && (i*8+bit)%61 != 0 {
				continue
			}
			b := append([]byte(nil), whole...)
			b[i] ^= 1 << bit
			try(b, fmt.Sprintf("bit %d of byte %d", bit, i))
		}
	}
	try(append(append([]byte(nil), whole...), 0), "one byte more")
	after, err := d.Status()
	require.NoError(t, err)
	require.Equal(t, before.Commits, after.Commits)
	require.Equal(t, map[string]any{"present": int64(1)}, held(t, d))
	require.NoError(t, d.Restore(t.Context(), file))
	requireHealthy(t, dir)
}

func TestSavesOfOtherKinds(t *testing.T) {
	dir, file := memoryDir(t), filepath.Join(t.TempDir(), "f")
	m, err := ultradict.OpenMap[int, string]("numbers", ultradict.WithDir(dir))
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.Set(1, "one"))
	require.NoError(t, m.Save(t.Context(), file))
	d := open(t, dir)
	require.NoError(t, d.Set("x", 1))
	err = d.Restore(t.Context(), file)
	var mismatch *ultradict.SaveMismatchError
	require.ErrorAs(t, err, &mismatch)
	require.Equal(t, ultradict.SaveMismatchError{Path: file, What: "key kind", Saved: "int", Want: "string"}, *mismatch)
	require.ErrorIs(t, err, ultradict.ErrInvalidOption)
	require.NotErrorIs(t, err, ultradict.ErrCorrupt)
	require.Equal(t, map[string]any{"x": int64(1)}, held(t, d))
}

// What is in the way and is no regular file stays what it is.
func TestSaveRefusesOddTargets(t *testing.T) {
	dir, files := memoryDir(t), t.TempDir()
	d := open(t, dir)
	require.NoError(t, d.Set("x", 1))
	at := func(name string) string { return filepath.Join(files, name) }
	require.NoError(t, os.Mkdir(at("dir"), 0o700))
	require.NoError(t, os.WriteFile(at("victim"), []byte("precious"), 0o600))
	require.NoError(t, os.Symlink(at("victim"), at("link")))
	require.NoError(t, os.Symlink(at("nowhere"), at("dangling")))
	fifo(t, at("fifo"))
	for _, path := range []string{at("dir"), at("dir") + "/", at("link"), at("dangling"), at("fifo"), files, "/dev/null", "", ".", "..", "/"} {
		err := d.Save(t.Context(), path)
		require.ErrorIs(t, err, fs.ErrInvalid, path)
	}
	require.ErrorIs(t, d.Save(t.Context(), at("missing/f")), fs.ErrNotExist)
	for _, path := range []string{at("dir"), at("fifo"), "/dev/null"} {
		require.ErrorIs(t, d.Restore(t.Context(), path), fs.ErrInvalid, path)
	}
	require.ErrorIs(t, d.Restore(t.Context(), at("missing")), fs.ErrNotExist)
	b, err := os.ReadFile(at("victim"))
	require.NoError(t, err)
	require.Equal(t, "precious", string(b))
	require.NoFileExists(t, at("nowhere"))
	onlyFiles(t, files, "dangling", "dir", "fifo", "link", "victim")

	// A regular file is replaced, not written to: who has it open, or another name of
	// it, keeps it. A link on the way there is followed, and so is one to be restored.
	require.NoError(t, os.Link(at("victim"), at("name")))
	require.NoError(t, os.Symlink(files, at("dir/here")))
	require.NoError(t, d.Save(t.Context(), at("dir/here/name")))
	b, err = os.ReadFile(at("victim"))
	require.NoError(t, err)
	require.Equal(t, "precious", string(b))
	require.NoError(t, os.Symlink(at("name"), at("latest")))
	require.NoError(t, d.Restore(t.Context(), at("latest")))
}

func TestSaveStops(t *testing.T) {
	dir, files := memoryDir(t), t.TempDir()
	d := open(t, dir)
	for i := range 3000 {
		require.NoError(t, d.Set(fmt.Sprint(i), i))
	}
	file := filepath.Join(files, "f")
	var calls [][2]int64
	note := func(done, total int64) error {
		calls = append(calls, [2]int64{done, total})
		require.LessOrEqual(t, done, total)
		return nil
	}
	require.NoError(t, d.Save(t.Context(), file, ultradict.SaveProgress(note)))
	require.Greater(t, len(calls), 3)
	require.Equal(t, [2]int64{3000, 3000}, calls[len(calls)-1])
	info, err := os.Stat(file)
	require.NoError(t, err)
	calls = nil
	require.NoError(t, d.Restore(t.Context(), file, ultradict.SaveProgress(note)))
	require.Greater(t, len(calls), 3)
	require.Equal(t, [2]int64{2 * info.Size(), 2 * info.Size()}, calls[len(calls)-1])

	// Whatever ends it leaves the file as it was, and nothing else.
	was, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, d.Clear())
	enough := errors.New("enough")
	stops := func(do func(ctx context.Context, path string, opts ...ultradict.SaveOption) error) {
		for n := range 5 {
			left := n
			err := do(t.Context(), file, ultradict.SaveProgress(func(int64, int64) error {
				if left--; left < 0 {
					return enough
				}
				return nil
			}))
			if n > 0 && err == nil {
				break // it has fewer steps
			}
			require.ErrorIs(t, err, enough)
			ctx, cancel := context.WithCancel(t.Context())
			left = n
			err = do(ctx, file, ultradict.SaveProgress(func(int64, int64) error {
				if left--; left == 0 {
					cancel()
				}
				return nil
			}))
			cancel()
			if err != nil {
				require.ErrorIs(t, err, context.Canceled)
			}
		}
		done, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, do(done, file), context.Canceled)
	}
	full := open(t, dir)
	require.NoError(t, full.Set("x", 1))
	stops(func(ctx context.Context, path string, opts ...ultradict.SaveOption) error {
		err := d.Restore(ctx, path, opts...)
		if err == nil {
			require.NoError(t, d.Clear())
			require.NoError(t, d.Set("x", 1))
		}
		require.Equal(t, map[string]any{"x": int64(1)}, held(t, full))
		return err
	})
	require.NoError(t, d.Restore(t.Context(), file))
	stops(func(ctx context.Context, path string, opts ...ultradict.SaveOption) error {
		err := d.Save(ctx, path, opts...)
		if err != nil {
			now, e := os.ReadFile(file)
			require.NoError(t, e)
			require.Equal(t, was, now)
		}
		was, _ = os.ReadFile(file)
		onlyFiles(t, files, "f")
		return err
	})
	require.NoError(t, d.Close())
	require.ErrorIs(t, d.Save(t.Context(), file), ultradict.ErrClosed)
	require.ErrorIs(t, d.Restore(t.Context(), file), ultradict.ErrClosed)
	require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir)))
	require.ErrorIs(t, full.Save(t.Context(), file), ultradict.ErrRemoved)
	onlyFiles(t, files, "f")
}

// What a save costs is a frame and a value, not the dictionary.
func TestSaveOfManyKeysStreams(t *testing.T) {
	keys := 300_000
	if testing.Short() {
		keys = 50_000
	}
	dir, file := memoryDir(t), filepath.Join(t.TempDir(), "f")
	m, err := ultradict.OpenMap[int, int]("test", ultradict.WithDir(dir))
	require.NoError(t, err)
	defer m.Close()
	for i := 0; i < keys; {
		require.NoError(t, m.Update(t.Context(), func(tx *ultradict.Tx[int, int]) error {
			for range 1000 {
				if err := tx.Set(i, -i); err != nil {
					return err
				}
				i++
			}
			return nil
		}))
	}
	most := uint64(0)
	before := heapInUse()
	require.NoError(t, m.Save(t.Context(), file, ultradict.SaveProgress(func(done, _ int64) error {
		if done%(512*64) == 0 {
			most = max(most, heapInUse())
		}
		return nil
	})))
	saved, err := ultradict.CheckSave(file)
	require.NoError(t, err)
	require.EqualValues(t, keys, saved.Entries)
	t.Logf("%d keys, a file of %d bytes: %d bytes of heap more while it was written", keys, saved.Bytes, int64(most)-int64(before))
	require.Less(t, int64(most)-int64(before), int64(24<<20))

	require.NoError(t, m.Clear())
	require.NoError(t, m.Restore(t.Context(), file))
	n, err := m.Len()
	require.NoError(t, err)
	require.Equal(t, keys, n)
	for i := 0; i < keys; i += 997 {
		v, err := m.Get(i)
		require.NoError(t, err)
		require.Equal(t, -i, v)
	}
}

func TestRestoreIntoAFullDictionary(t *testing.T) {
	dir, file := memoryDir(t), filepath.Join(t.TempDir(), "f")
	large := open(t, dir)
	for i := range 300 {
		require.NoError(t, large.Set(fmt.Sprint(i), strings.Repeat("v", 10_000)))
	}
	require.NoError(t, large.Save(t.Context(), file))
	small, err := ultradict.Open("small", ultradict.WithDir(dir), ultradict.WithMaxBytes(2<<20), ultradict.WithStreamSize(64<<10))
	require.NoError(t, err)
	defer small.Close()
	require.NoError(t, small.Set("present", 1))
	require.ErrorIs(t, small.Restore(t.Context(), file), ultradict.ErrNoSpace)
	require.Equal(t, map[string]any{"present": int64(1)}, held(t, small))
	require.NoError(t, small.Restore(t.Context(), file, ultradict.SomeKeys("7", "8", "9")))
	require.Equal(t, 4, len(maps.Collect(small.All())))
}
