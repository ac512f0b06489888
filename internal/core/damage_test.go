package core

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/shm"
)

// word is a word of the control segment, for those who damage it.
func word[T any](t *testing.T, d *Dict, offset uintptr) *T {
	t.Helper()
	w, ok := shm.At[T](d.segment.Bytes(), int(offset))
	require.True(t, ok)
	return w
}

// Offsets of words in the control segment.
const (
	lockState   = unsafe.Offsetof(control{}.lock)
	nextID      = unsafe.Offsetof(control{}.peers)
	streamFloor = unsafe.Offsetof(control{}.stream) + 72
)

// A head that is far away must not make a reader that catches up ask for memory
// by the distance.
func TestDamagedHead(t *testing.T) {
	for _, bit := range []uint{30, 40, 52, 60} {
		cfg := testConfig(t.TempDir())
		a, b := openDict(t, cfg), openDict(t, cfg)
		writeOp(t, a, putOp("k", "v"))
		old := a.head.Load()
		a.head.Store(old | 1<<bit)
		_, err := b.Sync()
		require.ErrorIs(t, err, errs.ErrCorrupt, "bit %d", bit)
		if c, err := Open("test", cfg); err == nil {
			_, err = c.Sync()
			require.ErrorIs(t, err, errs.ErrCorrupt, "bit %d", bit)
			require.NoError(t, c.Close())
		}
		a.head.Store(old)
	}
}

// A reader that has seen more than the head now says must not take what it knows
// for everything: others would write, and it would not look.
func TestHeadThatWentBack(t *testing.T) {
	cfg := testConfig(t.TempDir())
	a, b := openDict(t, cfg), openDict(t, cfg)
	writeOp(t, a, putOp("k", "old"))
	early := a.head.Load()
	writeOp(t, a, putOp("k", "new"))
	late := a.head.Load()
	_, err := b.Sync()
	require.NoError(t, err)
	a.head.Store(early)
	for _, d := range []*Dict{a, b} {
		_, err := d.Get(at("k"), reader)
		require.ErrorIs(t, err, errs.ErrCorrupt)
		require.ErrorContains(t, err, "went back")
	}
	// Nor must anybody write over what others were promised.
	_, err = b.Write(t.Context(), []record.Op{putOp("other", "v")}, nil)
	require.ErrorIs(t, err, errs.ErrCorrupt)
	err = b.Update(t.Context(), func(tx *Tx) error { // it went round and round
		_, err := tx.Read(at("k"))
		tx.Write(putOp("k", "newer"))
		return err
	})
	require.ErrorIs(t, err, errs.ErrCorrupt)
	require.Equal(t, early, a.head.Load())
	// A newcomer has seen nothing else; and one that stood just there when the head
	// was moved takes it for no news.
	_, err = Open("test", cfg)
	require.ErrorIs(t, err, errs.ErrCorrupt)
	a.head.Store(late)
	writeOp(t, a, putOp("k", "newest"))
	standing := b.rep.State().Applied()
	newest := a.head.Load()
	a.head.Store(standing)
	_, err = b.Get(at("k"), reader)
	require.ErrorIs(t, err, errs.ErrCorrupt)
	a.head.Store(newest)
	writeOp(t, a, putOp("k", "new"))
	v, err := b.Get(at("k"), reader)
	require.NoError(t, err)
	require.Equal(t, "new", v.Raw())
}

// A head that is far away says nothing of how much there is to be read.
func TestDistantHeadMakesNoRoom(t *testing.T) {
	cfg := testConfig(t.TempDir())
	a, b := openDict(t, cfg), openDict(t, cfg)
	writeOp(t, a, putOp("k", "v"))
	old := a.head.Load()
	a.head.Store(old | 1<<40)
	defer a.head.Store(old)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := b.Sync()
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, errs.ErrCorrupt)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// A floor above the head is found by who enters the next chunk; the folder finds
// nothing to do and rests.
func TestDamagedFloor(t *testing.T) {
	a := openDict(t, testConfig(t.TempDir()))
	writeOp(t, a, putOp("k", "v"))
	floor := word[atomic.Uint64](t, a, streamFloor)
	old := floor.Load()
	defer floor.Store(old)
	floor.Store(a.str.Head() + 1<<20)
	require.False(t, a.fold(), "it would be asked again at once, and for ever")
}

// The index of a first chunk comes from shared memory; where words have 32 bits
// its offset must not wrap around.
func TestDamagedChunkTable(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.StreamSize = 64 << 20
	a := openDict(t, cfg)
	_, err := ringMemory{a}.Map(firstChunk(255))
	require.ErrorIs(t, err, errs.ErrCorrupt)
}

// Nobody of this handle has the lock, though the word says so.
func TestCloseWithDamagedLock(t *testing.T) {
	d, err := Open("test", testConfig(t.TempDir()))
	require.NoError(t, err)
	state := word[atomic.Uint32](t, d, lockState)
	state.Store(d.peer.ID())
	done := make(chan error, 1)
	go func() { done <- d.Close() }()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(30 * time.Second):
		state.Store(0)
		<-done
		require.Fail(t, "Close hangs")
	}
}
