package ultradict_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

const damagedKeys = 300

// sound makes a dictionary with everything that one can have on files, closes
// it, and returns its files.
func sound(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	d, err := ultradict.Open("test", ultradict.WithDir(dir), ultradict.WithStreamSize(4<<10))
	require.NoError(t, err)
	for s := (ultradict.Status{}); len(s.Layers) == 0 || s.Rollovers < 3; {
		for i := range damagedKeys {
			require.NoError(t, d.Set(fmt.Sprint("k", i), soundValue(i)))
		}
		require.NoError(t, d.Set("big", strings.Repeat("big", 2000)))
		s, err = d.Status()
		require.NoError(t, err)
	}
	require.NoError(t, d.Close())
	files := map[string][]byte{}
	entries, err := os.ReadDir(filepath.Join(dir, "test"))
	require.NoError(t, err)
	for _, e := range entries {
		files[e.Name()], err = os.ReadFile(filepath.Join(dir, "test", e.Name()))
		require.NoError(t, err)
	}
	return files
}

func soundValue(i int) string { return fmt.Sprint(i, strings.Repeat("v", i%60)) }

// put puts the files back, one of them changed: in place, so that their
// permissions stay.
func put(t *testing.T, dir string, files map[string][]byte, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "test")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "test"), 0o700))
	for f, sound := range files {
		if f == name {
			sound = content
		}
		if sound != nil {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "test", f), sound, 0o600))
		}
	}
}

// typed reports whether an error is one that damage may cause.
func typed(err error) bool {
	var damaged *ultradict.CorruptError
	if errors.As(err, &damaged) {
		return damaged.Segment != "" && damaged.Reason != ""
	}
	return errors.Is(err, ultradict.ErrCorrupt) || errors.Is(err, ultradict.ErrVersion)
}

// useDamaged looks at everything and writes a little. It returns the errors,
// and complains about what is not true.
func useDamaged(dir string, ok func(error) bool) (found []error, wrong error) {
	note := func(err error) bool {
		if err == nil {
			return true
		}
		found = append(found, err)
		if !ok(err) {
			wrong = fmt.Errorf("not a proper error: %T %w", err, err)
		}
		return false
	}
	d, err := ultradict.Open("test", ultradict.WithDir(dir), ultradict.AttachOnly(), ultradict.WithLockTimeout(20*time.Millisecond))
	if !note(err) {
		return found, wrong
	}
	for i := range damagedKeys {
		if v, err := d.Get(fmt.Sprint("k", i)); note(err) && v != soundValue(i) {
			return found, fmt.Errorf("k%d is %v", i, v)
		}
	}
	if v, err := d.Get("big"); note(err) && v != strings.Repeat("big", 2000) {
		return found, fmt.Errorf("big is %.20v", v)
	}
	for e, err := range d.Entries() {
		if note(err) && e.Key[0] == 'k' && e.Key != "kept" {
			if i, _ := strconv.Atoi(e.Key[1:]); e.Value != soundValue(i) {
				return found, fmt.Errorf("%s is %v", e.Key, e.Value)
			}
		}
	}
	_, err = d.Len()
	note(err)
	_, err = d.Status()
	note(err)
	for range 50 {
		if !note(d.Set("kept", strings.Repeat("x", 100))) {
			break
		}
	}
	note(d.Set("big", strings.Repeat("big", 2000)))
	note(d.Close())
	return found, wrong
}

func TestDamagedFiles(t *testing.T) {
	dir := memoryDir(t)
	files := sound(t, dir)
	kinds := map[string]string{}
	for name := range files {
		kinds[strings.SplitN(name, "-", 2)[0]] = name
	}
	for _, kind := range []string{"control", "stream", "layer", "body"} {
		require.Contains(t, kinds, kind)
	}
	for name, content := range files {
		patched := func(offset int, b ...byte) []byte {
			c := bytes.Clone(content)
			copy(c[offset:], b)
			return c
		}
		swapped := bytes.Clone(content)
		binary.BigEndian.PutUint32(swapped[12:], binary.NativeEndian.Uint32(swapped[12:]))
		for what, damaged := range map[string][]byte{
			"empty":            {},
			"shorter than all": content[:10],
			"header only":      content[:64],
			"half":             content[:len(content)/2],
			"one byte short":   content[:len(content)-1],
			"longer":           append(bytes.Clone(content), 0),
			"other magic":      patched(0, 'X'),
			"other version":    patched(8, 99),
			"byte order":       swapped,
			"other kind":       patched(16, 77),
			"other instance":   patched(24, ^content[24]),
			"zeros":            make([]byte, len(content)),
		} {
			put(t, dir, files, name, damaged)
			found, wrong := useDamaged(dir, typed)
			require.NoError(t, wrong, "%s, %s", name, what)
			if name == kinds["control"] {
				require.NotEmpty(t, found, "%s, %s", name, what)
			}
			if what == "other version" || what == "byte order" {
				for _, err := range found {
					require.ErrorIs(t, err, ultradict.ErrVersion, "%s, %s", name, what)
				}
			}
			require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir)), "what is damaged can be removed")
			requireNothingLeft(t, dir)
		}
		put(t, dir, files, name, nil) // missing
		_, wrong := useDamaged(dir, func(err error) bool { return typed(err) || errors.Is(err, fs.ErrNotExist) })
		require.NoError(t, wrong, "%s is missing", name)
		require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir)))
	}
}

// noise uses a dictionary whose files were overwritten with noise, in a process
// of its own, which must survive it.
func noise(args []string) error {
	control := args[1] == "control"
	found, wrong := useDamaged(args[0], func(err error) bool {
		// In the control segment stand words that mean something whatever they are.
		return typed(err) || errors.Is(err, ultradict.ErrNoSpace) || control &&
			(errors.Is(err, ultradict.ErrRemoved) || errors.Is(err, ultradict.ErrNotExist) || errors.Is(err, ultradict.ErrNotFound) || errors.Is(err, &ultradict.LockError{}))
	})
	if wrong != nil {
		return wrong
	}
	proctest.Say("%d", len(found))
	return nil
}

func TestNoise(t *testing.T) {
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	dir := memoryDir(t)
	files := sound(t, dir)
	random := seeded(t)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	for _, kind := range []string{"control", "stream", "layer", "body"} {
		for round := range rounds {
			name := ""
			for _, n := range names {
				if strings.HasPrefix(n, kind) && (name == "" || random.IntN(2) == 0) {
					name = n
				}
			}
			content := bytes.Clone(files[name])
			from := 64 + random.IntN(len(content)-64)
			to := min(len(content), from+1<<random.IntN(14))
			if kind == "control" && round%2 == 0 {
				from, to = 1024+random.IntN(2000), 0
				to = from + 8
			}
			for i := from; i < to; i++ {
				content[i] = byte(random.Uint32())
			}
			put(t, dir, files, name, content)
			p := proctest.Start(t, "noise", dir, kind)
			require.NoError(t, p.Wait(), "%s, bytes %d to %d", name, from, to)
		}
	}
}
