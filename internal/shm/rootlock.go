package shm

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ultradict/go/internal/errs"
)

// The lock is polled, because flock cannot be told when to give up.
const (
	firstPoll = 100 * time.Microsecond
	lastPoll  = 5 * time.Millisecond
)

// Lock takes the lock under which instances are created and removed. It
// excludes other processes and other goroutines of this one alike, and falls
// when its holder dies. It is not reentrant and not fair: it is held for a few
// system calls, seldom.
//
// It gives up after the timeout with [*errs.LockError] (a timeout of zero or
// less tries once), and when ctx ends with an error that wraps ctx.Err().
// unlock is idempotent.
func (r *Root) Lock(ctx context.Context, timeout time.Duration) (unlock func() error, err error) {
	// An open description of its own is what makes goroutines exclude each
	// other; unlocking by name, not by closing alone, is what makes a child
	// that was being forked meanwhile not keep the lock.
	f, err := r.reopen()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", r.path, err)
	}
	if err := r.lock(ctx, f, timeout); err != nil {
		f.Close()
		return nil, err
	}
	return sync.OnceValue(func() error {
		defer f.Close()
		if err := sysUnlock(int(f.Fd())); err != nil {
			return pathError("unlock", r.path, err)
		}
		return nil
	}), nil
}

func (r *Root) lock(ctx context.Context, f *os.File, timeout time.Duration) error {
	start := time.Now()
	var timer *time.Timer
	for pause := firstPoll; ; pause = min(2*pause, lastPoll) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("lock %s: %w", r.path, err)
		}
		busy, err := sysLock(int(f.Fd()))
		if err != nil {
			return pathError("lock", r.path, err)
		}
		if !busy {
			return nil
		}
		waited := time.Since(start)
		if waited >= timeout {
			return fmt.Errorf("lock %s: %w", r.path, &errs.LockError{OwnerPID: r.lockOwner(), Held: waited})
		}
		if timer == nil {
			timer = time.NewTimer(min(pause, timeout-waited))
			defer timer.Stop()
		} else {
			timer.Reset(min(pause, timeout-waited))
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// lockOwner returns the process that holds the lock, or 0 if it cannot be told.
func (r *Root) lockOwner() int {
	f, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer f.Close()
	major, minor := device(r.st.dev)
	file := fmt.Sprintf("%02x:%02x:%d", major, minor, r.st.ino)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if pid := flockOwner(lines.Text(), file); pid > 0 {
			return pid
		}
	}
	return 0
}

// flockOwner reads a line of /proc/locks:
//
//	2: FLOCK  ADVISORY  WRITE 4711 00:1a:1033 0 EOF
func flockOwner(line, file string) int {
	words := strings.Fields(line)
	if len(words) < 6 || words[1] != "FLOCK" || words[5] != file {
		return 0 // a waiter's line has "->" for its second word
	}
	pid, err := strconv.Atoi(words[4])
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
