package ultradict_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// tree describes everything below a directory: names, types, modes, owners,
// times of change, contents.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		text := ""
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = fmt.Sprintf("%x", content)
		}
		fmt.Fprintf(&b, "%s %v %d:%d %d %d %s\n", path, info.Mode(), st.Uid, st.Gid, st.Nlink, st.Mtim, text)
		return nil
	}))
	return b.String()
}

// refusals are what a planted thing may be answered with.
func refused(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, ultradict.ErrCorrupt)
}

// TestPlanted puts things where a dictionary, or its files, should be: each way
// to open it says why it refuses, at once, and touches nothing.
func TestPlanted(t *testing.T) {
	stream := "stream-00000000-00000001"
	root := func(dir string) string { return filepath.Join(dir, "root") }
	mkdir := func(path string, mode fs.FileMode) error {
		return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, mode))
	}
	socket := func(t *testing.T, path string) error {
		// The path of a socket is short: it is bound from its directory.
		back, err := os.Getwd()
		if err != nil {
			return err
		}
		if err := os.Chdir(filepath.Dir(path)); err != nil {
			return err
		}
		l, err := net.Listen("unix", filepath.Base(path))
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return errors.Join(err, os.Chdir(back))
	}
	for _, c := range []struct {
		what  string
		plant func(t *testing.T, dir string) error // a sound dictionary stands at dir/root/test, and at dir/elsewhere
		why   string
	}{
		{"the root is a link", func(t *testing.T, dir string) error {
			return errors.Join(os.Rename(root(dir), dir+"/real"), os.Symlink(dir+"/real", root(dir)))
		}, "symbolic link"},
		{"the root is a FIFO", func(t *testing.T, dir string) error {
			return errors.Join(os.RemoveAll(root(dir)), syscall.Mkfifo(root(dir), 0o600))
		}, "not a directory"},
		{"everybody may write the root", func(t *testing.T, dir string) error { return os.Chmod(root(dir), 0o777) }, "everybody may write"},
		{"the root is like /tmp", func(t *testing.T, dir string) error { return os.Chmod(root(dir), 0o777|fs.ModeSticky) }, "everybody may write"},
		{"a group may write the root", func(t *testing.T, dir string) error { return os.Chmod(root(dir), 0o770) }, "its group may write"},
		{"the root is another's", func(t *testing.T, dir string) error { return os.Chown(root(dir), strangerID, -1) }, "belongs to user 40001"},

		{"the instance is a link", func(t *testing.T, dir string) error {
			return errors.Join(os.RemoveAll(root(dir)+"/test"), os.Symlink(dir+"/elsewhere", root(dir)+"/test"))
		}, "symbolic link"},
		{"the instance is a FIFO", func(t *testing.T, dir string) error {
			return errors.Join(os.RemoveAll(root(dir)+"/test"), syscall.Mkfifo(root(dir)+"/test", 0o600))
		}, "not a directory"},
		{"the instance is a socket", func(t *testing.T, dir string) error {
			return errors.Join(os.RemoveAll(root(dir)+"/test"), socket(t, root(dir)+"/test"))
		}, "not a directory"},
		{"the instance is a file", func(t *testing.T, dir string) error {
			return errors.Join(os.RemoveAll(root(dir)+"/test"), os.WriteFile(root(dir)+"/test", nil, 0o600))
		}, "not a directory"},
		{"everybody may write the instance", func(t *testing.T, dir string) error { return os.Chmod(root(dir)+"/test", 0o707) }, "everybody may write"},
		{"the instance is another's", func(t *testing.T, dir string) error { return os.Chown(root(dir)+"/test", strangerID, -1) }, "belongs to user 40001"},
		{"an empty instance is another's", func(t *testing.T, dir string) error {
			return errors.Join(os.RemoveAll(root(dir)+"/test"), mkdir(root(dir)+"/test", 0o700), os.Chown(root(dir)+"/test", strangerID, -1))
		}, "belongs to user 40001"},

		{"the control segment is a link", func(t *testing.T, dir string) error {
			return errors.Join(os.Remove(root(dir)+"/test/control"), os.Symlink(dir+"/elsewhere/control", root(dir)+"/test/control"))
		}, "not a regular file"},
		{"the control segment is a FIFO", func(t *testing.T, dir string) error {
			return errors.Join(os.Remove(root(dir)+"/test/control"), syscall.Mkfifo(root(dir)+"/test/control", 0o600))
		}, "not a regular file"},
		{"the control segment is a socket", func(t *testing.T, dir string) error {
			return errors.Join(os.Remove(root(dir)+"/test/control"), socket(t, root(dir)+"/test/control"))
		}, "not a regular file"},
		{"the control segment is a directory", func(t *testing.T, dir string) error {
			return errors.Join(os.Remove(root(dir)+"/test/control"), mkdir(root(dir)+"/test/control", 0o700))
		}, "not a regular file"},
		{"the control segment has a second name", func(t *testing.T, dir string) error {
			return os.Link(root(dir)+"/test/control", dir+"/second")
		}, "2 names"},
		{"everybody may write the control segment", func(t *testing.T, dir string) error { return os.Chmod(root(dir)+"/test/control", 0o602) }, "everybody may write"},
		{"the control segment is another's", func(t *testing.T, dir string) error {
			return os.Chown(root(dir)+"/test/control", strangerID, -1)
		}, "belongs to user 40001"},
		{"the control segment is of another dictionary", func(t *testing.T, dir string) error {
			content, err := os.ReadFile(dir + "/elsewhere/control")
			return errors.Join(err, os.WriteFile(root(dir)+"/test/control", content, 0o600))
		}, "it belongs to instance"},

		{"the stream is a link", func(t *testing.T, dir string) error {
			return errors.Join(os.Remove(root(dir)+"/test/"+stream), os.Symlink(dir+"/elsewhere/"+stream, root(dir)+"/test/"+stream))
		}, "not a regular file"},
		{"the stream is a FIFO", func(t *testing.T, dir string) error {
			return errors.Join(os.Remove(root(dir)+"/test/"+stream), syscall.Mkfifo(root(dir)+"/test/"+stream, 0o600))
		}, "not a regular file"},
		{"the stream has a second name", func(t *testing.T, dir string) error {
			return os.Link(root(dir)+"/test/"+stream, dir+"/second")
		}, "2 names"},
		{"everybody may write the stream", func(t *testing.T, dir string) error { return os.Chmod(root(dir)+"/test/"+stream, 0o606) }, "everybody may write"},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := memoryDir(t)
			for _, name := range []string{"test", "other"} {
				d, err := ultradict.Open(name, ultradict.WithDir(root(dir)))
				require.NoError(t, err)
				require.NoError(t, d.Set("k", name))
				require.NoError(t, d.Close())
			}
			require.NoError(t, os.Rename(root(dir)+"/other", dir+"/elsewhere"))
			if err := c.plant(t, dir); errors.Is(err, fs.ErrPermission) {
				t.Skip("only root can give files away")
			} else {
				require.NoError(t, err)
			}
			inStream := strings.Contains(c.what, "stream") || strings.Contains(c.what, "of another dictionary")
			before := tree(t, dir)
			for how, opts := range map[string][]ultradict.Option{
				"open": nil, "attach": {ultradict.AttachOnly()}, "read": {ultradict.ReadOnly()}, "create": {ultradict.CreateOnly()},
			} {
				d, err := ultradict.Open("test", append(opts, ultradict.WithDir(root(dir)))...)
				if inStream && err == nil { // what is mapped later is looked at later
					_, err = d.Get("k")
					require.NoError(t, d.Close())
				}
				if how == "create" && errors.Is(err, ultradict.ErrExists) {
					continue
				}
				require.True(t, refused(err), "%s: %v", how, err)
				require.ErrorContains(t, err, c.why, how)
			}
			if inStream { // participants come and go
				return
			}
			require.Equal(t, before, tree(t, dir), "something was touched")
			if strings.Contains(c.what, "control") {
				return // what is damaged can be removed
			}
			err := ultradict.Remove("test", ultradict.WithDir(root(dir)))
			require.ErrorContains(t, err, c.why)
			require.Equal(t, before, tree(t, dir), "something was touched")
		})
	}
}

// What is planted among the leftovers that a creator sweeps, or in a dictionary
// that is removed, is unlinked itself; nothing that it leads to is touched.
func TestPlantedLeftovers(t *testing.T) {
	dir := memoryDir(t)
	root, victim := filepath.Join(dir, "root"), filepath.Join(dir, "victim")
	require.NoError(t, os.Mkdir(root, 0o700))
	require.NoError(t, os.Mkdir(victim, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(victim, "precious"), []byte("p"), 0o600))
	before := tree(t, victim)
	dotted := filepath.Join(root, ".job."+strings.Repeat("ab", 16))
	fill := func(dir string) {
		require.NoError(t, os.Symlink(victim, filepath.Join(dir, "link")))
		require.NoError(t, os.Symlink(filepath.Join(victim, "precious"), filepath.Join(dir, "body-00000001-00000001")))
		require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "layer-00000001-00000001"), 0o600))
		require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o700))
	}
	require.NoError(t, os.Mkdir(dotted, 0o700))
	fill(dotted)
	require.NoError(t, os.Symlink(victim, filepath.Join(root, ".link."+strings.Repeat("cd", 16))))
	d, err := ultradict.Open("test", ultradict.WithDir(root))
	require.NoError(t, err)
	require.NoFileExists(t, dotted)
	fill(filepath.Join(root, "test"))
	for i := range 300 { // sweeps pass by them
		require.NoError(t, d.Set("k", strings.Repeat("v", i)))
	}
	require.NoError(t, d.Close())
	require.NoError(t, ultradict.Remove("test", ultradict.WithDir(root)))
	require.NoDirExists(t, filepath.Join(root, "test"))
	require.Equal(t, before, tree(t, victim))
}
