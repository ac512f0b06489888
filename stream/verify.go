package stream

import (
	"fmt"

	"github.com/ultradict/go/internal/errs"
)

// Verify checks the header: that the positions are possible and do not
// contradict each other, that the table names the memory of every chunk in
// [tail, head), that no two chunks lie in the same memory (but for one that is
// being taken by the chunk that is entered next), and that the ring still has
// the chunks it began with. It needs no lock; ok is false if the ring was turning
// too fast for a look at one moment of it. What it finds are
// *[errs.CorruptError]s with the offset in the header. The records are for a
// [Reader].
func (s *Stream) Verify() (found []error, ok bool) {
	const patience = 1000 // looks, each of which takes some microseconds
	for range patience {
		m := moment{tail: s.h.tail.Load()}
		m.floor = s.h.floor.Load()
		m.written = s.h.written.Load()
		m.head = s.Head()
		for i := range s.h.slots {
			// In the order opposite to the writer's: a number stands for the
			// segment beside it.
			m.numbers[i] = s.h.slots[i].number.Load()
			m.segments[i] = s.h.slots[i].segment.Load()
		}
		m.headAfter = s.Head()
		if s.h.tail.Load() == m.tail {
			return s.verify(&m), true
		}
	}
	return nil, false
}

// moment is a copy of the header during which tail did not move. Words that
// only grow are read in the order of their size, the smaller ones first.
type moment struct {
	tail, floor     uint64
	written         uint64
	head, headAfter uint64 // before and after the table was read
	numbers         [MaxChunks]uint64
	segments        [MaxChunks]uint64
}

// Offsets of the words in a Header; part of the format, and checked there.
const (
	atHead  = 0
	atTail  = 64
	atFloor = 72
	atSlots = 192
)

func (s *Stream) verify(m *moment) (found []error) {
	say := func(offset int, format string, args ...any) {
		found = append(found, &errs.CorruptError{Segment: "stream header", Offset: int64(offset), Reason: fmt.Sprintf(format, args...)})
	}
	switch size := uint64(s.cfg.Chunk); {
	case m.tail%size != 0 || m.tail < size:
		say(atTail, "tail %d does not begin a chunk", m.tail)
	case m.floor < m.tail:
		say(atFloor, "floor %d is below tail %d", m.floor, m.tail)
	case m.head < m.written:
		say(atHead, "head %d is below %d, which was written", m.head, m.written)
	case m.head < m.floor:
		say(atHead, "head %d is below floor %d", m.head, m.floor)
	case m.head%Align != 0:
		say(atHead, "head %d is no multiple of %d", m.head, Align)
	case m.floor%Align != 0:
		say(atFloor, "floor %d is no multiple of %d", m.floor, Align)
	case m.head-m.tail > uint64(s.cfg.Limit)*size:
		say(atHead, "head %d is more than %d chunks above tail %d", m.head, s.cfg.Limit, m.tail)
	}
	if found == nil { // otherwise it cannot be said what the table must hold
		s.verifyTable(m, say)
	}
	return found
}

func (s *Stream) verifyTable(m *moment, say func(offset int, format string, args ...any)) {
	oldest := m.tail >> s.shift
	for n := oldest; n<<s.shift < m.head; n++ {
		if i := n % MaxChunks; m.numbers[i] != n+1 {
			say(atSlots+16*int(i), "the table lacks chunk %d, which holds records", n)
			return
		}
	}
	next := (m.headAfter + uint64(s.cfg.Chunk) - 1) >> s.shift // the chunk that is entered next
	in := map[uint64]uint64{}                                  // chunks by their segments
	first := 0                                                 // segments that the ring began with
	for i := range m.numbers {
		number, segment := m.numbers[i], m.segments[i]
		if number == 0 {
			continue
		}
		n := number - 1
		switch {
		case n%MaxChunks != uint64(i):
			say(atSlots+16*i, "the table has chunk %d in slot %d", n, i)
			continue
		case n > max(next, oldest+uint64(s.cfg.Chunks)-1):
			say(atSlots+16*i, "the table has chunk %d, long before it is needed", n)
			continue
		case n < oldest:
			continue
		case segment == 0:
			say(atSlots+16*i, "chunk %d has no memory", n)
			continue
		}
		other, twice := in[segment]
		switch {
		case !twice:
			in[segment] = n
			if segment&Gained == 0 {
				first++
			}
		case min(n, other) != oldest || max(n, other) != next:
			say(atSlots+16*i, "chunks %d and %d lie in the same memory", min(n, other), max(n, other))
		}
	}
	if first != s.cfg.Chunks {
		say(atSlots, "%d of the ring's first %d chunks are in the table", first, s.cfg.Chunks)
	}
}
