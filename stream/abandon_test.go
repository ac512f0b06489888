package stream

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// A step is one store that enter makes.
type step struct {
	word  int // index in words
	value uint64
}

// A scene is a ring whose next record needs a new chunk.
type scene struct {
	name   string
	chunks int  // at rest
	gained int  // chunks besides
	oldest bool // whether the gained ones are the oldest, not the newest
	floor  int  // chunk, counted from the oldest, at which floor stands
	steps  int  // stores that entering takes
}

var scenes = []scene{
	{"fresh", 2, 0, false, 0, 2},
	{"fresh for a grown ring", 2, 2, false, 0, 2},
	{"recycled", 2, 0, false, 1, 3},
	{"recycled with floor at head", 2, 0, false, 2, 3},
	{"recycled in a grown ring", 3, 2, false, 1, 3},
	{"recycled in a grown ring with floor at head", 2, 2, false, 4, 3},
	{"gained, floor too near", 2, 2, true, 1, 3},
	{"one dropped, one recycled", 2, 2, true, 2, 4},
	{"all dropped", 2, 1, true, 2, 4},
	{"two dropped", 2, 2, true, 4, 5},
	{"three dropped", 3, 3, true, 6, 6},
}

// build returns the ring of a scene, the records in it, and the writer's
// program: the stores that entering the next chunk consists of, in the order
// of enter.
func (sc scene) build(t *testing.T) (*ring, *model, []step) {
	r := newRing(t, MinChunk, sc.chunks, 8)
	r.moveTo(MaxChunks - 3) // the table wraps around in all of them
	m := &model{at: map[uint64]int{}}
	for range 4 * (sc.chunks + sc.gained) {
		m.append(r, 500)
	}
	if sc.oldest {
		// Recycle the first chunks: now they are the newest.
		r.s.Release(r.s.Tail() + uint64(sc.chunks)*MinChunk)
		for range 4 * sc.chunks {
			m.append(r, 500)
		}
	}
	r.s.Release(r.s.Tail() + uint64(sc.floor)*MinChunk)
	r.check()

	before := *words(r.h)
	victim := r.another()
	require.NoError(t, reserve(victim, 500))
	after := *words(r.h)
	*words(r.h) = before
	return r, m, program(before, after)
}

// program puts the stores in order that lead from one header to the other:
// tail chunk by chunk; the new slot's segment, then its number, come before
// the last move of tail if its memory is recycled.
func program(before, after [HeaderSize / 8]uint64) []step {
	const tail = 64 / 8
	var slot []step
	for i := 192 / 8; i < len(before); i += 2 {
		if before[i] != after[i] {
			slot = []step{{i + 1, after[i+1]}, {i, after[i]}}
		}
	}
	var moves []step
	for at := before[tail] + MinChunk; at <= after[tail]; at += MinChunk {
		moves = append(moves, step{tail, at})
	}
	if len(moves) == 0 {
		return slot
	}
	last := len(moves) - 1
	return append(append(moves[:last:last], slot...), moves[last])
}

func (m *model) append(r *ring, n int) {
	r.t.Helper()
	payload := pattern(r.s.Head(), n)
	start, end := r.append(payload)
	m.add(Data, start, end, payload)
}

// A writer dies after any of the stores that enter makes. Whatever floor does
// before the next one comes, that one goes on, nothing is lost, no memory is
// used twice, and the ring returns to its size at rest.
func TestAbandonedEntering(t *testing.T) {
	for _, sc := range scenes {
		for dead := range sc.steps + 1 {
			for release := range sc.chunks + sc.gained + 1 {
				t.Run(fmt.Sprintf("%s/after %d/release %d", sc.name, dead, release), func(t *testing.T) {
					r, m, steps := sc.build(t)
					require.Len(t, steps, sc.steps)
					for _, st := range steps[:dead] {
						words(r.h)[st.word] = st.value
					}
					r.check()
					floor := r.s.Floor() + uint64(release)*MinChunk
					if floor <= r.s.Head() {
						r.s.Release(floor)
					}
					r.goOn(m)
				})
			}
		}
	}
}

// goOn lets two other processes write in turn where one has died.
func (r *ring) goOn(m *model) {
	t := r.t
	survivors := []*Stream{r.another(), r.another()}
	reader := survivors[0].Reader(r.s.Floor())
	for i := range 40 {
		r.s = survivors[i%2]
		if err := reserve(r.s, 500); err == ErrLimit {
			r.s.Release(r.s.Floor() + MinChunk)
			reader.Seek(max(reader.Position(), r.s.Floor()))
		}
		m.append(r, 500)
		r.check()
		if i%7 == 0 {
			r.s.Collect()
		}
		for {
			rec, ok, err := reader.Next(r.s.Head())
			require.NoError(t, err)
			if !ok {
				break
			}
			require.Equal(t, m.records[m.at[rec.Start]], rec)
		}
		require.Equal(t, r.s.Head(), reader.Position())
	}
	for i := range 200 {
		r.s = survivors[i%2]
		r.s.Release(r.s.Head())
		m.append(r, 500)
		r.s.Collect()
		r.check()
	}
	require.Equal(t, r.s.Capacity(), r.s.Size())
	survivors[0].Discard()
	survivors[1].Discard()
	used := 0
	for segment := range r.heap.live {
		if r.s.Uses(segment) {
			used++
		} else {
			require.NotZero(t, segment&Gained, "the ring has lost a chunk that it was born with")
		}
	}
	require.Equal(t, r.s.cfg.Chunks, used)
}

// A writer may also die between Reserve and Append, or find its place in the
// next chunk and come back with a record that fits into this one.
func TestAbandonedReservation(t *testing.T) {
	r := newRing(t, MinChunk, 2, 3)
	m := &model{at: map[uint64]int{}}
	for i := range 400 {
		victim := r.another()
		require.NoError(t, reserve(victim, victim.MaxPayload()))
		if i%3 == 0 { // the frame and half of the payload
			p := victim.w.place
			mem := p.chunk.Bytes[p.start%MinChunk:]
			putFrame(mem, uint32(p.n), 0)
			copy(mem[8:], pattern(1, p.n/2))
		}
		victim.Discard()
		m.append(r, i%r.s.MaxPayload())
		m.scan(t, r.s)
		if i%5 == 0 {
			r.s.Release(r.s.Head())
		}
		r.check()
	}
}

// The stores of enter come in the order that the programs above have: another
// processor never sees a slot with a number and no segment, nor tail moved on
// before the slot that takes over the memory says so.
func TestOrderOfStores(t *testing.T) {
	const last = 900 // every slot is used once
	slot := func(r *ring, n uint64) (first, second bool) {
		return r.h.slots[n].number.Load() != 0, r.h.slots[n].segment.Load() != 0
	}
	tail := func(r *ring, n uint64) (first, second bool) {
		return r.s.Tail() >= (n-1)*MinChunk, r.h.slots[n].number.Load() == n+1
	}
	for _, c := range []struct {
		name   string
		limit  int
		rounds int
		watch  func(r *ring, n uint64) (first, second bool)
	}{
		{"slot of a fresh chunk", last, 6, slot},
		{"slot of a recycled chunk", 2, 100, slot},
		{"tail and slot", 2, 100, tail},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range c.rounds {
				r := newRing(t, MinChunk, 2, c.limit)
				wrong := make(chan int)
				go func() {
					count := 0
					for n := uint64(3); n <= last; n++ {
						first, second := c.watch(r, n)
						for !first {
							first, second = c.watch(r, n)
						}
						if !second {
							count++
						}
					}
					wrong <- count
				}()
				for r.s.Head()>>r.s.shift <= last {
					_, end := r.append(make([]byte, r.s.MaxPayload()))
					if c.limit == 2 {
						r.s.Release(end)
					}
				}
				require.Zero(t, <-wrong)
			}
		})
	}
}
