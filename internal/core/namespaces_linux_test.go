package core

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/peers"
	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/internal/record"
)

// within makes a role run in namespaces of its own, or skips the test where
// that cannot be had.
func within(t *testing.T, flags ...string) func(*exec.Cmd) {
	t.Helper()
	path, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("no unshare here to make namespaces with")
	}
	if out, err := exec.Command(path, append(flags, "true")...).CombinedOutput(); err != nil {
		t.Skipf("no such namespaces here: unshare %v: %v: %s", flags, err, out)
	}
	return func(cmd *exec.Cmd) {
		cmd.Args = append(append([]string{path}, flags...), append([]string{cmd.Path}, cmd.Args[1:]...)...)
		cmd.Path = path
	}
}

var (
	pidNamespace  = []string{"--pid", "--fork", "--mount-proc", "--kill-child"}
	timeNamespace = []string{"--time", "--monotonic", "1000000", "--boottime", "1000000"}
)

// writer writes whenever it is told to, and says what came of it.
func writer(args []string) error {
	cfg := testConfig(args[0])
	cfg.LockTimeout = 30 * time.Millisecond
	d, err := Open("test", cfg)
	if err != nil {
		return err
	}
	proctest.Say("open")
	for {
		if proctest.Receive() == "long" {
			d.cfg.LockTimeout = time.Minute
		}
		_, err := d.Write(context.Background(), []record.Op{putOp("k", "written")}, nil)
		var lock *errs.LockError
		switch {
		case err == nil:
			proctest.Say("written")
		case errors.As(err, &lock):
			proctest.Say("owner %d", lock.OwnerPID)
		default:
			return err
		}
	}
}

// Two PID namespaces in which the processes have the same id, 1, share one
// dictionary: ids are not confused, and a death there is seen here.
func TestPIDNamespaces(t *testing.T) {
	change := within(t, pidNamespace...)
	cfg := testConfig(memoryDir(t))
	d := openDict(t, cfg)
	writeOp(t, d, putOp("k", "v"))
	takeovers := func() uint64 { n, _ := d.lock.Counters(); return n }

	for round := range 2 {
		owner := proctest.StartWith(t, change, "holder", cfg.Dir)
		require.Equal(t, "locked", owner.Line())
		w := proctest.StartWith(t, change, "writer", cfg.Dir)
		require.Equal(t, "open", w.Line())
		ones := 0
		for _, p := range d.peer.All() {
			if p.PID == 1 && p.Alive {
				ones++
			}
		}
		require.Equal(t, 2, ones, "two participants with the same process id")

		// Both are process 1, each in its own namespace: the writer must neither
		// take the owner for itself, nor name process 1, which is another here.
		w.Send("short")
		require.Equal(t, "owner 0", w.Line())
		before := takeovers()
		if round == 0 {
			w.Send("long")
			owner.Kill()
			require.Equal(t, "written", w.Line())
		} else { // the heir is one of the first namespace
			owner.Kill()
			writeOp(t, d, putOp("k", "written"))
		}
		require.Equal(t, before+1, takeovers())
		v, err := d.Get(at("k"), reader)
		require.NoError(t, err)
		require.Equal(t, "written", v.Raw())

		// And the other way round: who is inside sees a death outside.
		outside := proctest.Start(t, "holder", cfg.Dir)
		require.Equal(t, "locked", outside.Line())
		if round > 0 {
			w.Send("short")
			require.Equal(t, "owner 0", w.Line())
		}
		w.Send("long")
		outside.Kill()
		require.Equal(t, "written", w.Line())
		w.Kill()
	}
}

// A process whose monotonic clock and clock since boot are twelve days ahead
// takes over from one whose clocks are not, and the other way round: what
// stands in shared memory of times is never more than a hint.
func TestTimeNamespaces(t *testing.T) {
	change := within(t, timeNamespace...)
	cfg := testConfig(memoryDir(t))
	d := openDict(t, cfg)
	for _, who := range []struct{ owner, writer func(*exec.Cmd) }{{change, nil}, {nil, change}, {change, change}} {
		owner := proctest.StartWith(t, who.owner, "holder", cfg.Dir)
		require.Equal(t, "locked", owner.Line())
		w := proctest.StartWith(t, who.writer, "writer", cfg.Dir)
		require.Equal(t, "open", w.Line())
		w.Send("short")
		require.NotEqual(t, "written", w.Line(), "its owner lives")
		w.Send("long")
		owner.Kill()
		require.Equal(t, "written", w.Line())
		writeOp(t, d, putOp("k", "here too"))
		w.Kill()
	}
}

// Times in shared memory that lie in the far past or future, as after a jump of
// the clock, change nothing but figures: leases are given up by what is seen to
// stand still, and locks by who is dead.
func TestClocksThatJumped(t *testing.T) {
	cfg := testConfig(memoryDir(t))
	a, b := openDict(t, cfg), openDict(t, cfg)
	for _, jump := range []int64{1 << 62, -1 << 62, 1, -1} {
		*word[int64](t, a, lockState+8) += jump // claim
		*word[uint64](t, a, lockState+16) += uint64(jump)
		for i := range 100 {
			writeOp(t, a, putOp("a", string(make([]byte, 100+i))))
			writeOp(t, b, putOp("b", string(make([]byte, 100+i))))
		}
		rolloverNow(t, a)
		mergeNow(t, b)
		owner := proctest.Start(t, "holder", cfg.Dir)
		require.Equal(t, "locked", owner.Line())
		*word[int64](t, a, lockState+8) += jump
		*word[uint64](t, a, lockState+16) += uint64(jump)
		owner.Kill()
		writeOp(t, a, putOp("k", "v"))
	}
}

// The ids of participants come to their end: whoever has one goes on.
func TestLastParticipants(t *testing.T) {
	cfg := testConfig(memoryDir(t))
	a := openDict(t, cfg)
	word[atomic.Uint32](t, a, nextID).Store(peers.MaxID - 1)
	last := openDict(t, cfg)
	require.EqualValues(t, peers.MaxID, last.peer.ID())
	_, err := Open("test", cfg)
	require.ErrorIs(t, err, errs.ErrNoSpace)
	require.ErrorContains(t, err, "ids of this dictionary are used up, create it anew")
	for i := range 200 {
		writeOp(t, a, putOp("k", string(make([]byte, i))))
		writeOp(t, last, putOp("large", string(make([]byte, 1000))))
	}
	rolloverNow(t, last)
	sweepNow(t, last)
	reading := cfg
	reading.ReadOnly, reading.Access = true, Attach
	r := openDict(t, reading)
	_, err = r.Get(at("large"), reader)
	require.NoError(t, err, "who only reads needs no id")
	require.NoError(t, last.Close())
	_, err = Open("test", cfg)
	require.ErrorIs(t, err, errs.ErrNoSpace, "ids are not used again")
	require.NoError(t, Remove("test", cfg))
	fresh := openDict(t, cfg)
	require.EqualValues(t, 1, fresh.peer.ID())
}

// Who can only read can lock the byte of a dead participant, and so keep its
// lock from being taken over: docs/SECURITY.md says so.
func TestAReaderCanKeepTheDeadAlive(t *testing.T) {
	cfg := testConfig(memoryDir(t))
	cfg.LockTimeout = 50 * time.Millisecond
	d := openDict(t, cfg)
	p := proctest.Start(t, "holder", cfg.Dir)
	require.Equal(t, "locked", p.Line())
	id, _, _ := d.lock.Owner()
	p.Kill()
	f, err := os.Open(d.segment.File().Name())
	require.NoError(t, err)
	b := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart, Start: peers.Base + int64(id), Len: 1}
	require.NoError(t, unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &b))
	_, err = d.Write(t.Context(), []record.Op{putOp("k", "v")}, nil)
	require.ErrorIs(t, err, &errs.LockError{})
	require.NoError(t, f.Close())
	writeOp(t, d, putOp("k", "v"))
}
