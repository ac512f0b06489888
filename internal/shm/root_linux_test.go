package shm

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

func TestDefaultRoot(t *testing.T) {
	t.Setenv("ULTRADICT_DIR", "")
	require.Equal(t, fmt.Sprintf("/dev/shm/ultradict-%d", os.Geteuid()), DefaultRoot())
	t.Setenv("ULTRADICT_DIR", "/some/where")
	require.Equal(t, "/some/where", DefaultRoot())
}

func TestOpenRoot(t *testing.T) {
	base := tempDir(t)
	path := filepath.Join(base, "root")

	_, err := OpenRoot(path, RootOptions{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "ULTRADICT_DIR", "advice for who did not choose the path")
	_, err = OpenRoot(path, RootOptions{Explicit: true})
	require.NotContains(t, err.Error(), "ULTRADICT_DIR")
	_, err = OpenRoot(filepath.Join(path, "deeper"), RootOptions{Create: true})
	require.ErrorIs(t, err, fs.ErrNotExist, "only the last component is made")
	for _, bad := range []string{"", "a\x00b"} {
		_, err = OpenRoot(bad, RootOptions{Create: true})
		require.ErrorIs(t, err, errs.ErrInvalidOption)
	}

	for _, p := range []string{path, path, path + "/", path + "/."} {
		r, err := OpenRoot(p, RootOptions{Create: true})
		require.NoError(t, err)
		require.Equal(t, path, r.Path())
		require.NoError(t, r.Close())
		require.NoError(t, r.Close())
	}
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), st.Mode().Perm())
}

func TestRootModes(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	for mode, dir := range map[fs.FileMode]fs.FileMode{0: 0o700, 0o600: 0o700, 0o640: 0o750, 0o660: 0o770} {
		path := filepath.Join(tempDir(t), "root")
		r, err := OpenRoot(path, RootOptions{Create: true, Mode: mode})
		require.NoError(t, err)
		st, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, dir, st.Mode().Perm(), "the umask does not matter")

		id := NewID()
		d, err := r.Make("x", id)
		require.NoError(t, err)
		st, err = os.Stat(d.Path())
		require.NoError(t, err)
		require.Equal(t, dir, st.Mode().Perm())
		newSegmentIn(t, d, Stream, 1, 1, 100, id)
		st, err = os.Stat(filepath.Join(d.Path(), Name{Stream, 1, 1}.String()))
		require.NoError(t, err)
		require.Equal(t, max(mode, 0o600), st.Mode().Perm())
		require.NoError(t, d.Close())
		require.NoError(t, r.Close())
	}
	for _, mode := range []fs.FileMode{0o400, 0o060, 0o666, 0o604, 0o700, 0o670, 0o620 | fs.ModeSetgid, fs.ModeDir | 0o600} {
		_, err := OpenRoot(tempDir(t), RootOptions{Mode: mode})
		require.ErrorIs(t, err, errs.ErrInvalidOption, "%#o", mode)
	}
}

func TestRootRefuses(t *testing.T) {
	base := tempDir(t)
	dir := func(name string, mode fs.FileMode) string {
		p := filepath.Join(base, name)
		require.NoError(t, os.Mkdir(p, 0o700))
		require.NoError(t, os.Chmod(p, mode))
		return p
	}
	real := dir("real", 0o700)
	link := filepath.Join(base, "link")
	require.NoError(t, os.Symlink(real, link))
	file := filepath.Join(base, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	fifo := filepath.Join(base, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))

	for _, c := range []struct {
		path string
		mode fs.FileMode
		why  string // "" = accepted
	}{
		{real, 0, ""},
		{link, 0, "symbolic link"},
		{link + "/", 0, "symbolic link"},
		{file, 0, "not a directory"},
		{fifo, 0, "not a directory"},
		{dir("readable", 0o755), 0, ""},
		{dir("group", 0o770), 0, "group may write"},
		{filepath.Join(base, "group"), 0o640, "group may write"},
		{filepath.Join(base, "group"), 0o660, ""},
		{dir("world", 0o777), 0, "everybody may write"},
		{filepath.Join(base, "world"), 0o660, "everybody may write"},
		{dir("sticky", 0o777|fs.ModeSticky), 0, "everybody may write"},
		{dir("world-only", 0o702), 0o660, "everybody may write"},
	} {
		for _, create := range []bool{false, true} {
			r, err := OpenRoot(c.path, RootOptions{Mode: c.mode, Create: create})
			if c.why == "" {
				require.NoError(t, err, c.path)
				require.NoError(t, r.Close())
				continue
			}
			require.ErrorIs(t, err, fs.ErrPermission, c.path)
			require.ErrorContains(t, err, c.why)
			require.ErrorContains(t, err, filepath.Clean(c.path))
		}
	}
}

// asOtherUser is a process of another user. It prints what it could do.
func asOtherUser(args []string) error {
	mode, err := strconv.ParseUint(args[1], 8, 32)
	if err != nil {
		return err
	}
	r, err := OpenRoot(args[0], RootOptions{Mode: fs.FileMode(mode)})
	if err != nil {
		fmt.Println("root:", err)
		return nil
	}
	d, err := r.Open("dict")
	if err != nil {
		fmt.Println("dict:", err)
		return nil
	}
	s, err := d.Open(Name{Kind: Control}, ID{}, args[2] == "w", false)
	if err != nil {
		fmt.Println("open:", err)
		return nil
	}
	if args[2] == "w" {
		f, err := d.Create(Stream, 77, 1, 100, s.Instance())
		if err == nil {
			_, err = f.Publish()
		}
		if err != nil {
			fmt.Println("create:", err)
			return nil
		}
	}
	fmt.Println("done")
	return nil
}

// Users, groups and modes, with processes that really are other users.
func TestOtherUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become other users")
	}
	const user, member, group = 40001, 40002, 40100
	// The other users must be able to run the test binary.
	exe, err := os.Executable()
	require.NoError(t, err)
	bin, err := os.MkdirTemp("", "ultradict-test-")
	require.NoError(t, err)
	defer os.RemoveAll(bin)
	require.NoError(t, os.Chmod(bin, 0o755))
	code, err := os.ReadFile(exe)
	require.NoError(t, err)
	exe = filepath.Join(bin, "shm.test")
	require.NoError(t, os.WriteFile(exe, code, 0o755))

	instance := func(mode fs.FileMode, owner, gid int) string {
		base := tempDir(t)
		require.NoError(t, os.Chmod(base, 0o755))
		path := filepath.Join(base, "root")
		r, err := OpenRoot(path, RootOptions{Create: true, Mode: mode})
		require.NoError(t, err)
		defer r.Close()
		require.NoError(t, os.Chown(path, -1, gid))
		r, err = OpenRoot(path, RootOptions{Mode: mode})
		require.NoError(t, err)
		defer r.Close()
		id := NewID()
		d, err := r.Make("dict", id)
		require.NoError(t, err)
		defer d.Close()
		newSegmentIn(t, d, Control, 1, 0, 100, id)
		require.NoError(t, r.Publish(d, "dict"))
		for _, p := range []string{"dict/control", "dict", "."} {
			p = filepath.Join(path, p)
			st, err := os.Stat(p)
			require.NoError(t, err)
			if mode != 0 {
				require.EqualValues(t, gid, st.Sys().(*syscall.Stat_t).Gid, "%s has the group of the root", p)
			}
			require.NoError(t, os.Chown(p, owner, -1))
		}
		return path
	}
	for _, c := range []struct {
		what     string
		path     string
		uid, gid uint32
		groups   []uint32
		mode     string
		access   string
		want     string
	}{
		{"the owner", instance(0, user, group), user, 40003, nil, "0", "w", "done"},
		{"another user, private", instance(0, user, group), member, group, nil, "0", "w", "root:.*permission denied"},
		{"another user, who asks as a group", instance(0, user, group), member, group, nil, "660", "w", "root:.*permission denied"},
		{"a member", instance(0o660, user, group), member, group, nil, "660", "w", "done"},
		{"a member by a further group", instance(0o660, user, group), member, 40003, []uint32{group}, "660", "w", "done"},
		{"a member, who does not ask", instance(0o660, user, group), member, group, nil, "0", "w", "root:.*group may write"},
		{"no member", instance(0o660, user, group), member, 40003, nil, "660", "w", "root:.*permission denied"},
		{"a reading member", instance(0o640, user, group), member, group, nil, "640", "r", "done"},
		{"a reading member who writes", instance(0o640, user, group), member, group, nil, "640", "w", "open:.*permission denied"},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := start(t, func(cmd *exec.Cmd) {
				cmd.Path, cmd.Dir = exe, "/"
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: c.gid, Groups: c.groups}}
			}, "as", c.path, c.mode, c.access)
			require.Regexp(t, "^"+c.want, p.line(t))
			if c.want == "done" && c.access == "w" && c.mode == "660" {
				st, err := os.Stat(filepath.Join(c.path, "dict", Name{Stream, 77, 1}.String()))
				require.NoError(t, err)
				require.EqualValues(t, group, st.Sys().(*syscall.Stat_t).Gid)
				require.Equal(t, fs.FileMode(0o660), st.Mode().Perm())
			}
		})
	}

	// A directory of somebody else is not ours, even if root may do anything.
	path := instance(0, user, group)
	_, err = OpenRoot(path, RootOptions{})
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "belongs to user 40001")
}

func TestList(t *testing.T) {
	r := tempRoot(t)
	names, err := r.List()
	require.NoError(t, err)
	require.Empty(t, names)

	for _, name := range []string{"b", "a", "unpublished"} {
		id := NewID()
		d, err := r.Make(name, id)
		require.NoError(t, err)
		newSegmentIn(t, d, Control, 1, 0, 64, id)
		if name != "unpublished" {
			require.NoError(t, r.Publish(d, name))
		}
		require.NoError(t, d.Close())
	}
	at := func(s ...string) string { return filepath.Join(r.Path(), filepath.Join(s...)) }
	require.NoError(t, os.WriteFile(at("file"), nil, 0o600))
	require.NoError(t, os.Mkdir(at("empty"), 0o700))
	require.NoError(t, os.Mkdir(at("no-control"), 0o700))
	require.NoError(t, os.Mkdir(at("no-control", "control"), 0o700))
	require.NoError(t, os.Symlink("a", at("link")))
	require.NoError(t, os.Mkdir(at(".ssh"), 0o700))
	names, err = r.List()
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, names)

	require.NoError(t, r.Close())
	_, err = r.List()
	require.ErrorIs(t, err, errs.ErrClosed)
}
