package stream

import (
	"bytes"
	"context"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnd(t *testing.T) {
	r := newRing(t, MinChunk, 2, 4)
	_, end := r.append([]byte("last"))
	require.NoError(t, reserve(r.s, 4))
	r.another().End() // comes between Reserve and Append
	_, _, err := r.s.Append(Data, []byte("late"), 0)
	require.ErrorIs(t, err, ErrEnded)
	require.ErrorIs(t, r.s.Reserve(1), ErrEnded)
	require.True(t, r.s.Ended())
	require.Equal(t, end, r.s.Head())
	require.NotEqual(t, end, r.s.HeadWord().Load())
	require.NoError(t, r.s.Wait(context.Background(), end))
	rec, ok, err := r.s.Reader(r.s.First()).Next(r.s.Head())
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "last", string(rec.Payload))
}

// Append accepts nothing but the record that was reserved, and that once.
func TestAppendWithoutReserve(t *testing.T) {
	payload := []byte("payload")
	sum := crc32.Checksum(payload, castagnoli)
	r := newRing(t, MinChunk, 2, 4)
	_, _, err := r.s.Append(Data, payload, sum)
	require.ErrorIs(t, err, ErrNotReserved, "before the first Reserve")
	_, end := r.append(payload)
	want := bytes.Clone(r.memory(1))
	_, _, err = r.s.Append(Data, payload, sum)
	require.ErrorIs(t, err, ErrNotReserved, "twice")
	for _, wrong := range []string{"", "shorte", "longer..."} {
		require.NoError(t, reserve(r.s, len(payload)))
		_, _, err = r.s.Append(Data, []byte(wrong), sum)
		require.ErrorIs(t, err, ErrNotReserved, "%q", wrong)
	}
	for _, kind := range []Kind{padding, 3, 4, 1 << 31} {
		require.NoError(t, reserve(r.s, len(payload)))
		_, _, err = r.s.Append(kind, payload, sum)
		require.ErrorIs(t, err, ErrNotReserved, "kind %d", kind)
	}
	require.NoError(t, reserve(r.s, len(payload)))
	require.ErrorIs(t, r.s.Reserve(1<<20), ErrTooLarge)
	_, _, err = r.s.Append(Data, payload, sum)
	require.ErrorIs(t, err, ErrNotReserved, "after a Reserve that failed")
	require.Equal(t, want, r.memory(1))
	require.Equal(t, end, r.s.Head())

	// A reservation that another writer has made stale writes nothing.
	require.NoError(t, reserve(r.s, len(payload)))
	_, _, err = appendTo(r.another(), Data, []byte("another"))
	require.NoError(t, err)
	want = bytes.Clone(r.memory(1))
	_, _, err = r.s.Append(Data, payload, sum)
	require.ErrorIs(t, err, ErrNotReserved)
	require.Equal(t, want, r.memory(1))
}

func TestRelease(t *testing.T) {
	r := newRing(t, MinChunk, 2, 4)
	_, end := r.append([]byte("one"))
	r.s.Release(end)
	require.Equal(t, end, r.s.Floor())
	r.s.Release(end - 8)
	require.Equal(t, end, r.s.Floor(), "floor never goes back")
	r.s.Release(1 << 60)
	require.Equal(t, end, r.s.Floor(), "floor never passes head")
}

func TestWait(t *testing.T) {
	r := newRing(t, MinChunk, 2, 4)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, r.s.Wait(ctx, r.s.Head()), context.Canceled)
	require.NoError(t, r.s.Wait(ctx, r.s.Head()-8), "news comes before the end of a context")
	ctx, cancel = context.WithTimeout(context.Background(), 1)
	defer cancel()
	require.ErrorIs(t, r.s.Wait(ctx, r.s.Head()), context.DeadlineExceeded)
}

// Size counts chunks in which something lies, and the ring at rest at least.
func TestSize(t *testing.T) {
	r := newRing(t, MinChunk, 2, 5)
	for _, c := range []struct{ offset, chunks int }{{0, 2}, {MinChunk, 2}, {2 * MinChunk, 2}, {3 * MinChunk, 3}, {5 * MinChunk, 5}} {
		for r.s.Head() < r.s.First()+uint64(c.offset) {
			r.append(make([]byte, r.s.MaxPayload()))
		}
		require.EqualValues(t, c.chunks*MinChunk, r.s.Size(), "offset %d", c.offset)
	}
	require.ErrorIs(t, reserve(r.s, 0), ErrLimit)
}

// What runs under the lock allocates nothing, recycled chunks included.
func TestNoAllocation(t *testing.T) {
	r := newRing(t, MinChunk, 2, 4)
	payload := make([]byte, 100)
	sum := crc32.Checksum(payload, castagnoli)
	_, end := r.append(payload)
	for range 50 {
		_, end = r.append(payload)
		r.s.Release(end)
	}
	require.Zero(t, testing.AllocsPerRun(200, func() {
		if err := r.s.Reserve(len(payload)); err != nil {
			panic(err)
		}
		_, e, err := r.s.Append(Data, payload, sum)
		if err != nil {
			panic(err)
		}
		if !r.s.Scan(end, func(Kind, uint64, []byte) bool { return true }) {
			panic("not scanned")
		}
		end = e
		r.s.Release(end)
	}))
}

// The writer that recycles a chunk knows where its memory is: it does not let
// go of the lock to map it.
func TestRecyclingNeedsNoMap(t *testing.T) {
	r := newRing(t, MinChunk, 2, 2)
	for range 12 { // each of the first chunks once
		_, end := r.append(make([]byte, r.s.MaxPayload()))
		r.s.Release(end)
	}
	for range 5 * MaxChunks {
		require.NoError(t, r.s.Reserve(r.s.MaxPayload()))
		_, end, err := r.s.Append(Data, make([]byte, r.s.MaxPayload()), 0)
		require.NoError(t, err)
		r.s.Release(end)
	}
}

func TestSegments(t *testing.T) {
	r := newRing(t, MinChunk, 2, 4)
	require.ElementsMatch(t, []uint64{1, 2}, segments(r.s))
	for range 3 * 4 {
		r.append(make([]byte, r.s.MaxPayload()))
	}
	require.ElementsMatch(t, []uint64{1, 2, Gained | 3}, segments(r.s))
	for range 40 {
		_, end := r.append(make([]byte, r.s.MaxPayload()))
		r.s.Release(end)
	}
	require.ElementsMatch(t, []uint64{1, 2}, segments(r.s))
	r.s.Collect()
	require.Len(t, r.heap.live, 2)
}

// segments are those of a ring that nobody writes to.
func segments(s *Stream) []uint64 {
	in, _ := s.Segments()
	return in
}
