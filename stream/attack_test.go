package stream

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// When floor follows at a distance of more chunks than the ring has at rest,
// the ring stays as large as it is. It must not drop a chunk and ask for a
// fresh one at every turn: each would be a file.
func TestFloorAtADistance(t *testing.T) {
	r := newRing(t, MinChunk, 2, 8)
	for range 400 {
		_, end := r.append(make([]byte, r.s.MaxPayload()))
		r.s.Release(max(end, 5*MinChunk) - 4*MinChunk)
		r.s.Collect()
	}
	require.LessOrEqual(t, r.heap.created, 4)
	require.Zero(t, r.heap.removed)
}

// A segment is noted for removal after tail has passed it: whoever removes it
// at once takes it from nobody, and a writer that dies in between leaves a
// ring whose chunks all exist.
func TestRemovedSegmentsHaveLeft(t *testing.T) {
	r := newRing(t, MinChunk, 2, 12)
	var stop atomic.Bool
	var early, removed atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			// The first place is the one that is filled as long as it is empty.
			segment, tail := r.s.w.dropped[0].Load(), r.s.Tail()
			if segment == 0 {
				continue
			}
			for i := range r.h.slots {
				sl := &r.h.slots[i]
				if sl.segment.Load() == segment && sl.number.Load() > tail>>r.s.shift {
					early.Add(1)
				}
			}
			removed.Add(1)
			r.s.Collect()
		}
	})
	for range 500 {
		for range 40 { // grow
			r.append(make([]byte, r.s.MaxPayload()))
		}
		r.s.Release(r.s.Head())
		for range 80 { // shrink
			_, end := r.append(make([]byte, r.s.MaxPayload()))
			r.s.Release(end)
		}
	}
	stop.Store(true)
	wg.Wait()
	require.Zero(t, early.Load())
	require.NotZero(t, removed.Load())
}

// A segment moves from chunk to chunk while somebody looks for it: it must be
// found, or its file would be swept.
func TestUsesWhileChunksMove(t *testing.T) {
	for _, limit := range []int{4, MaxChunks - 1} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) { usesWhileChunksMove(t, limit) })
	}
}

func usesWhileChunksMove(t *testing.T, limit int) {
	r := newRing(t, MinChunk, 4, limit)
	var first []uint64
	for segment := range r.heap.live {
		first = append(first, segment)
	}
	watcher := r.another()
	var stop atomic.Bool
	var lost, looked int
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			for _, segment := range first {
				looked++
				if !watcher.Uses(segment) {
					lost++
				}
			}
		}
	})
	payload := make([]byte, r.s.MaxPayload())
	for range 100_000 {
		_, end := r.append(payload)
		r.s.Release(end)
	}
	stop.Store(true)
	wg.Wait()
	require.NotZero(t, looked)
	require.Zero(t, lost, "of %d", looked)
}

// A process that is asleep between any two steps of a look-up finds another
// chunk in the slot, many laps later. It may map the wrong memory then, but
// does not take it for the right one.
func TestReaderSleepsOverTheWholeTable(t *testing.T) {
	r := newRing(t, MinChunk, 2, 3)
	m := &model{at: map[uint64]int{}}
	m.append(r, 100)
	m.append(r, 100)
	first, second := m.records[0], m.records[1]

	fresh := r.another().Reader(first.Start)                                            // slept before it looked
	mapped, halfway := r.another().Reader(first.Start), r.another().Reader(first.Start) // after the first record
	for _, rd := range []*Reader{mapped, halfway} {
		_, ok, err := rd.Next(first.End)
		require.NoError(t, err)
		require.True(t, ok)
	}
	_, _, err := halfway.Next(first.End) // has no more than that
	require.NoError(t, err)
	both := r.another().Reader(first.Start) // has copied both
	_, _, err = both.Next(second.End)
	require.NoError(t, err)

	for r.s.Head()>>r.s.shift < 3*MaxChunks+1 { // chunk 1's slot names chunk 3073
		m.append(r, r.s.MaxPayload())
		r.s.Release(r.s.Head())
	}
	for _, rd := range []*Reader{fresh, mapped, halfway} {
		_, ok, err := rd.Next(second.End)
		require.Equal(t, ErrLapped, err)
		require.False(t, ok)
	}
	rec, ok, err := both.Next(second.End)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, second, rec)

	// The number was looked at before the sleep, the segment after it.
	sl := &r.h.slots[1]
	number := sl.number.Load()
	sl.number.Store(2)
	_, _, err = mapped.Next(second.End)
	require.Equal(t, ErrLapped, err)
	sl.number.Store(number)
	r.reading(m, r.s.Head())
}

// Somebody's Discard does not take a chunk that has been entered.
func TestDiscard(t *testing.T) {
	r := newRing(t, MinChunk, 2, 4)
	for range 8 {
		r.append(make([]byte, r.s.MaxPayload()))
	}
	other := r.another()
	for _, s := range []*Stream{r.s, other} { // both want the third chunk
		require.NoError(t, s.Map())
		require.Equal(t, ErrFull, s.Reserve(10))
		segment, err := s.Grow()
		require.NoError(t, err)
		require.NotZero(t, segment)
		segment, err = s.Grow()
		require.NoError(t, err)
		require.Zero(t, segment, "one is enough")
		require.True(t, s.Uses(s.Spare()))
	}
	unused := other.Spare()
	require.False(t, r.s.Uses(unused), "nobody else knows of a spare")
	r.append(make([]byte, 10))
	require.Zero(t, r.s.Spare())
	_, _, err := appendTo(other, Data, []byte("in the same chunk"))
	require.NoError(t, err)
	require.Equal(t, unused, other.Spare())
	r.s.Discard()
	require.Zero(t, r.heap.removed)
	other.Discard()
	require.Equal(t, 1, r.heap.removed)
	require.Zero(t, other.Spare())
	r.check()
}
