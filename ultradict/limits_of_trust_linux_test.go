package ultradict_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

// These tests show what a participant that means harm can do, as it is told in
// docs/SECURITY.md, so that nobody relies on what is not so.

func init() { roles["faulting"] = faulting }

// faulting reads until it is told to stop.
func faulting(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]), ultradict.ReadOnly())
	if err != nil {
		return err
	}
	proctest.Say("open")
	proctest.Receive()
	_, err = d.Get("k")
	proctest.Say("alive: %v", err)
	return nil
}

// Who may write a file may truncate it, and whoever has mapped it faults: a
// program in Go ends.
func TestTruncationEndsReaders(t *testing.T) {
	dir := memoryDir(t)
	d, err := ultradict.Open("test", ultradict.WithDir(dir))
	require.NoError(t, err)
	require.NoError(t, d.Set("k", "v"))
	require.NoError(t, d.Close())
	p := proctest.Start(t, "faulting", dir)
	require.Equal(t, "open", p.Line())
	require.NoError(t, os.Truncate(filepath.Join(dir, "test", "control"), 0))
	p.Send("read")
	_, ok := p.TryLine()
	require.False(t, ok)
	require.ErrorContains(t, p.Wait(), "fault")
}

// Who may only read can lock bytes for reading. A byte that is locked stands for
// a participant that lives: nobody new gets an id that is locked so, and the
// lock of a dead owner is not taken over as long as it is.
func TestAReaderCanPretendThatOthersLive(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	require.NoError(t, d.Set("k", "v"))
	f, err := os.Open(filepath.Join(dir, "test", "control"))
	require.NoError(t, err)
	defer f.Close()
	bytes := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart, Start: 1<<32 + 100, Len: 1 << 30}
	require.NoError(t, unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &bytes))
	var failed error
	for range 200 {
		comer, err := ultradict.Open("test", ultradict.WithDir(dir))
		if failed = err; err != nil {
			break
		}
		require.NoError(t, comer.Close())
	}
	require.ErrorIs(t, failed, ultradict.ErrCorrupt, "it says what it sees")
	require.NoError(t, d.Set("k", "of those who are there"))
	bytes.Type = unix.F_UNLCK
	require.NoError(t, unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &bytes))
	comer, err := ultradict.Open("test", ultradict.WithDir(dir))
	require.NoError(t, err)
	require.NoError(t, comer.Close())
}

// Who may write can say anything: a record that is whole is believed.
func TestForgeryIsNotFound(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	require.NoError(t, d.Set("k", "v"))
	forger := open(t, dir)
	require.NoError(t, forger.Set("k", "forged"))
	v, err := d.Get("k")
	require.NoError(t, err)
	require.Equal(t, "forged", v, "there are no rights within a dictionary")
}

// What was deleted or overwritten stays in the files until its place is used
// again.
func TestDeletedValuesCanBeRead(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	require.NoError(t, d.Set("k", "a secret that was stored"))
	_, err := d.Delete("k")
	require.NoError(t, err)
	names, err := filepath.Glob(filepath.Join(dir, "test", "*"))
	require.NoError(t, err)
	var all strings.Builder
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		fmt.Fprintf(&all, "%s", b)
	}
	require.Contains(t, all.String(), "a secret that was stored")
}
