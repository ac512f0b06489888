package peers

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/proctest"
)

// The role "headless" must run on the first thread of its process.
func init() {
	if strings.Contains(strings.Join(os.Args, " "), "headless") {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	proctest.Main(m, map[string]func([]string) error{
		"member":   member,
		"headless": headless,
		"comer":    comer,
	})
}

// joinHere is join for a role; nothing is closed, as its process ends.
func joinHere(path string) (*Peer, error) {
	f, sec, _, err := open(path)
	if err != nil {
		return nil, err
	}
	return Join(f, sec)
}

// member joins, touches some MiB of memory, and stays.
func member(args []string) error {
	p, err := joinHere(args[0])
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
	proctest.Say("%d", p.ID())
	for {
		if proctest.Receive() == "leave" {
			if err := p.Leave(); err != nil {
				return err
			}
			proctest.Say("left")
		}
	}
}

// headless joins and then ends its first thread, while others run on: in /proc
// the process looks like a zombie.
func headless(args []string) error {
	p, err := joinHere(args[1])
	if err != nil {
		return err
	}
	if unix.Gettid() != os.Getpid() {
		return fmt.Errorf("thread %d is not the first of process %d", unix.Gettid(), os.Getpid())
	}
	id := p.ID()
	go func() {
		for !firstThreadEnded() {
			time.Sleep(time.Millisecond)
		}
		proctest.Say("%d", id)
		for {
			proctest.Receive()
			proctest.Say("alive")
		}
	}()
	unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
	panic("unreachable")
}

func firstThreadEnded() bool {
	pid := strconv.Itoa(os.Getpid())
	st, err := readStat("/proc/" + pid + "/task/" + pid + "/stat")
	return err == nil && st.flags&pfExiting != 0
}

// comer joins and leaves again and again, until it is killed.
func comer(args []string) error {
	for {
		f, sec, done, err := open(args[0])
		if err != nil {
			return err
		}
		p, err := Join(f, sec)
		if err != nil {
			return err
		}
		p.Entry().Commits.Add(1)
		proctest.Say("%d", p.ID())
		if err = p.Leave(); err != nil {
			return err
		}
		done()
	}
}

func startMember(t *testing.T, path string, mib int) (*proctest.Proc, uint32) {
	t.Helper()
	p := proctest.Start(t, "member", path, strconv.Itoa(mib))
	return p, number(t, p.Line())
}

func number(t *testing.T, s string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 32)
	require.NoError(t, err)
	return uint32(n)
}

func TestKilledIsDead(t *testing.T) {
	path := control(t)
	self := join(t, path)
	p, id := startMember(t, path, 0)
	require.False(t, self.Dead(id))
	require.False(t, self.Dying(id))
	require.Equal(t, p.PID(), self.PID(id))

	p.Stop()
	require.False(t, self.Dead(id), "stopped is not dead")
	require.False(t, self.Dying(id), "nor dying")
	p.Cont()

	p.Kill()
	require.True(t, self.Dead(id))
	require.False(t, self.Dying(id), "no process to look at any more")
	require.Equal(t, p.PID(), self.PID(id), "the slot still tells")
	for _, info := range self.All() {
		require.Equal(t, info.Self, info.Alive)
	}
}

func TestLeftIsDeadThoughItsProcessLives(t *testing.T) {
	path := control(t)
	self := join(t, path)
	p, id := startMember(t, path, 0)
	p.Send("leave")
	require.Equal(t, "left", p.Line())
	require.True(t, self.Dead(id))
	require.False(t, self.Dying(id))
}

// The end of a big process is seen long before its locks fall.
func TestDyingBeforeDead(t *testing.T) {
	path := control(t)
	self := join(t, path)
	before := 0
	for range 3 {
		p, id := startMember(t, path, 512)
		begin := time.Now()
		p.Signal(unix.SIGKILL)
		for !self.Dying(id) && !self.Dead(id) {
			runtime.Gosched()
		}
		seen := time.Since(begin)
		if !self.Dead(id) {
			before++
		}
		for !self.Dead(id) {
			time.Sleep(time.Millisecond)
		}
		t.Logf("dying after %v, dead after %v", seen, time.Since(begin))
	}
	require.NotZero(t, before, "not one of them was seen dying")
}

// A process whose first thread has ended is no dying process.
func TestZombieLeaderIsAlive(t *testing.T) {
	path := control(t)
	self := join(t, path)
	p := proctest.Start(t, "headless", "headless", path)
	id := number(t, p.Line())
	for range 100 {
		require.False(t, self.Dying(id))
		require.False(t, self.Dead(id))
	}
	p.Send("still there?")
	require.Equal(t, "alive", p.Line())
	p.Kill()
	require.True(t, self.Dead(id))
}

// A slot that names another process than the owner's must not show it dying.
func TestDyingWantsTheVeryProcess(t *testing.T) {
	path := control(t)
	self := join(t, path)
	_, id := startMember(t, path, 0)
	_, big := startMember(t, path, 256)
	e, other := self.sec.slot(id), self.sec.slot(big)
	require.Equal(t, id, e.id.Load())

	was := process{pid: e.pid.Load(), namespace: e.namespace.Load(), start: e.start.Load()}
	require.True(t, self.self.sees(was))
	for name, change := range map[string]func(){
		"nothing":           func() {},
		"other process":     func() { e.pid.Store(other.pid.Load()) },
		"no such process":   func() { e.pid.Store(MaxID) },
		"no process":        func() { e.pid.Store(0) },
		"unknown start":     func() { e.start.Store(0) },
		"other namespace":   func() { e.namespace.Add(1) },
		"unknown namespace": func() { e.namespace.Store(0) },
	} {
		change()
		require.False(t, self.Dying(id), name)
		e.pid.Store(was.pid)
		e.namespace.Store(was.namespace)
		e.start.Store(was.start)
	}
}

// Processes come and go, some are killed at it: no id is given out twice.
func TestComersAndGoers(t *testing.T) {
	path := control(t)
	self := join(t, path)
	seen := make(map[uint32]bool)
	for range 5 {
		var procs []*proctest.Proc
		for range 3 {
			procs = append(procs, proctest.Start(t, "comer", path))
		}
		for range 50 {
			for _, p := range procs {
				id := number(t, p.Line())
				require.False(t, seen[id], "id %d again", id)
				seen[id] = true
			}
		}
		for _, p := range procs {
			p.Kill()
		}
		for _, p := range procs { // what they said before they died
			for {
				line, ok := p.TryLine()
				if !ok {
					break
				}
				id := number(t, line)
				require.False(t, seen[id], "id %d again", id)
				seen[id] = true
			}
		}
	}
	for id := range seen {
		require.True(t, self.Dead(id), id)
		require.True(t, self.Known(id), id)
	}
	require.GreaterOrEqual(t, self.Commits(), uint64(len(seen)))
	require.LessOrEqual(t, len(self.All()), 1+15, "at most those that were killed")
}
