package peers

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/errs"
)

const size = int(unsafe.Sizeof(Section{}))

// control makes an empty control file.
func control(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, int64(size)))
	return path
}

// open opens and maps a control file: a description of one's own.
func open(path string) (*os.File, *Section, func(), error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		f.Close()
		return nil, nil, nil, err
	}
	return f, (*Section)(unsafe.Pointer(&mem[0])), func() { unix.Munmap(mem); f.Close() }, nil
}

func join(t testing.TB, path string) *Peer {
	t.Helper()
	f, sec, done, err := open(path)
	require.NoError(t, err)
	t.Cleanup(done)
	p, err := Join(f, sec)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Leave()) })
	return p
}

func joinReadOnly(t testing.TB, path string) *Peer {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Munmap(mem); f.Close() })
	p, err := JoinReadOnly(f, (*Section)(unsafe.Pointer(&mem[0])))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Leave()) })
	return p
}

func TestJoinAndLeave(t *testing.T) {
	path := control(t)
	a, b := join(t, path), join(t, path)
	require.EqualValues(t, 1, a.ID())
	require.EqualValues(t, 2, b.ID())

	require.False(t, a.Dead(1), "oneself: one's own byte looks free")
	require.False(t, a.Dead(2))
	require.False(t, b.Dead(1))
	require.False(t, a.Dying(1))
	require.False(t, a.Dying(2))
	require.Equal(t, os.Getpid(), a.PID(2))
	require.Equal(t, os.Getpid(), a.PID(1))

	for _, never := range []uint32{0, 3, 1 << 30, MaxID, MaxID + 1, 1<<32 - 1} {
		require.False(t, a.Known(never), never)
		require.False(t, a.Dead(never), never)
		require.False(t, a.Dying(never), never)
		require.Zero(t, a.PID(never), never)
	}

	require.NoError(t, b.Leave())
	require.NoError(t, b.Leave(), "again")
	require.True(t, a.Dead(2), "although its mapping and file are open")
	require.True(t, a.Known(2))
	require.Zero(t, a.PID(2))
	require.False(t, b.Dead(1))

	c := join(t, path)
	require.EqualValues(t, 3, c.ID(), "ids are never used twice")
}

func TestReadersShareAByte(t *testing.T) {
	path := control(t)
	w, r1, r2 := join(t, path), joinReadOnly(t, path), joinReadOnly(t, path)
	for _, r := range []*Peer{r1, r2} {
		require.Zero(t, r.ID())
		require.Nil(t, r.Entry())
		require.False(t, r.Dead(w.ID()))
		require.Equal(t, os.Getpid(), r.PID(w.ID()))
		require.Zero(t, r.PID(0))
		require.Len(t, r.All(), 1)
	}
	require.NoError(t, w.Leave())
	require.True(t, r1.Dead(w.ID()))

	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	blind, err := JoinReadOnly(f, nil)
	require.NoError(t, err)
	require.False(t, blind.Dead(1))
	require.Zero(t, blind.PID(1))
	require.Nil(t, blind.All())
	require.Zero(t, blind.Commits())
	require.NoError(t, blind.Leave())
}

func TestAnyAlive(t *testing.T) {
	path := control(t)
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	alive := func() bool {
		any, err := AnyAlive(f)
		require.NoError(t, err)
		return any
	}
	require.False(t, alive())
	w := join(t, path)
	require.True(t, alive())
	r := joinReadOnly(t, path)
	require.NoError(t, w.Leave())
	require.True(t, alive(), "a reader counts")
	require.NoError(t, r.Leave())
	require.False(t, alive())

	f.Close()
	_, err = AnyAlive(f)
	require.ErrorIs(t, err, os.ErrClosed)
}

// Closing the file does not end a membership while a mapping is made from it.
func TestMappingKeepsTheByteLocked(t *testing.T) {
	path := control(t)
	a := join(t, path)
	f, sec, done, err := open(path)
	require.NoError(t, err)
	b, err := Join(f, sec)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.False(t, a.Dead(b.ID()))
	require.Error(t, b.Leave(), "too late: it is the caller's mistake, and named")
	done()
	require.True(t, a.Dead(b.ID()))
}

func TestEntries(t *testing.T) {
	path := control(t)
	a, b := join(t, path), join(t, path)
	a.Entry().Applied.Store(100)
	a.Entry().PinFrom.Store(40)
	a.Entry().Pin.Store(50)
	a.Entry().Commits.Add(7)
	b.Entry().Commits.Add(1)

	all := b.All()
	require.Len(t, all, 2)
	require.EqualValues(t, 1, all[0].ID)
	require.Equal(t, os.Getpid(), all[0].PID)
	require.NotZero(t, all[0].PIDNamespace)
	require.NotZero(t, all[0].Start)
	require.False(t, all[0].Joined.IsZero())
	require.EqualValues(t, 100, all[0].Applied)
	require.EqualValues(t, 50, all[0].Pin)
	require.EqualValues(t, 40, all[0].PinFrom)
	require.True(t, all[0].Alive)
	require.False(t, all[0].Self)
	require.True(t, all[1].Self)
	require.True(t, all[1].Alive)
	require.EqualValues(t, 8, b.Commits())

	require.NoError(t, a.Leave())
	require.Len(t, b.All(), 1)
	require.EqualValues(t, 8, b.Commits(), "what the departed did stays counted")
}

// crowd locks the bytes of many ids through one description of its own, and
// fills their slots, as that many living participants would.
func crowd(t testing.TB, path string, n int) (sec *Section, leave func(id uint32)) {
	t.Helper()
	f, sec, done, err := open(path)
	require.NoError(t, err)
	t.Cleanup(done)
	conn, err := f.SyscallConn()
	require.NoError(t, err)
	for range n {
		id, err := takeID(conn, &sec.next)
		require.NoError(t, err)
		e := sec.slot(id)
		e.id.Store(id)
		e.fill(id, process{pid: 1 << 20, namespace: 1, start: 1})
	}
	return sec, func(id uint32) { require.NoError(t, unlockByte(conn, Base+int64(id))) }
}

func TestFullTable(t *testing.T) {
	path := control(t)
	sec, leave := crowd(t, path, Slots)
	f, _, done, err := open(path)
	require.NoError(t, err)
	defer done()
	_, err = Join(f, sec)
	require.ErrorIs(t, err, errs.ErrNoSpace)
	any, err := AnyAlive(f)
	require.NoError(t, err)
	require.True(t, any)

	// One of them dies: its slot is there for the next, with its count.
	sec.slot(77).Commits.Add(5)
	sec.slot(77).Pin.Store(9)
	leave(77)
	p := join(t, path)
	require.True(t, p.Dead(77))
	require.EqualValues(t, 77, uint32(p.Entry().index(p.sec)))
	require.Zero(t, p.Entry().Pin.Load())
	p.Entry().Commits.Add(1)
	require.EqualValues(t, 6, p.Commits())
	require.Len(t, p.All(), Slots)
}

func (e *Entry) index(s *Section) int {
	return int((uintptr(unsafe.Pointer(e)) - uintptr(unsafe.Pointer(&s.table))) / unsafe.Sizeof(*e))
}

func TestIDsEnd(t *testing.T) {
	path := control(t)
	f, sec, done, err := open(path)
	require.NoError(t, err)
	defer done()
	sec.next.Store(MaxID - 1)
	last := join(t, path)
	require.EqualValues(t, MaxID, last.ID())
	for _, next := range []uint32{MaxID, MaxID + 1, 1<<32 - 1} {
		sec.next.Store(next)
		_, err = Join(f, sec)
		require.ErrorIs(t, err, errs.ErrNoSpace)
		require.ErrorContains(t, err, "ids")
	}
}

// A damaged counter does not give the id of a living participant to another.
func TestCounterSetBack(t *testing.T) {
	path := control(t)
	a, b := join(t, path), join(t, path)
	a.sec.next.Store(0)
	c := join(t, path)
	require.EqualValues(t, 3, c.ID())
	require.False(t, c.Dead(a.ID()))
	require.False(t, c.Dead(b.ID()))

	sec, _ := crowd(t, path, maxTries+1)
	sec.next.Store(c.ID())
	f, _, done, err := open(path)
	require.NoError(t, err)
	defer done()
	_, err = Join(f, sec)
	require.ErrorIs(t, err, errs.ErrCorrupt)
}

// A slot whose claimer died before it was filled tells nothing of the one
// before, and is free.
func TestHalfClaimedSlot(t *testing.T) {
	path := control(t)
	a := join(t, path)
	dead := join(t, path)
	require.NoError(t, dead.Leave())
	e := a.sec.slot(2)
	e.id.Store(2)
	e.Pin.Store(1234)
	all := a.All()
	require.Len(t, all, 2)
	require.Equal(t, Info{ID: 2}, all[1])
	require.Zero(t, a.PID(2))

	a.sec.next.Store(Slots + 1) // the next one's walk begins there
	b := join(t, path)
	require.Equal(t, b.ID(), e.id.Load())
}

func TestSelfTest(t *testing.T) {
	path := control(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				f, err := os.Open(path)
				if err != nil {
					t.Error(err)
					return
				}
				if err := SelfTest(f); err != nil {
					t.Error(err)
				}
				f.Close()
			}
		})
	}
	wg.Wait()

	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	require.NoError(t, SelfTest(f))
	require.NoError(t, os.Remove(path), "works on what has no name any more")
	require.NoError(t, SelfTest(f))
	require.NoError(t, f.Close())
	require.ErrorIs(t, SelfTest(f), os.ErrClosed)
}
