package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() {
	roles["stranger"] = stranger
	roles["owner"] = owner
	roles["member"] = member
	roles["looker"] = looker
	roles["poker"] = poker
}

const (
	strangerID = 40001
	ownerID    = 40003
	memberID   = 40002
	groupID    = 40100
)

// as makes a role run as another user. The other must be able to run the test
// binary, so it is copied to where everybody can.
func as(t *testing.T, uid, gid uint32) func(*exec.Cmd) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become other users")
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	code, err := os.ReadFile(exe)
	require.NoError(t, err)
	bin, err := os.MkdirTemp("", "ultradict-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(bin)) })
	require.NoError(t, os.Chmod(bin, 0o755))
	exe = filepath.Join(bin, "test")
	require.NoError(t, os.WriteFile(exe, code, 0o755))
	return func(cmd *exec.Cmd) {
		cmd.Path, cmd.Dir = exe, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
}

// publicDir is a directory that everybody can look into.
func publicDir(t *testing.T) string {
	dir := memoryDir(t)
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// stranger tries whatever a user may try who has no business here, and says
// what worked.
func stranger(args []string) error {
	root, pid := args[0], args[1]
	worked := []string{}
	try := func(what string, err error) {
		if err == nil {
			worked = append(worked, what)
		} else if !errors.Is(err, fs.ErrPermission) {
			worked = append(worked, fmt.Sprintf("%s failed, but so: %v", what, err))
		}
	}
	for what, opts := range map[string][]ultradict.Option{
		"open": nil, "attach": {ultradict.AttachOnly()}, "read": {ultradict.ReadOnly()},
		"create": {ultradict.CreateOnly()}, "ask as a group": {ultradict.WithMode(0o660)},
		"read as a group": {ultradict.WithMode(0o640), ultradict.ReadOnly()},
	} {
		_, err := ultradict.Open("test", append(opts, ultradict.WithDir(root))...)
		try(what, err)
	}
	_, err := ultradict.List(ultradict.WithDir(root))
	try("list", err)
	try("remove", ultradict.Remove("test", ultradict.WithDir(root)))
	_, err = os.ReadDir(root)
	try("read the root", err)
	_, err = os.ReadDir(filepath.Join(root, "test"))
	try("read the instance", err)
	for _, flag := range []int{os.O_RDONLY, os.O_WRONLY} {
		_, err = os.OpenFile(filepath.Join(root, "test", "control"), flag, 0)
		try(fmt.Sprint("open the control segment ", flag), err)
		_, err = os.OpenFile(filepath.Join(root, "test", "stream-00000000-00000001"), flag, 0)
		try(fmt.Sprint("open the stream ", flag), err)
	}
	try("plant a link", os.Symlink("/etc", filepath.Join(root, "planted")))
	try("rename", os.Rename(filepath.Join(root, "test"), filepath.Join(root, "moved")))
	try("delete", os.Remove(filepath.Join(root, "test", "control")))
	try("delete the root", os.Remove(root))
	_, err = os.ReadDir("/proc/" + pid + "/fd")
	try("read the descriptors of a participant", err)
	_, err = os.ReadDir("/proc/" + pid + "/map_files")
	try("read the mappings of a participant", err)
	_, err = os.ReadFile("/proc/" + pid + "/maps")
	try("read the map of a participant", err)
	proctest.Say("worked: %q", worked)
	return nil
}

func TestOthersAreKeptOut(t *testing.T) {
	change := as(t, strangerID, strangerID)
	for mode, gid := range map[fs.FileMode]int{0: 0, 0o640: groupID, 0o660: groupID} {
		root := filepath.Join(publicDir(t), "root")
		opts := []ultradict.Option{ultradict.WithDir(root)}
		if mode != 0 {
			opts = append(opts, ultradict.WithMode(mode))
			require.NoError(t, os.Mkdir(root, mode|mode&0o440>>2))
			require.NoError(t, os.Chmod(root, mode|mode&0o440>>2))
			require.NoError(t, os.Chown(root, 0, gid))
		}
		d, err := ultradict.Open("test", opts...)
		require.NoError(t, err)
		require.NoError(t, d.Set("secret", "s"))
		p := proctest.StartWith(t, change, "stranger", root, fmt.Sprint(os.Getpid()))
		require.Equal(t, "worked: []", p.Line(), "mode %v", mode)
		require.NoError(t, p.Wait())
		v, err := d.Get("secret")
		require.NoError(t, err)
		require.Equal(t, "s", v)
		require.NoError(t, d.Close())
	}
}

// owner makes a dictionary that a group may use, and looks at it again.
func owner(args []string) error {
	mode, err := strconv.ParseUint(args[1], 8, 32)
	if err != nil {
		return err
	}
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]), ultradict.WithMode(fs.FileMode(mode)), ultradict.WithStreamSize(4<<10))
	if err != nil {
		return err
	}
	if err := d.Set("k", "of the owner"); err != nil {
		return err
	}
	proctest.Say("open")
	proctest.Receive()
	want := map[fs.FileMode]string{0o640: "of the owner", 0o660: "of the member"}[fs.FileMode(mode)]
	if v, err := d.Get("k"); err != nil || v != want {
		return fmt.Errorf("%v, %w", v, err)
	}
	if v, err := d.Get("large"); mode == 0o660 && (err != nil || len(v.(string)) != 3099) {
		return fmt.Errorf("%v, %w", v, err)
	}
	proctest.Say("seen")
	return errors.Join(d.Set("k", "of the owner again"), d.Close())
}

// member is a process of another user who belongs to the group.
func member(args []string) error {
	opts := []ultradict.Option{ultradict.WithDir(args[0])}
	if _, err := ultradict.Open("test", append(opts, ultradict.AttachOnly())...); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("without asking for it: %w", err)
	}
	if args[1] == "read" {
		opts = append(opts, ultradict.WithMode(0o640))
		if _, err := ultradict.Open("test", opts...); !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("writing where only reading is allowed: %w", err)
		}
		opts = append(opts, ultradict.ReadOnly())
	} else {
		opts = append(opts, ultradict.WithMode(0o660))
	}
	d, err := ultradict.Open("test", opts...)
	if err != nil {
		return err
	}
	if v, err := d.Get("k"); err != nil || v != "of the owner" {
		return fmt.Errorf("%v, %w", v, err)
	}
	err = d.Set("k", "of the member")
	if args[1] == "read" {
		if !errors.Is(err, ultradict.ErrReadOnly) {
			return fmt.Errorf("Set: %w", err)
		}
		proctest.Say("done")
		return d.Close()
	}
	for i := range 100 { // stream, layers and bodies of the member's
		if err := errors.Join(err, d.Set(fmt.Sprint(i%10), strings.Repeat("v", 100)), d.Set("large", strings.Repeat("l", 3000+i))); err != nil {
			return err
		}
	}
	proctest.Say("done")
	proctest.Receive()
	return nil
}

func TestMembersOfTheGroup(t *testing.T) {
	asOwner, asMember := as(t, ownerID, groupID), as(t, memberID, groupID)
	for mode, what := range map[fs.FileMode]string{0o640: "read", 0o660: "write"} {
		root := filepath.Join(publicDir(t), "root")
		require.NoError(t, os.Mkdir(root, 0o700))
		require.NoError(t, os.Chmod(root, mode|mode&0o440>>2))
		require.NoError(t, os.Chown(root, ownerID, groupID))
		o := proctest.StartWith(t, asOwner, "owner", root, fmt.Sprintf("%o", mode))
		require.Equal(t, "open", saidBy(t, o))
		m := proctest.StartWith(t, asMember, "member", root, what)
		require.Equal(t, "done", saidBy(t, m))
		m.Kill() // a death of another user's process is seen like any other
		o.Send("look")
		require.Equal(t, "seen", saidBy(t, o))
		require.NoError(t, o.Wait())
		files, err := filepath.Glob(filepath.Join(root, "test", "*"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			st, err := os.Stat(file)
			require.NoError(t, err)
			require.Equal(t, mode, st.Mode().Perm(), file)
			require.EqualValues(t, groupID, st.Sys().(*syscall.Stat_t).Gid, file)
			require.EqualValues(t, 1, st.Sys().(*syscall.Stat_t).Nlink, file)
		}
	}
}

// saidBy is the next line of a role, or the error that it ended with.
func saidBy(t *testing.T, p *proctest.Proc) string {
	t.Helper()
	line, ok := p.TryLine()
	if !ok {
		require.NoError(t, p.Wait())
	}
	return line
}

// mappings are the lines of this process's map that lie in a directory.
func mappings(dir string) (lines []string, err error) {
	b, err := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, dir) {
			lines = append(lines, line)
		}
	}
	return lines, err
}

func reading(dir string) (*ultradict.Dict, error) {
	d, err := ultradict.Open("test", ultradict.WithDir(dir), ultradict.ReadOnly())
	if err != nil {
		return nil, err
	}
	if v, err := d.Get("large"); err != nil || len(v.(string)) != 3000 {
		return nil, fmt.Errorf("%v, %w", v, err)
	}
	for _, err := range d.Entries() {
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

// looker only reads, and makes sure that it could not write if it wanted to.
func looker(args []string) error {
	d, err := reading(args[0])
	if err != nil {
		return err
	}
	lines, err := mappings(args[0])
	if err != nil || len(lines) < 3 {
		return fmt.Errorf("%q, %w", lines, err)
	}
	for _, line := range lines {
		if words := strings.Fields(line); words[1] != "r--s" {
			return fmt.Errorf("a mapping that is not for reading alone: %s", line)
		}
	}
	_, deleted := d.Delete("k")
	for what, err := range map[string]error{
		"Set": d.Set("k", 1), "Delete": deleted, "Clear": d.Clear(),
		"Update": d.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error { return tx.Set("k", 1) }),
	} {
		if !errors.Is(err, ultradict.ErrReadOnly) {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	// What is opened is not handed on to the programs that this one starts.
	out, err := exec.Command("ls", "-l", "/proc/self/fd").CombinedOutput()
	if err != nil || strings.Contains(string(out), args[0]) {
		return fmt.Errorf("descriptors were inherited: %s, %w", out, err)
	}
	proctest.Say("%d mappings", len(lines))
	return d.Close()
}

// poker stores a byte into what it has mapped for reading.
func poker(args []string) error {
	if _, err := reading(args[0]); err != nil {
		return err
	}
	lines, err := mappings(filepath.Join(args[0], "test", "control"))
	if err != nil || len(lines) == 0 {
		return fmt.Errorf("%q, %w", lines, err)
	}
	var from, to uintptr
	if _, err := fmt.Sscanf(lines[0], "%x-%x", &from, &to); err != nil {
		return err
	}
	proctest.Say("storing")
	storeAt(from + 2000)
	proctest.Say("stored")
	return nil
}

// Who opens a dictionary for reading cannot write to it: neither by a call, nor
// by a store.
func TestReadersCannotWrite(t *testing.T) {
	dir := memoryDir(t)
	d, err := ultradict.Open("test", ultradict.WithDir(dir), ultradict.WithStreamSize(4<<10))
	require.NoError(t, err)
	require.NoError(t, d.Set("large", strings.Repeat("l", 3000)))
	for i := range 60 {
		require.NoError(t, d.Set(fmt.Sprint("k", i%20), fmt.Sprint(i, strings.Repeat("v", 50))))
	}
	require.NoError(t, d.Close())
	all := func() map[string]string {
		files := map[string]string{}
		names, err := filepath.Glob(filepath.Join(dir, "test", "*"))
		require.NoError(t, err)
		for _, name := range names {
			b, err := os.ReadFile(name)
			require.NoError(t, err)
			files[name] = string(b)
		}
		return files
	}
	before := all()
	p := proctest.Start(t, "looker", dir)
	line, _ := p.TryLine()
	require.NoError(t, p.Wait())
	t.Log(line)
	require.Equal(t, before, all(), "not a byte of it was changed")

	p = proctest.Start(t, "poker", dir)
	require.Equal(t, "storing", p.Line())
	_, more := p.TryLine()
	require.False(t, more, "it stored")
	require.ErrorContains(t, p.Wait(), "fault")
	require.Equal(t, before, all())
}
