package ultradict_test

import (
	"context"
	"fmt"
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

func init() { roles["locker"], roles["section"] = locker, section }

func TestLock(t *testing.T) {
	dir := memoryDir(t)
	a, b := open(t, dir), open(t, dir)
	first, err := a.Lock(t.Context(), "door")
	require.NoError(t, err)
	_, abandoned := first.Abandoned()
	require.False(t, abandoned)
	other, err := b.Lock(t.Context(), "window")
	require.NoError(t, err)
	require.NoError(t, other.Unlock())
	for _, d := range []*ultradict.Dict{a, b} { // also not the handle that has it
		held, ok, err := d.TryLock("door")
		require.NoError(t, err)
		require.False(t, ok)
		require.Nil(t, held)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = b.Lock(ctx, "door")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var locked *ultradict.LockError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, os.Getpid(), locked.OwnerPID)
	require.Contains(t, err.Error(), `"door" of "test"`)

	got := make(chan *ultradict.Held)
	go func() {
		held, err := b.Lock(context.Background(), "door")
		if err != nil {
			t.Errorf("lock: %v", err)
		}
		got <- held
	}()
	pause()
	require.NoError(t, first.Unlock())
	second := <-got
	require.Greater(t, second.Token(), first.Token())
	_, abandoned = second.Abandoned()
	require.False(t, abandoned)
	require.ErrorIs(t, first.Unlock(), ultradict.ErrNotHeld)
	require.NoError(t, second.Unlock())
	require.ErrorIs(t, second.Unlock(), ultradict.ErrNotHeld)

	// Locks are no entries that anybody sees.
	n, err := a.Len()
	require.NoError(t, err)
	require.Zero(t, n)
	for range a.All() {
		require.Fail(t, "an entry")
	}
	requireHealthy(t, dir)
}

func TestLockOfAClosedHandle(t *testing.T) {
	dir := memoryDir(t)
	a, b := open(t, dir), open(t, dir)
	lost, err := a.Lock(t.Context(), "door")
	require.NoError(t, err)
	require.NoError(t, a.Close())
	require.ErrorIs(t, lost.Unlock(), ultradict.ErrClosed)
	held, err := b.Lock(t.Context(), "door")
	require.NoError(t, err)
	pid, abandoned := held.Abandoned()
	require.True(t, abandoned)
	require.Equal(t, os.Getpid(), pid)
	_, err = a.Lock(t.Context(), "door")
	require.ErrorIs(t, err, ultradict.ErrClosed)
	reader := open(t, dir, ultradict.ReadOnly())
	_, _, err = reader.TryLock("window")
	require.ErrorIs(t, err, ultradict.ErrReadOnly)
	require.NoError(t, held.Unlock())
}

func TestLockNames(t *testing.T) {
	d := open(t, memoryDir(t))
	for _, name := range []string{"", "\xff", strings.Repeat("x", 70_000)} {
		_, err := d.Lock(t.Context(), name)
		require.ErrorIs(t, err, ultradict.ErrInvalidName)
		_, _, err = d.TryLock(name)
		require.ErrorIs(t, err, ultradict.ErrInvalidName)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Lock(done, "door")
	require.ErrorIs(t, err, context.Canceled)
}

// A holder that dies gives the lock to the next, who is told; one that is stopped
// keeps it.
func TestLockOfTheDead(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	last := uint64(0)
	for range 10 {
		p := proctest.Start(t, "locker", dir)
		require.Equal(t, "held", p.Line())
		p.Stop()
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
		_, err := d.Lock(ctx, "door")
		cancel()
		var locked *ultradict.LockError
		require.ErrorAs(t, err, &locked)
		require.Equal(t, p.PID(), locked.OwnerPID)
		p.Cont()
		p.Kill()
		held, err := d.Lock(t.Context(), "door")
		require.NoError(t, err)
		pid, abandoned := held.Abandoned()
		require.True(t, abandoned)
		require.Equal(t, p.PID(), pid)
		require.Greater(t, held.Token(), last)
		last = held.Token()
		require.NoError(t, held.Unlock())
	}
	requireHealthy(t, dir)
}

func locker(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	if _, err := d.Lock(context.Background(), "door"); err != nil {
		return err
	}
	proctest.Say("held")
	select {}
}

// Processes that read, wait and write a file by turns lose nothing, though some of
// them are killed within their critical section: the next one mends what it left.
func TestLockExcludes(t *testing.T) {
	dir := memoryDir(t)
	open(t, dir, ultradict.WithStreamSize(4<<10))
	file := filepath.Join(t.TempDir(), "counter")
	require.NoError(t, os.WriteFile(file, []byte("0 0"), 0o600))
	const each = 200
	var procs []*proctest.Proc
	for range 4 {
		procs = append(procs, proctest.Start(t, "section", dir, file, strconv.Itoa(each)))
	}
	for range 10 {
		p := proctest.Start(t, "section", dir, file, strconv.Itoa(1<<30))
		p.Line()
		p.Kill()
	}
	sum := 0
	for _, p := range procs {
		for {
			line := p.Line()
			if n, ok := strings.CutPrefix(line, "done "); ok {
				require.Equal(t, strconv.Itoa(each), n)
				sum += each
				break
			}
		}
		require.NoError(t, p.Wait())
	}
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var before, after int
	_, err = fmt.Sscan(string(b), &before, &after)
	require.NoError(t, err)
	require.Equal(t, before, after, "the last one was not interrupted")
	require.GreaterOrEqual(t, before, sum)
	requireHealthy(t, dir)
}

// section counts in a file, in two steps that must not be seen by halves.
func section(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	for range n {
		held, err := d.Lock(context.Background(), "counter")
		if err != nil {
			return err
		}
		b, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		var before, after int
		if _, err := fmt.Sscan(string(b), &before, &after); err != nil {
			return err
		}
		if _, abandoned := held.Abandoned(); before != after && !abandoned {
			return fmt.Errorf("half of it is there (%q), and nobody has died", b)
		}
		write := func(text string) error {
			// In one piece: what is shown is the lock.
			if err := os.WriteFile(args[1]+fmt.Sprint(os.Getpid()), []byte(text), 0o600); err != nil {
				return err
			}
			return os.Rename(args[1]+fmt.Sprint(os.Getpid()), args[1])
		}
		if err := write(fmt.Sprint(before+1, after)); err != nil {
			return err
		}
		proctest.Say("in the middle")
		if err := write(fmt.Sprint(before+1, before+1)); err != nil {
			return err
		}
		if err := held.Unlock(); err != nil {
			return err
		}
	}
	proctest.Say("done %d", n)
	return d.Close()
}
