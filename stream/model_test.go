package stream

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A model is the endless stream as a plain slice.
type model struct {
	records []Record
	at      map[uint64]int // position of a record's beginning → its index
}

func (m *model) add(kind Kind, start, end uint64, payload []byte) {
	m.at[start] = len(m.records)
	m.records = append(m.records, Record{kind, start, end, payload})
}

// TestModel lets writers and readers loose on a small ring and compares each
// step with the model: a reader gets exactly the right record, or ErrLapped
// and that for a reason.
func TestModel(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runModel(t, seed) })
	}
}

func runModel(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	chunk := MinChunk << rnd.IntN(3)
	chunks := 2 + rnd.IntN(3)
	r := newRing(t, chunk, chunks, chunks+rnd.IntN(8))
	// At the beginning, around the end of the chunk table, and far out.
	first := []uint64{1, MaxChunks - 5, 1<<48 + 3}[seed%3]
	r.moveTo(first)
	m := &model{at: map[uint64]int{}}
	writers := []*Stream{r.s, r.another(), r.another()}
	var readers []*Reader
	for i := range 4 {
		readers = append(readers, writers[i%3].Reader(r.s.Head()))
	}
	calm := rnd.IntN(3) // how eagerly floor follows
	var lapped, read, full int
	for range 3000 {
		w := writers[rnd.IntN(3)]
		switch op := rnd.IntN(10); {
		case op < 5: // append
			n := rnd.IntN(1 + w.MaxPayload()>>rnd.IntN(5))
			kind := Kind(rnd.IntN(2)) * Reference
			err := reserve(w, n)
			if err == ErrLimit {
				full++
				require.Less(t, r.s.Floor(), (r.s.Tail()>>r.s.shift+1)<<r.s.shift, "the oldest chunk could be had")
				require.EqualValues(t, r.s.cfg.Limit*chunk, r.s.Size())
				w.Release(m.boundary(rnd, r.s))
				break
			}
			require.NoError(t, err)
			if rnd.IntN(8) == 0 {
				break // thinks better of it
			}
			before := w.Head()
			payload := pattern(before, n)
			start, end, err := w.Append(kind, payload, sumOf(payload))
			require.NoError(t, err)
			require.Equal(t, before, start)
			m.add(kind, start, end, payload)
		case op < 6 && rnd.IntN(1+calm*4) == 0:
			w.Release(m.boundary(rnd, r.s))
		case op < 7:
			w.Collect()
		default:
			i := rnd.IntN(len(readers))
			rd := readers[i]
			if rnd.IntN(1+i*i*i) != 0 {
				break // some are slow
			}
			for range rnd.IntN(20) {
				rec, ok, err := rd.Next(r.s.Head())
				if err != nil {
					require.Equal(t, ErrLapped, err)
					require.Greater(t, r.s.Tail(), rd.Position())
					lapped++
					rd.Seek(m.boundary(rnd, r.s))
					break
				}
				if !ok {
					require.Equal(t, r.s.Head(), rd.Position())
					break
				}
				require.Equal(t, m.records[m.at[rec.Start]], rec)
				require.Equal(t, rec.End, rd.Position())
				read++
			}
		}
		r.check()
	}
	require.NotZero(t, read)
	m.scan(t, r.s)

	r.s.Release(r.s.Head())
	// With floor at head the ring returns to its size at rest, and what it
	// gained goes.
	for range 3 * r.s.cfg.Limit * 8 {
		w := writers[rnd.IntN(3)]
		_, end, err := appendTo(w, Data, make([]byte, w.MaxPayload()))
		require.NoError(t, err)
		w.Release(end)
		w.Collect()
		r.check()
	}
	for _, w := range writers {
		w.Collect()
		w.Discard()
	}
	require.Equal(t, r.s.Capacity(), r.s.Size())
	require.Len(t, r.heap.live, chunks)
	t.Logf("%d records, %d read, %d lapped, %d full, %d chunks made", len(m.records), read, lapped, full, r.heap.created)
}

// boundary returns a random end of a record that a reader may begin at and a
// writer may release.
func (m *model) boundary(rnd *rand.Rand, s *Stream) uint64 {
	low := len(m.records)
	for low > 0 && m.records[low-1].Start >= s.Floor() {
		low--
	}
	if low == len(m.records) {
		return s.Head()
	}
	return m.records[low+rnd.IntN(len(m.records)-low)].End
}

// scan compares what Scan sees with the model.
func (m *model) scan(t *testing.T, s *Stream) {
	t.Helper()
	from := s.Floor()
	require.NoError(t, mapAll(s, from))
	i, ok := m.at[from]
	if !ok {
		require.Equal(t, s.Head(), from)
		return
	}
	require.True(t, s.Scan(from, func(kind Kind, end uint64, payload []byte) bool {
		want := m.records[i]
		require.Equal(t, want, Record{kind, want.Start, end, payload})
		i++
		return true
	}))
	require.Equal(t, len(m.records), i)
	if first := m.at[from]; i-first > 1 {
		visits := 0
		require.False(t, s.Scan(from, func(Kind, uint64, []byte) bool { visits++; return false }))
		require.Equal(t, 1, visits)
	}
}

// mapAll maps what Scan will look at.
func mapAll(s *Stream, from uint64) error {
	for n := from >> s.shift; n<<s.shift < s.Head(); n++ {
		if _, err := s.load(n); err != nil {
			return err
		}
	}
	return nil
}
