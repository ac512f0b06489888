package ultradict_test

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

func TestNamesThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"", ".", "..", ".hidden", "a/b", "/", "../x", "a\x00b", "a\nb", "\x7f", strings.Repeat("n", 201)} {
		_, err := ultradict.Open(name, ultradict.WithDir(dir))
		require.ErrorIs(t, err, ultradict.ErrInvalidName, "%q", name)
		require.ErrorIs(t, ultradict.Remove(name, ultradict.WithDir(dir)), ultradict.ErrInvalidName, "%q", name)
	}
	for _, name := range []string{"a", "with space", "ümläut", "a.b", strings.Repeat("n", 200)} {
		d, err := ultradict.Open(name, ultradict.WithDir(dir))
		require.NoError(t, err, "%q", name)
		require.NoError(t, d.Close())
	}
	list, err := ultradict.List(ultradict.WithDir(dir))
	require.NoError(t, err)
	require.Len(t, list, 5)
}

// loop is a map that contains itself.
func loop() any {
	m := map[string]any{}
	m["self"] = m
	return m
}

func TestValuesThatCannotComeBack(t *testing.T) {
	dir := t.TempDir()
	d, other := open(t, dir), open(t, dir)
	require.NoError(t, d.Set("k", "before"))
	before, err := d.Status()
	require.NoError(t, err)
	deep := any("bottom")
	for range 10_000 {
		deep = []any{deep}
	}
	list := []any{nil}
	list[0] = list
	for name, v := range map[string]any{
		"channel":              make(chan int),
		"function":             func() {},
		"function inside":      []any{1, map[string]any{"f": func() {}}},
		"cyclic map":           loop(),
		"cyclic list":          list,
		"cyclic in a list":     []any{1, loop()},
		"invalid UTF-8":        "a\xffb",
		"invalid UTF-8 inside": map[string]any{"x": []any{"\xc3"}},
		"invalid UTF-8 as key": map[string]any{"\xff": 1},
		"integer keys":         map[string]any{"m": map[int]string{1: "x"}},
		"too deep":             deep,
		"complex":              complex(1, 2),
	} {
		var enc *ultradict.EncodeError
		require.ErrorAs(t, d.Set("k", v), &enc, name)
		require.Equal(t, "k", enc.Key, name)
		require.NotEmpty(t, enc.Reason, name)
		require.ErrorAs(t, d.Update(t.Context(), func(tx *ultradict.Tx[string, any]) error {
			require.NoError(t, tx.Set("other", 1))
			_ = tx.Set("k", v) // the failure is kept for it
			return nil
		}), &enc, name)
		_, err := d.Compute(t.Context(), "k", func(any, bool) (any, ultradict.Op) { return v, ultradict.Store })
		require.ErrorAs(t, err, &enc, name)
	}
	for _, key := range []string{"a\xff", strings.Repeat("k", 70_000)} {
		var enc *ultradict.EncodeError
		require.ErrorAs(t, d.Set(key, 1), &enc)
		require.ErrorAs(t, d.Update(t.Context(), func(tx *ultradict.Tx[string, any]) error { return tx.Set(key, 1) }), &enc)
		_, err := d.Get(key)
		require.ErrorIs(t, err, ultradict.ErrNotFound)
		has, err := d.Has(key)
		require.NoError(t, err)
		require.False(t, has)
		existed, err := d.Delete(key)
		require.False(t, existed, "%v", err)
	}
	after, err := d.Status()
	require.NoError(t, err)
	require.Equal(t, before.Head, after.Head, "nothing was committed")
	require.Equal(t, before.Bytes, after.Bytes)
	for _, d := range []*ultradict.Dict{d, other} {
		v, err := d.Get("k")
		require.NoError(t, err)
		require.Equal(t, "before", v)
		n, err := d.Len()
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
}

func TestKeyTypesThatCannotBe(t *testing.T) {
	dir := ultradict.WithDir(t.TempDir())
	refused := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, ultradict.ErrInvalidOption)
	}
	_, err := ultradict.OpenMap[float64, int]("x", dir)
	refused(err)
	_, err = ultradict.OpenMap[*int, int]("x", dir)
	refused(err)
	_, err = ultradict.OpenMap[any, int]("x", dir)
	refused(err)
	_, err = ultradict.OpenMap[struct{ a int }, int]("x", dir)
	refused(err)
	_, err = ultradict.OpenMap[string, chan int]("x", dir)
	refused(err)
	_, err = ultradict.OpenMap[string, func()]("x", dir)
	refused(err)
	_, err = ultradict.Open("x", dir, ultradict.AttachOnly())
	require.ErrorIs(t, err, ultradict.ErrNotExist, "none of them made anything")
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	dir := ultradict.WithDir(t.TempDir())
	for name, opts := range map[string][]ultradict.Option{
		"nil":                     {nil},
		"empty directory":         {ultradict.WithDir("")},
		"mode for others":         {ultradict.WithMode(0o666)},
		"mode without the owner":  {ultradict.WithMode(0o060)},
		"executable":              {ultradict.WithMode(0o700)},
		"set-user-id":             {ultradict.WithMode(fs.ModeSetuid | 0o600)},
		"small stream":            {ultradict.WithStreamSize(4<<10 - 1)},
		"negative stream":         {ultradict.WithStreamSize(-1)},
		"large stream":            {ultradict.WithStreamSize(1 << 30)},
		"small limit":             {ultradict.WithMaxBytes(1)},
		"negative limit":          {ultradict.WithMaxBytes(-1)},
		"stream above the limit":  {ultradict.WithMaxBytes(1 << 20), ultradict.WithStreamSize(1 << 20)},
		"default above the limit": {ultradict.WithMaxBytes(1 << 20)},
		"no timeout":              {ultradict.WithLockTimeout(0)},
		"negative timeout":        {ultradict.WithLockTimeout(-time.Second)},
		"no logger":               {ultradict.WithLogger(nil)},
		"both ways":               {ultradict.CreateOnly(), ultradict.AttachOnly()},
		"create read-only":        {ultradict.ReadOnly(), ultradict.CreateOnly()},
	} {
		_, err := ultradict.Open("x", append([]ultradict.Option{dir}, opts...)...)
		require.ErrorIs(t, err, ultradict.ErrInvalidOption, name)
	}
	list, err := ultradict.List(dir)
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = ultradict.Open("x", dir, ultradict.ReadOnly())
	require.ErrorIs(t, err, ultradict.ErrNotExist)
	require.ErrorIs(t, err, fs.ErrNotExist)
	d, err := ultradict.Open("x", dir, ultradict.CreateOnly(), ultradict.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	defer d.Close()
	_, err = ultradict.Open("x", dir, ultradict.CreateOnly())
	require.ErrorIs(t, err, ultradict.ErrExists)
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = ultradict.OpenMap[int, any]("x", dir, ultradict.CreateOnly())
	require.ErrorIs(t, err, ultradict.ErrExists, "whatever its keys are")
}

func TestKindsOfKeysThatDisagree(t *testing.T) {
	dir := ultradict.WithDir(t.TempDir())
	d, err := ultradict.OpenMap[int, string]("x", dir)
	require.NoError(t, err)
	defer d.Close()
	_, err = ultradict.Open("x", dir)
	require.ErrorIs(t, err, ultradict.ErrInvalidOption)
	require.ErrorContains(t, err, "int")
	require.ErrorContains(t, err, "string")
	_, err = ultradict.OpenMap[[2]int, string]("x", dir)
	require.ErrorIs(t, err, ultradict.ErrInvalidOption)

	// Values are encoded alike, whatever they are.
	other, err := ultradict.OpenMap[int, int]("x", dir)
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, d.Set(1, "one"))
	var mistyped *ultradict.TypeError
	for range 2 {
		_, err = other.Get(1)
		require.ErrorAs(t, err, &mistyped)
		require.Equal(t, 1, mistyped.Key)
		_, err = other.Peek(1)
		require.ErrorAs(t, err, &mistyped)
	}
	_, err = other.Compute(t.Context(), 1, func(int, bool) (int, ultradict.Op) { return 1, ultradict.Store })
	require.ErrorAs(t, err, &mistyped)
	var last error
	for _, err := range other.Entries() {
		last = err
	}
	require.ErrorAs(t, last, &mistyped)
	require.ErrorAs(t, other.View(func(v *ultradict.View[int, int]) error {
		for range v.All() {
			require.Fail(t, "an entry that is no int")
		}
		return nil
	}), &mistyped, "the error of the iteration")
	has, err := other.Has(1)
	require.NoError(t, err)
	require.True(t, has)
	require.NoError(t, other.Set(1, 1))
	_, err = d.Get(1)
	require.ErrorAs(t, err, &mistyped)
}

func TestDirectoriesThatAreNotSafe(t *testing.T) {
	base := t.TempDir()
	path := func(name string) string { return filepath.Join(base, name) }
	require.NoError(t, os.Mkdir(path("real"), 0o700))
	require.NoError(t, os.Symlink(path("real"), path("link")))
	require.NoError(t, os.WriteFile(path("file"), nil, 0o600))
	require.NoError(t, os.Mkdir(path("group"), 0o700))
	require.NoError(t, os.Chmod(path("group"), 0o770))
	require.NoError(t, os.Mkdir(path("world"), 0o700))
	require.NoError(t, os.Chmod(path("world"), 0o777))
	bad := []string{"link", "file", "group", "world", "missing/deeper"}
	if os.Getuid() == 0 {
		require.NoError(t, os.Mkdir(path("others"), 0o700))
		require.NoError(t, os.Chown(path("others"), 12345, 12345))
		bad = append(bad, "others")
	}
	for _, name := range bad {
		_, err := ultradict.Open("x", ultradict.WithDir(path(name)))
		require.Error(t, err, name)
		require.ErrorContains(t, err, name, "it says where")
		_, err = ultradict.List(ultradict.WithDir(path(name)))
		if name != "missing/deeper" {
			require.Error(t, err, name)
		}
	}
	for _, name := range []string{"link", "group", "world"} {
		_, err := ultradict.Open("x", ultradict.WithDir(path(name)))
		require.ErrorIs(t, err, fs.ErrPermission, name)
	}
	entries, err := os.ReadDir(path("real"))
	require.NoError(t, err)
	require.Empty(t, entries)
	// A group that is let in on purpose.
	d, err := ultradict.Open("x", ultradict.WithDir(path("group")), ultradict.WithMode(0o660))
	require.NoError(t, err)
	require.NoError(t, d.Close())
	files, err := os.ReadDir(filepath.Join(path("group"), "x"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o660), info.Mode().Perm(), f.Name())
	}
}
