package stream

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// crowded returns a ring with records of many sizes, padding, and a chunk that
// was recycled.
func crowded(t testing.TB) (*ring, *model) {
	r := newRing(t, MinChunk, 2, 4)
	m := &model{at: map[uint64]int{}}
	for i := range 24 {
		m.append(r, []int{3, 300, 0, 44, 500}[i%5])
		if i%9 == 8 {
			r.s.Release(r.s.Head())
		}
	}
	r.check()
	require.Greater(t, r.s.Tail(), r.s.First())
	return r, m
}

// reading reads with a process of its own from every record on, and fails if
// it gets anything but the right records, ErrLapped or a CorruptError. It
// returns how many records it read.
func (r *ring) reading(m *model, limit uint64) (n int) {
	r.t.Helper()
	s := r.another()
	for _, first := range m.records {
		rd := s.Reader(first.Start)
		for i := 0; ; i++ {
			require.LessOrEqual(r.t, i, len(m.records), "the reader does not end")
			pos := rd.Position()
			rec, ok, err := rd.Next(limit)
			if err != nil {
				require.True(r.t, errors.Is(err, errs.ErrCorrupt) || err == ErrLapped, "%v", err)
				require.Equal(r.t, pos, rd.Position())
				break
			}
			if !ok {
				// A reader that is not told anything must be up to date: its
				// caller would come again at once.
				require.GreaterOrEqual(r.t, pos, limit)
				break
			}
			i, known := m.at[rec.Start]
			require.True(r.t, known, "no record begins at %d", rec.Start)
			require.Equal(r.t, m.records[i], rec)
			n++
		}
	}
	return n
}

// writing does what a writer does, with whatever stands in the header.
func (r *ring) writing(m *model) {
	r.t.Helper()
	s := r.another()
	require.NotPanics(r.t, func() {
		s.Uses(1)
		s.Size()
		s.Scan(r.s.Tail(), func(Kind, uint64, []byte) bool { return true })
		for i := range 12 {
			n := []int{500, 20}[i%2]
			err := reserve(s, n)
			if err == nil {
				payload := pattern(s.Head(), n)
				var start, end uint64
				start, end, err = s.Append(Data, payload, sumOf(payload))
				m.add(Data, start, end, payload)
			}
			if err != nil {
				require.True(r.t, errors.Is(err, errs.ErrCorrupt) || err == ErrLimit || err == ErrEnded, "%v", err)
				return
			}
			s.Release(s.Head())
			s.Collect()
		}
	})
}

// Every byte of the header's words, damaged in several ways, under readers
// and writers.
func TestDamagedHeader(t *testing.T) {
	r, m := crowded(t)
	used := map[string]int{"head": 0, "tail": 8, "floor": 9, "bell": 16}
	for n := r.s.Tail()>>r.s.shift - 1; n <= r.s.Head()>>r.s.shift+1; n++ {
		used[fmt.Sprintf("number of chunk %d", n)] = 24 + 2*int(n)
		used[fmt.Sprintf("segment of chunk %d", n)] = 25 + 2*int(n)
	}
	undamaged := r.reading(m, r.s.Head())
	require.Positive(t, undamaged)
	for name, word := range used {
		for _, flip := range flips() {
			t.Run(fmt.Sprintf("%s/%x", name, flip), func(t *testing.T) {
				r, m := crowded(t)
				head := r.s.Head()
				words(r.h)[word] ^= flip
				if name == "bell" {
					require.Equal(t, undamaged, r.reading(m, head))
				}
				r.reading(m, head)
				r.reading(m, r.s.Head())
				r.writing(m)
				r.reading(m, head)
				r.reading(m, r.s.Head())
			})
		}
	}
}

// flips are masks: single bits and whole bytes, and all.
func flips() []uint64 {
	all := []uint64{math.MaxUint64, math.MaxUint64 >> 1, 0x3fffffff << 3}
	for i := range 8 {
		all = append(all, 1<<(8*i), 0x80<<(8*i), 0xff<<(8*i), 0x78<<(8*i))
	}
	return all
}

// Positions that contradict each other are damage, not a reason to begin
// elsewhere again and again.
func TestContradictingPositions(t *testing.T) {
	r, m := crowded(t)
	rd := r.another().Reader(m.records[len(m.records)-1].Start)
	r.h.tail.Store(1 << 40)
	_, _, err := rd.Next(r.s.Head())
	require.ErrorIs(t, err, errs.ErrCorrupt)
	require.ErrorIs(t, r.s.Reserve(1), errs.ErrCorrupt)

	r, _ = crowded(t)
	r.fillTo(MinChunk - 8)
	r.h.floor.Store(r.s.Head() + 8)
	require.ErrorIs(t, reserve(r.another(), 8), errs.ErrCorrupt)

	// The end of padding is no record's end. To say that there is nothing to
	// read would make a caller come again at once.
	r, _ = crowded(t)
	r.fillTo(MinChunk - 48)
	start, _ := r.append(make([]byte, 100))
	r.h.head.Store((start>>r.s.shift + 1) << r.s.shift)
	_, ok, err := r.another().Reader(start).Next(r.s.Head())
	require.False(t, ok)
	require.ErrorIs(t, err, errs.ErrCorrupt)
	require.False(t, r.s.Scan(start, nil))
}

// A chunk that the table does not name is damage as long as tail has not
// passed it, for readers and for writers.
func TestMissingChunk(t *testing.T) {
	r, m := crowded(t)
	n := r.s.Head() >> r.s.shift
	last := m.records[len(m.records)-1]
	r.h.slots[n%MaxChunks].number.Add(MaxChunks)
	s := r.another()
	_, _, err := s.Reader(last.Start).Next(last.End)
	require.ErrorIs(t, err, errs.ErrCorrupt)
	require.ErrorIs(t, s.Map(), errs.ErrCorrupt)
	require.ErrorIs(t, reserve(s, 4), errs.ErrCorrupt)
	require.False(t, s.Scan(last.Start, nil))

	// The table names it, but nobody has its memory.
	r, m = crowded(t)
	last = m.records[len(m.records)-1]
	r.h.slots[n%MaxChunks].segment.Add(100)
	_, _, err = r.another().Reader(last.Start).Next(last.End)
	require.ErrorIs(t, err, errs.ErrCorrupt)
}

// Scan may be sent anywhere.
func TestScanFromAnywhere(t *testing.T) {
	r, m := crowded(t)
	require.NoError(t, mapAll(r.s, r.s.Tail()))
	for from := range r.s.Head() + 100 {
		_, boundary := m.at[from]
		boundary = boundary || from%MinChunk == 0 // behind padding
		want := from >= r.s.Head() || boundary && from >= r.s.Tail()
		if from%Align != 0 {
			want = false
		}
		got := r.s.Scan(from, func(Kind, uint64, []byte) bool { return true })
		require.Equal(t, want, got, "from %d", from)
	}
}

// A segment may be larger than a chunk; what is behind the chunk is not used.
func TestLargeSegment(t *testing.T) {
	r := newRing(t, MinChunk, 2, 2)
	for segment := range r.heap.live {
		r.heap.live[segment] = make([]byte, MinChunk+512)
	}
	for range 8 {
		r.append(pattern(r.s.Head(), r.s.MaxPayload()))
	}
	for _, mem := range r.heap.live {
		require.Equal(t, make([]byte, 512), mem[MinChunk:])
	}
	for segment := range r.heap.live {
		r.heap.live[segment] = make([]byte, MinChunk-1)
	}
	_, _, err := r.another().Reader(r.s.Tail()).Next(r.s.Head())
	require.ErrorIs(t, err, errs.ErrCorrupt)
}

// Every byte of the chunks, damaged: the records that it belongs to are
// corrupt, and only they; padding bytes behind a payload may be anything.
func TestDamagedBytes(t *testing.T) {
	r, m := crowded(t)
	first := m.at[boundaryAt(m, r.s.Tail())]
	for _, rec := range m.records[first:] {
		for at := rec.Start; at < rec.End; at++ {
			mem := r.memory(at >> r.s.shift)
			for _, flip := range []byte{1, 0x80, 0xff} {
				mem[at%MinChunk] ^= flip
				got, ok, err := r.s.Reader(rec.Start).Next(rec.End)
				if err == nil {
					require.True(t, ok)
					require.Equal(t, rec, got)
					inPadding := at>>r.s.shift != (rec.End-1)>>r.s.shift
					require.True(t, inPadding || at >= rec.End-uint64(frameBytes(len(rec.Payload)))+8+uint64(len(rec.Payload)), "byte %d of %+v does not count", at, rec)
				} else {
					require.ErrorIs(t, err, errs.ErrCorrupt)
				}
				r.s.Scan(rec.Start, func(kind Kind, end uint64, payload []byte) bool {
					require.Equal(t, Record{rec.Kind, rec.Start, rec.End, rec.Payload}, Record{kind, rec.Start, end, payload})
					return false
				})
				mem[at%MinChunk] ^= flip
			}
		}
	}
	require.NotZero(t, r.reading(m, r.s.Head()))
}

// boundaryAt returns the beginning of the first record at or above a position.
func boundaryAt(m *model, position uint64) uint64 {
	for _, rec := range m.records {
		if rec.Start >= position {
			return rec.Start
		}
	}
	return m.records[len(m.records)-1].End
}
