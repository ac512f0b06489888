package shm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

const patience = 30 * time.Second // no test waits so long unless it fails

// tempDir returns an empty private directory, in /dev/shm if there is one.
func tempDir(t testing.TB) string {
	t.Helper()
	if st, err := os.Stat(shmDir); err != nil || !st.IsDir() {
		dir := filepath.Join(t.TempDir(), "d")
		require.NoError(t, os.Mkdir(dir, 0o700))
		return dir
	}
	dir, err := os.MkdirTemp(shmDir, "ultradict-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func tempRoot(t testing.TB) *Root {
	t.Helper()
	r, err := OpenRoot(tempDir(t), RootOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// tempInstance returns the directory of a live instance.
func tempInstance(t testing.TB) (*Root, *Dir, ID) {
	t.Helper()
	r := tempRoot(t)
	id := NewID()
	d, err := r.Make("dict", id)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	newSegmentIn(t, d, Control, 1, 0, 128, id)
	require.NoError(t, r.Publish(d, "dict"))
	return r, d, id
}

// newSegmentIn makes and publishes a segment.
func newSegmentIn(t testing.TB, d *Dir, kind Kind, creator, seq uint32, size int64, id ID) *Segment {
	t.Helper()
	f, err := d.Create(kind, creator, seq, size, id)
	require.NoError(t, err)
	s, err := f.Publish()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func entriesOf(t testing.TB, path string) []string {
	t.Helper()
	list, err := os.ReadDir(path)
	require.NoError(t, err)
	names := []string{}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// The second processes of the tests are this binary again, in a role.

const roleEnv = "ULTRADICT_TEST_SHM_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	words := strings.Split(role, "|")
	if err := roles[words[0]](words[1:]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

var roles = map[string]func(args []string) error{
	// lock <root>: takes the lock and keeps it until its input ends.
	"lock": func(args []string) error {
		r, err := OpenRoot(args[0], RootOptions{})
		if err != nil {
			return err
		}
		unlock, err := r.Lock(context.Background(), patience)
		if err != nil {
			return err
		}
		say("locked")
		return unlock()
	},
	// count <root> <file> <times>: adds to a number, each time under the lock.
	"count": func(args []string) error {
		return count(args[0], args[1])
	},
	// create <root> <stage>: makes an instance and stops in the middle.
	"create": func(args []string) error {
		r, err := OpenRoot(args[0], RootOptions{})
		if err != nil {
			return err
		}
		if _, err := r.Lock(context.Background(), patience); err != nil {
			return err
		}
		id := NewID()
		d, err := r.Make("dict", id)
		if err != nil || args[1] == "made" {
			say("made")
			return err
		}
		f, err := d.Create(Control, 1, 0, 1<<20, id)
		if err != nil || args[1] == "drafted" {
			say("drafted")
			return err
		}
		if _, err := f.Publish(); err != nil {
			return err
		}
		if _, err := d.Create(Stream, 1, 1, 1<<20, id); err != nil {
			return err
		}
		say("filled")
		return nil
	},
	// read <root> <name of segment>: maps it and prints a byte once told to.
	"read": func(args []string) error {
		r, err := OpenRoot(args[0], RootOptions{})
		if err != nil {
			return err
		}
		d, err := r.Open("dict")
		if err != nil {
			return err
		}
		name, err := ParseName(args[1])
		if err != nil {
			return err
		}
		s, err := d.Open(name, ID{}, false, false)
		if err != nil {
			return err
		}
		say("mapped")
		fmt.Println(s.Bytes()[HeaderSize])
		return nil
	},
	// as <uid> <gid> <mode> <path>: opens a root and writes into an instance.
	"as": asOtherUser,
}

// say prints a line and waits for one; if the test goes away it ends instead.
func say(line string) {
	fmt.Println(line)
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		os.Exit(3)
	}
}

type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t testing.TB, change func(*exec.Cmd), role ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	p := &process{cmd: exec.Command(exe, "-test.run=^$")}
	p.cmd.Env = append(os.Environ(), roleEnv+"="+strings.Join(role, "|"))
	p.cmd.Stderr = os.Stderr
	if change != nil {
		change(p.cmd)
	}
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.out = bufio.NewReader(out)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		p.kill()
	})
	return p
}

func (p *process) line(t testing.TB) string {
	t.Helper()
	timer := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	line, err := p.out.ReadString('\n')
	require.NoError(t, err, "the other process said %q", line)
	return strings.TrimSuffix(line, "\n")
}

func (p *process) goOn(t testing.TB) {
	t.Helper()
	_, err := io.WriteString(p.in, "\n")
	require.NoError(t, err)
}

// kill ends the process by SIGKILL and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// requireTyped fails unless err is one of those that a damaged or hostile
// directory may cause.
func requireTyped(t testing.TB, err error) {
	t.Helper()
	var errno syscall.Errno
	switch {
	case errors.Is(err, errs.ErrCorrupt), errors.Is(err, errs.ErrVersion), errors.Is(err, os.ErrNotExist),
		errors.Is(err, os.ErrPermission), errors.As(err, &errno):
	default:
		t.Fatalf("not one of the errors promised: %v", err)
	}
}
