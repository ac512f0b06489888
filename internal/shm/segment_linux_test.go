package shm

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func ignoreSignal(t testing.TB, s os.Signal) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, s)
	t.Cleanup(func() { signal.Stop(c) })
}

// A segment that nobody can reach is unmapped; one that somebody can is not.
func TestUnreachableSegment(t *testing.T) {
	_, d, id := reopened(t)
	kept := newSegmentIn(t, d, Layer, 1, 1, 1<<16, id)
	count, bytes := MappedKind(Layer)
	for range 10 {
		s, err := d.Open(Name{Layer, 1, 1}, id, false, true)
		require.NoError(t, err)
		require.Len(t, s.Bytes(), 1<<16)
	}
	f, err := d.Create(Layer, 1, 2, 1<<16, id) // a forgotten draft
	require.NoError(t, err)
	require.NotNil(t, f)
	f = nil

	deadline := time.Now().Add(patience)
	for {
		runtime.GC()
		c, b := MappedKind(Layer)
		if c == count && b == bytes {
			break
		}
		require.True(t, time.Now().Before(deadline), "%d mappings are left", c-count)
		time.Sleep(time.Millisecond)
	}
	kept.Bytes()[1000] = 1
	runtime.KeepAlive(kept)
}

// The mapping outlives the file, its name and the whole instance, here and in
// another process.
func TestMappingOutlivesFile(t *testing.T) {
	r, d, id := reopened(t)
	s := newSegmentIn(t, d, Layer, 1, 1, 1<<16, id)
	p := start(t, nil, "read", r.Path(), s.Name().String())
	require.Equal(t, "mapped", p.line(t))
	require.NoError(t, d.Remove(s.Name()))
	require.NoError(t, r.Retire(d, "dict", id))
	s.Bytes()[HeaderSize] = 42
	p.goOn(t)
	require.Equal(t, strconv.Itoa(42), p.line(t))
	require.NoError(t, p.cmd.Wait())
	runtime.KeepAlive(s)
}

// At makes shared words of a segment's bytes: processes, here mappings, meet.
func TestSharedWords(t *testing.T) {
	_, d, id := reopened(t)
	s := newSegmentIn(t, d, Stream, 1, 1, 4096, id)
	other, err := d.Open(s.Name(), id, true, false)
	require.NoError(t, err)
	defer other.Close()
	a, ok := At[atomic.Uint64](s.Bytes(), 128)
	require.True(t, ok)
	b, ok := At[atomic.Uint64](other.Bytes(), 128)
	require.True(t, ok)
	require.NotSame(t, a, b)
	var wg sync.WaitGroup
	for _, w := range []*atomic.Uint64{a, b} {
		wg.Go(func() {
			for range 10000 {
				w.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 20000, a.Load())
	runtime.KeepAlive(s)
	runtime.KeepAlive(other)
}

// The kept descriptor is the one the mapping was made from: its open file
// description lives as long as either.
func TestKeptFile(t *testing.T) {
	_, d, id := reopened(t)
	s, err := d.Open(Name{Kind: Control}, id, true, true)
	require.NoError(t, err)
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 1 << 40, Len: 1}
	const ofdSetlk = 37
	require.NoError(t, syscall.FcntlFlock(s.File().Fd(), ofdSetlk, &lock))

	other, err := d.Open(Name{Kind: Control}, id, true, true)
	require.NoError(t, err)
	defer other.Close()
	require.Error(t, syscall.FcntlFlock(other.File().Fd(), ofdSetlk, &lock))
	require.NoError(t, s.File().Close())
	require.Error(t, syscall.FcntlFlock(other.File().Fd(), ofdSetlk, &lock), "the mapping keeps the description")
	require.NoError(t, s.Close())
	require.NoError(t, syscall.FcntlFlock(other.File().Fd(), ofdSetlk, &lock))
}

func TestBootIDHere(t *testing.T) {
	a, err := BootID()
	require.NoError(t, err)
	b, err := BootID()
	require.NoError(t, err)
	require.Equal(t, a, b)
	require.NotZero(t, a)
}

func TestMappedOfNoKind(t *testing.T) {
	for _, k := range []Kind{0, 5, 1 << 31} {
		count, bytes := MappedKind(k)
		require.Zero(t, count)
		require.Zero(t, bytes)
	}
}
