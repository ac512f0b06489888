package locks

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Main(m, map[string]func([]string) error{
		"counter": counter,
		"holder":  holder,
		"waiter":  waiter,
	})
}

// shared maps a file that holds one plain number.
func shared(path string) (*uint64, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err = f.Truncate(8); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, 8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*uint64)(unsafe.Pointer(&mem[0])), nil
}

// counter adds 1 to a shared number under the lock, n times, and says how long
// it had to wait at most. With n < 0 it goes on for ever.
func counter(args []string) error {
	f, err := Open(args[0])
	if err != nil {
		return err
	}
	number, err := shared(args[1])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	proctest.Say("ready")
	proctest.Receive()
	var longest time.Duration
	for i := 0; i != n; i++ {
		begin := time.Now()
		unlock, err := f.Lock(context.Background())
		if err != nil {
			return err
		}
		longest = max(longest, time.Since(begin))
		*number++
		unlock()
	}
	if err = f.Close(); err != nil {
		return err
	}
	proctest.Say("%v", longest)
	return nil
}

// holder takes the lock and keeps it until it is told otherwise. Its process
// touches some MiB of memory first.
func holder(args []string) error {
	f, err := Open(args[0])
	if err != nil {
		return err
	}
	mib, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if mib > 0 {
		mem, err := unix.Mmap(-1, 0, mib<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		unix.Madvise(mem, unix.MADV_NOHUGEPAGE) // small pages take long to free
		for i := 0; i < len(mem); i += 4096 {
			mem[i] = 1
		}
	}
	unlock, err := f.Lock(context.Background())
	if err != nil {
		return err
	}
	proctest.Say("locked")
	proctest.Receive()
	unlock()
	proctest.Say("unlocked")
	proctest.Receive()
	return nil
}

// waiter says when it is about to wait, and when it has the lock.
func waiter(args []string) error {
	f, err := Open(args[0])
	if err != nil {
		return err
	}
	proctest.Say("waiting")
	unlock, err := f.Lock(context.Background())
	if err != nil {
		return err
	}
	proctest.Say("locked")
	proctest.Receive()
	unlock()
	return nil
}

func lockFile(t testing.TB) (path string, f *File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lock")
	f, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return path, f
}

func startHolder(t *testing.T, path string, mib int) *proctest.Proc {
	t.Helper()
	p := proctest.Start(t, "holder", path, strconv.Itoa(mib))
	require.Equal(t, "locked", p.Line())
	return p
}

// lockNow takes the lock within a time that only a hang exceeds.
func lockNow(t *testing.T, f *File) (unlock func(), took time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	begin := time.Now()
	unlock, err := f.Lock(ctx)
	require.NoError(t, err)
	return unlock, time.Since(begin)
}

func TestProcessesExclude(t *testing.T) {
	path, f := lockFile(t)
	numbers := filepath.Join(t.TempDir(), "number")
	number, err := shared(numbers)
	require.NoError(t, err)

	const each = 50_000
	var procs []*proctest.Proc
	for range 4 {
		p := proctest.Start(t, "counter", path, numbers, strconv.Itoa(each))
		require.Equal(t, "ready", p.Line())
		procs = append(procs, p)
	}
	begin := time.Now()
	for _, p := range procs {
		p.Send("go")
	}
	for _, p := range procs {
		t.Logf("longest wait %s", p.Line())
		require.NoError(t, p.Wait())
	}
	took := time.Since(begin)
	unlock, _ := lockNow(t, f)
	defer unlock()
	require.EqualValues(t, 4*each, *number)
	_, waits := f.mutex.Counters()
	t.Logf("%v each, %d sleeps", took/(4*each), waits)
}

// Processes count and are killed at any instruction. Every count that was
// finished stands, and the lock is never lost.
func TestKilledWhileBusy(t *testing.T) {
	path, f := lockFile(t)
	numbers := filepath.Join(t.TempDir(), "number")
	number, err := shared(numbers)
	require.NoError(t, err)

	var longest time.Duration
	look := func() (n uint64) {
		unlock, took := lockNow(t, f)
		defer unlock()
		longest = max(longest, took)
		return *number
	}
	last := uint64(0)
	for range 30 {
		var procs []*proctest.Proc
		for range 3 {
			p := proctest.Start(t, "counter", path, numbers, "-1")
			require.Equal(t, "ready", p.Line())
			p.Send("go")
			procs = append(procs, p)
		}
		for _, p := range procs {
			for look() == last { // let them get going
			}
			p.Kill()
			n := look()
			require.Greater(t, n, last)
			last = n
		}
		// Nobody is left to count: only we look, and nothing moves.
		last = look()
		require.Equal(t, last, look())
	}
	takeovers, _ := f.mutex.Counters()
	t.Logf("longest wait %v, %d takeovers, counted to %d", longest, takeovers, last)
}

func TestHolderKilled(t *testing.T) {
	path, f := lockFile(t)
	var times []time.Duration
	for i := range 100 {
		p := startHolder(t, path, 0)
		p.Signal(unix.SIGKILL)
		unlock, took := lockNow(t, f)
		times = append(times, took)
		takeovers, _ := f.mutex.Counters()
		require.EqualValues(t, i+1, takeovers)
		unlock()
	}
	slices.Sort(times)
	t.Logf("taken over after %v, at most %v", times[50], times[99])
}

// Others wait when the holder dies, and each of them gets the lock.
func TestHolderKilledWithWaiters(t *testing.T) {
	path, f := lockFile(t)
	for range 5 {
		p := startHolder(t, path, 0)
		w1 := proctest.Start(t, "waiter", path)
		w2 := proctest.Start(t, "waiter", path)
		require.Equal(t, "waiting", w1.Line())
		require.Equal(t, "waiting", w2.Line())
		p.Kill()
		result := make(chan error, 1)
		go func() {
			unlock, err := f.Lock(t.Context())
			if err == nil {
				unlock()
			}
			result <- err
		}()
		w1.Send("unlock")
		w2.Send("unlock")
		require.Equal(t, "locked", w1.Line())
		require.Equal(t, "locked", w2.Line())
		require.NoError(t, w1.Wait())
		require.NoError(t, w2.Wait())
		require.NoError(t, <-result)
	}
}

// A holder that is merely stopped keeps the lock, and goes on with it.
func TestHolderStopped(t *testing.T) {
	path, f := lockFile(t)
	p := startHolder(t, path, 0)
	p.Stop()
	for range 5 {
		e := lockError(t, f.mutex.Lock(t.Context(), 40*time.Millisecond))
		require.Equal(t, p.PID(), e.OwnerPID)
	}
	_, ok, err := f.TryLock()
	require.NoError(t, err)
	require.False(t, ok)
	takeovers, _ := f.mutex.Counters()
	require.Zero(t, takeovers, "robbed")

	p.Cont()
	p.Send("unlock")
	unlock, _ := lockNow(t, f)
	unlock()
	require.Equal(t, "unlocked", p.Line())
	takeovers, _ = f.mutex.Counters()
	require.Zero(t, takeovers)
}

// A waiter dies, or stops, while it waits: it takes nobody's turn with it.
func TestWaiterKilled(t *testing.T) {
	for name, end := range map[string]func(*proctest.Proc){"killed": (*proctest.Proc).Kill, "stopped": (*proctest.Proc).Stop} {
		t.Run(name, func(t *testing.T) {
			path, f := lockFile(t)
			for range 5 {
				p := startHolder(t, path, 0)
				w := proctest.Start(t, "waiter", path)
				require.Equal(t, "waiting", w.Line())
				for _, _, waiting := f.mutex.Owner(); !waiting; _, _, waiting = f.mutex.Owner() {
					time.Sleep(time.Millisecond)
				}
				end(w)
				p.Send("unlock")
				require.Equal(t, "unlocked", p.Line())
				unlock, took := lockNow(t, f)
				t.Logf("locked after %v", took)
				unlock()
				w.Kill()
			}
		})
	}
}

// The lock of a big process is taken over while the kernel still tears down
// its memory, and before its file locks fall.
func TestBigHolderKilled(t *testing.T) {
	path, f := lockFile(t)
	early := 0
	for range 3 {
		p := startHolder(t, path, 512)
		owner, _, _ := f.mutex.Owner()
		p.Signal(unix.SIGKILL)
		unlock, took := lockNow(t, f)
		if !f.peer.Dead(owner) {
			early++
		}
		p.Kill()
		require.True(t, f.peer.Dead(owner))
		t.Logf("taken over after %v", took)
		unlock()
	}
	require.NotZero(t, early, "each time only after the locks had fallen")
}
