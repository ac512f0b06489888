package shm

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

func TestLock(t *testing.T) {
	r := tempRoot(t)
	unlock, err := r.Lock(t.Context(), 0)
	require.NoError(t, err, "free: one attempt is enough")

	for _, timeout := range []time.Duration{-1, 0, time.Millisecond} {
		_, err = r.Lock(t.Context(), timeout)
		var locked *errs.LockError
		require.ErrorAs(t, err, &locked)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, os.Getpid(), locked.OwnerPID)
	}

	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() {
		_, err := r.Lock(ctx, patience)
		stopped <- err
	}()
	cancel()
	require.ErrorIs(t, <-stopped, context.Canceled)
	_, err = r.Lock(ctx, patience)
	require.ErrorIs(t, err, context.Canceled)

	require.NoError(t, unlock())
	unlock2, err := r.Lock(t.Context(), patience)
	require.NoError(t, err)
	require.NoError(t, unlock(), "a second time does nothing")
	_, err = r.Lock(t.Context(), 0)
	require.Error(t, err, "and above all does not unlock another's lock")
	require.NoError(t, unlock2())

	require.NoError(t, r.Close())
	_, err = r.Lock(t.Context(), 0)
	require.ErrorIs(t, err, errs.ErrClosed)
}

func TestLockBetweenGoroutines(t *testing.T) {
	r := tempRoot(t)
	var wg sync.WaitGroup
	n := 0 // the race detector cannot see flock; the total can
	var shadow sync.Mutex
	for range 8 {
		wg.Go(func() {
			for range 20 {
				unlock, err := r.Lock(t.Context(), patience)
				if err != nil {
					t.Error(err)
					return
				}
				if !shadow.TryLock() {
					t.Error("two goroutines hold the lock")
				} else {
					n++
					shadow.Unlock()
				}
				if err := unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 8*20, n)
}

const counts = 100

// count adds to the number in a file, which is only right under the lock.
func count(root, file string) error {
	r, err := OpenRoot(root, RootOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	for range counts {
		unlock, err := r.Lock(context.Background(), patience)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(b))
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(strconv.Itoa(n+1)), 0o600); err != nil {
			return err
		}
		if err := unlock(); err != nil {
			return err
		}
	}
	return nil
}

func TestLockBetweenProcesses(t *testing.T) {
	r := tempRoot(t)
	file := filepath.Join(t.TempDir(), "number")
	require.NoError(t, os.WriteFile(file, []byte("0"), 0o600))
	var others []*process
	for range 3 {
		others = append(others, start(t, nil, "count", r.Path(), file))
	}
	require.NoError(t, count(r.Path(), file))
	for _, p := range others {
		line, _ := p.out.ReadString('\n')
		require.NoError(t, p.cmd.Wait(), line)
	}
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(4*counts), string(b))
}

func TestLockFallsWithItsHolder(t *testing.T) {
	r := tempRoot(t)
	p := start(t, nil, "lock", r.Path())
	require.Equal(t, "locked", p.line(t))
	_, err := r.Lock(t.Context(), 0)
	var locked *errs.LockError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, p.cmd.Process.Pid, locked.OwnerPID)
	p.kill()
	unlock, err := r.Lock(t.Context(), patience)
	require.NoError(t, err)
	require.NoError(t, unlock())
}

func TestFlockOwner(t *testing.T) {
	const file = "00:1a:1033"
	lines := "1: POSIX  ADVISORY  WRITE 1 00:1a:1033 0 EOF\n" +
		"2: FLOCK  ADVISORY  WRITE 2 00:1a:1034 0 EOF\n" +
		"2: -> FLOCK  ADVISORY  WRITE 3 00:1a:1033 0 EOF\n" +
		"3: FLOCK  ADVISORY  WRITE x 00:1a:1033 0 EOF\n" +
		"3: FLOCK  ADVISORY  WRITE -1 00:1a:1033 0 EOF\n\nFLOCK\n"
	for s := bufio.NewScanner(strings.NewReader(lines)); s.Scan(); {
		require.Zero(t, flockOwner(s.Text(), file), s.Text())
	}
	require.Equal(t, 4711, flockOwner("4: FLOCK  ADVISORY  WRITE 4711 00:1a:1033 0 EOF", file))
}
