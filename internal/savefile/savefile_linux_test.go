package savefile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Main(m, map[string]func([]string) error{"drafter": drafter, "locker": locker})
}

func drafter(args []string) error {
	d, err := Create(args[0], 0o600)
	if err != nil {
		return err
	}
	if _, err := d.Write([]byte("half of i")); err != nil {
		return err
	}
	proctest.Say("drafted")
	select {}
}

func locker(args []string) error {
	f, err := OpenFolder(args[0], args[1], 0, false)
	if err != nil {
		return err
	}
	if _, err := f.Lock(context.Background(), time.Minute); err != nil {
		return err
	}
	proctest.Say("locked")
	select {}
}

func names(t testing.TB, dir string) []string {
	var all []string
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func write(t testing.TB, path, text string) {
	d, err := Create(path, 0o640)
	require.NoError(t, err)
	defer d.Discard()
	_, err = d.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, d.Publish())
}

func TestDraft(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "one")
	d, err := Create(path, 0o600)
	require.NoError(t, err)
	_, err = d.Write([]byte("two"))
	require.NoError(t, err)
	require.Len(t, names(t, dir), 2)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "one", string(b))
	d.Discard()
	d.Discard()
	require.Equal(t, []string{"f"}, names(t, dir))
	write(t, path, "two")
	b, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "two", string(b))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), info.Mode())
	require.Equal(t, []string{"f"}, names(t, dir))
}

// Something that is no file comes between the two looks.
func TestTargetThatChangesMeanwhile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	d, err := Create(path, 0o600)
	require.NoError(t, err)
	require.NoError(t, os.Symlink("/etc/passwd", path))
	require.ErrorIs(t, d.Publish(), fs.ErrInvalid)
	d.Discard()
	require.Equal(t, []string{"f"}, names(t, dir))
}

// What the killed have left goes with the next draft of the same name; what the living
// are at work on stays, and so does what only looks like a draft.
func TestDraftsOfTheKilled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	var dead []*proctest.Proc
	for range 3 {
		p := proctest.Start(t, "drafter", path)
		require.Equal(t, "drafted", p.Line())
		dead = append(dead, p)
	}
	living := proctest.Start(t, "drafter", path)
	require.Equal(t, "drafted", living.Line())
	other := proctest.Start(t, "drafter", filepath.Join(dir, "g"))
	require.Equal(t, "drafted", other.Line())
	other.Kill()
	decoys := []string{".f.saving", ".f.123.saving", ".f.0123456789abcdeg.saving", ".f.0123456789abcdef", ".f.x.0123456789abcdef.saving", "f.0123456789abcdef.saving"}
	for _, name := range decoys {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".f.0123456789abcdef.saving"), 0o700))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, ".f.0123456789abcdee.saving")))
	all := len(names(t, dir))
	for _, p := range dead {
		p.Kill()
	}
	require.Len(t, names(t, dir), all)
	write(t, path, "text")
	require.Len(t, names(t, dir), all-3+1)
	living.Kill()
	write(t, path, "text")
	require.Len(t, names(t, dir), all-4+1)
}

func folder(t testing.TB, dir, name string) *Folder {
	f, err := OpenFolder(dir, name, 0, true)
	require.NoError(t, err)
	t.Cleanup(f.Close)
	return f
}

func publish(t testing.TB, f *Folder, text string) {
	d, err := f.Create()
	require.NoError(t, err)
	defer d.Discard()
	_, err = d.Write([]byte(text))
	require.NoError(t, err)
	release, err := f.Lock(t.Context(), time.Second)
	require.NoError(t, err)
	defer release()
	require.NoError(t, f.Publish(d))
	require.NoError(t, f.Prune(2))
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "saves")
	_, err := OpenFolder(dir, "a", 0, false)
	require.ErrorIs(t, err, fs.ErrNotExist)
	a, b := folder(t, dir, "a"), folder(t, dir, "a.0000000000000001.save")
	require.Equal(t, a.Identity(), b.Identity())
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	saves, err := a.Saves()
	require.NoError(t, err)
	require.Empty(t, saves)
	for i := range 5 {
		publish(t, a, fmt.Sprint("a", i))
		publish(t, b, fmt.Sprint("b", i))
	}
	require.Equal(t, []string{
		"a.0000000000000001.save.0000000000000004.save", "a.0000000000000001.save.0000000000000005.save", "a.0000000000000001.save.lock",
		"a.0000000000000004.save", "a.0000000000000005.save", "a.lock",
	}, names(t, dir))
	saves, err = a.Saves()
	require.NoError(t, err)
	require.Equal(t, []Saved{{"a.0000000000000005.save", 5, 2}, {"a.0000000000000004.save", 4, 2}}, saves)
	f, err := a.Open(saves[1])
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "a.0000000000000004.save"), a.Where(saves[1]))
	text := make([]byte, 2)
	_, err = f.Read(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Equal(t, "a3", string(text))

	// One that is set aside is none any more, but its number is not used again.
	require.NoError(t, a.SetAside(saves[0]))
	saves, err = a.Saves()
	require.NoError(t, err)
	require.Len(t, saves, 1)
	publish(t, a, "again")
	require.FileExists(t, filepath.Join(dir, "a.0000000000000006.save"))

	// What is no save of it, by whatever name.
	for _, name := range []string{"a.save", "a.1.save", "a.000000000000000A.save", "a.0000000000000009.save.old", "x.0000000000000009.save"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "a.0000000000000008.save"), 0o700))
	saves, err = a.Saves()
	require.NoError(t, err)
	require.Len(t, saves, 2)
	require.NoError(t, os.Remove(filepath.Join(dir, "a.0000000000000008.save")))

	release, err := a.Lock(t.Context(), time.Second)
	require.NoError(t, err)
	found, err := a.Remove()
	require.NoError(t, err)
	require.True(t, found)
	found, err = a.Remove()
	require.NoError(t, err)
	require.False(t, found)
	release()
	release, err = a.Lock(t.Context(), time.Second) // somebody who comes too late
	require.NoError(t, err)
	require.NoError(t, a.Forget())
	release()
	release, err = b.Lock(t.Context(), time.Second)
	require.NoError(t, err)
	require.NoError(t, b.Forget(), "there are saves: it stays")
	release()
	left := names(t, dir)
	require.Len(t, left, 3+5, "the other's, and what is none: %v", left)
}

func TestFolderLock(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	f := folder(t, dir, "a")
	p := proctest.Start(t, "locker", dir, "a")
	require.Equal(t, "locked", p.Line())
	_, err := f.Lock(t.Context(), 20*time.Millisecond)
	var locked *errs.LockError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, p.PID(), locked.OwnerPID)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = f.Lock(ctx, time.Minute)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	other, err := folder(t, dir, "b").Lock(t.Context(), 0)
	require.NoError(t, err)
	other()
	p.Kill()
	release, err := f.Lock(t.Context(), time.Minute)
	require.NoError(t, err)

	// One who waits while the saves are removed, and the file with them.
	got := make(chan error)
	go func() {
		release, err := folder(t, dir, "a").Lock(t.Context(), time.Minute)
		if err == nil {
			release()
		}
		got <- err
	}()
	time.Sleep(10 * time.Millisecond)
	_, err = f.Remove()
	require.NoError(t, err)
	select {
	case <-got:
		t.Fatal("the lock was lost with the saves")
	case <-time.After(10 * time.Millisecond):
	}
	require.NoError(t, f.Forget())
	second, err := f.Lock(t.Context(), 0) // that of the new file: nobody is excluded by the old one
	require.NoError(t, err)
	release()
	second()
	require.NoError(t, <-got)
}

// Who could plant saves could make an Open restore anything.
func TestFolderIsTrusted(t *testing.T) {
	dir := t.TempDir()
	for _, mode := range []fs.FileMode{0o777, 0o770, 0o722} {
		require.NoError(t, os.Chmod(dir, mode))
		_, err := OpenFolder(dir, "a", 0, true)
		require.ErrorIs(t, err, fs.ErrPermission, "%v", mode)
	}
	require.NoError(t, os.Chmod(dir, 0o770))
	f, err := OpenFolder(dir, "a", 0o660, true)
	require.NoError(t, err)
	publish(t, f, "x")
	info, err := os.Stat(filepath.Join(dir, "a.0000000000000001.save"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o660), info.Mode())
	f.Close()
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(dir, 4711, 4712))
		for _, mode := range []fs.FileMode{0, 0o660} {
			_, err = OpenFolder(dir, "a", mode, true)
			require.ErrorIs(t, err, fs.ErrPermission)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = OpenFolder(file, "a", 0, true)
	require.Error(t, err)
	_, err = OpenFolder(filepath.Join(file, "x"), "a", 0, true)
	require.Error(t, err)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir)
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = Open("/dev/zero")
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = Open(filepath.Join(dir, strings.Repeat("x", 300)))
	require.Error(t, err)
	_, err = Create(filepath.Join(dir, strings.Repeat("x", 300)), 0o600)
	require.Error(t, err)
	require.False(t, errors.Is(err, fs.ErrExist))
}
