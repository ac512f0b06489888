package stream

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
)

// writer is what this process keeps between appends. All of it belongs to
// whoever holds the writers' lock, except spare and dropped, which move in and
// out without it.
type writer struct {
	place place // what Reserve found

	// spare is a fresh chunk that waits to be entered: made without the lock,
	// used with it.
	spare atomic.Pointer[mapped]
	// dropped are segments that left the ring and wait for removal.
	dropped [16]atomic.Uint64
	leaving atomic.Bool // one of them may be set
}

type place struct {
	head  uint64  // as it was
	start uint64  // of the record; behind head where padding comes first
	chunk *mapped // start lies in it
	pad   *mapped // head lies in it; nil without padding
	n     int     // payload bytes
}

// Reserve makes room for a record of n payload bytes. It allocates nothing and
// makes no system call: where it would have to, it says what is needed instead
// ([ErrUnmapped], [ErrFull], [ErrLimit]). Other errors are [ErrEnded],
// [ErrTooLarge] and *errs.CorruptError. The caller holds the writers' lock
// from here to the end of [Stream.Append].
func (s *Stream) Reserve(n int) error { return s.reserve(n, false) }

// Turn is Reserve for an empty record at the beginning of the next chunk: what
// is left of the present one is padded. A ring that has grown and is written to
// no more is brought back to its size at rest by a few of them, since chunks
// are given up when one is entered.
func (s *Stream) Turn() error { return s.reserve(0, true) }

func (s *Stream) reserve(n int, turn bool) error {
	p := &s.w.place
	p.chunk = nil // nothing is reserved until all is well
	if n < 0 || n > s.MaxPayload() {
		return ErrTooLarge
	}
	head := s.h.head.Load()
	if head&ended != 0 {
		return ErrEnded
	}
	if head%Align != 0 {
		return errMisaligned
	}
	if s.h.tail.Load() > head || s.h.written.Load() > head {
		return errPositions
	}
	start := head
	offset := head & (uint64(s.cfg.Chunk) - 1)
	number := head >> s.shift
	if p.pad != nil {
		p.pad = nil // of one that was not appended
	}
	if offset != 0 && (turn || uint64(frameBytes(n)) > uint64(s.cfg.Chunk)-offset) {
		if p.pad = s.chunk(number); p.pad == nil {
			return ErrUnmapped
		}
		number, offset = number+1, 0
		start = number << s.shift
	}
	if offset == 0 {
		if err := s.enter(number, head); err != nil {
			return err
		}
	}
	chunk := s.chunk(number)
	if chunk == nil {
		return ErrUnmapped
	}
	p.head, p.start, p.n, p.chunk = head, start, n, chunk
	return nil
}

// enter makes chunk n ready to be written: it has memory, and no chunk in
// [tail, head] lies in the same memory. A writer may die after any store here:
// the next one finds slot n set and goes on.
func (s *Stream) enter(n, head uint64) error {
	floor := s.h.floor.Load()
	tail := s.h.tail.Load()
	sl := &s.h.slots[n%MaxChunks]
	oldest := tail >> s.shift
	if floor > head || n-oldest > uint64(s.cfg.Limit) {
		return errPositions
	}
	for ; oldest < n && (oldest+1)<<s.shift <= floor; oldest++ {
		old := &s.h.slots[oldest%MaxChunks]
		if old.number.Load() != oldest+1 {
			return errTable
		}
		segment := old.segment.Load()
		taken := sl.number.Load() == n+1
		// The last chunk below floor is never dropped but used again: else a
		// ring that floor follows at a distance would drop one and ask for a
		// fresh one at every turn.
		var farewell *atomic.Uint64
		if n-oldest > uint64(s.cfg.Chunks) && (oldest+2)<<s.shift <= floor {
			farewell = s.farewell(segment)
		}
		switch {
		case taken && sl.segment.Load() == segment:
			return s.advance(oldest + 1)
		case taken:
			// Slot n got memory of its own; the oldest chunk stays as it is.
			return nil
		case farewell != nil:
			if err := s.advance(oldest + 1); err != nil {
				return err
			}
			// Not before: whoever sees it there may remove it at once.
			farewell.Store(segment)
			s.w.leaving.Store(true)
		default:
			sl.segment.Store(segment)
			sl.number.Store(n + 1)
			if m := s.local[oldest%MaxChunks].Load(); m != nil && m.segment == segment {
				s.local[n%MaxChunks].Store(m)
			}
			return s.advance(oldest + 1)
		}
	}
	if sl.number.Load() == n+1 {
		return nil
	}
	if n-oldest >= uint64(s.cfg.Limit) {
		return ErrLimit
	}
	spare := s.w.spare.Load()
	if spare == nil {
		return ErrFull
	}
	sl.segment.Store(spare.segment)
	sl.number.Store(n + 1)
	s.local[n%MaxChunks].Store(spare)
	s.w.spare.Store(nil)
	return nil
}

// advance moves tail to the beginning of chunk n and loads it back: no store
// into what was given up may come before readers can see that it was. (A store
// with release semantics alone lets later stores pass it on arm64.)
func (s *Stream) advance(n uint64) error {
	s.h.tail.Store(n << s.shift)
	if s.h.tail.Load() != n<<s.shift {
		return errPositions
	}
	return nil
}

// farewell returns the place where a segment is to be noted that leaves the
// ring, or nil if it cannot leave now. The first segments of a ring have no
// file of their own each, so only those that it gained leave, see [Gained].
// Whoever holds the lock fills these places, anybody empties them.
func (s *Stream) farewell(segment uint64) *atomic.Uint64 {
	if segment&Gained == 0 {
		return nil
	}
	for i := range s.w.dropped {
		if s.w.dropped[i].Load() == 0 {
			return &s.w.dropped[i]
		}
	}
	return nil
}

// Gained marks the numbers of segments that [Segments.Create] made: the ring
// gives them back when it no longer needs them; part of the format.
const Gained uint64 = 1 << 63

// Append writes the record that was reserved and publishes it; sum is the
// CRC-32C of the payload. It reports where the record begins, padding
// included, and where it ends. A reader sees the record exactly when head has
// passed it. Errors are [ErrEnded] and [ErrNotReserved]; nothing was appended
// then, and a new Reserve is needed in any case.
func (s *Stream) Append(kind Kind, payload []byte, sum uint32) (start, end uint64, err error) {
	p := &s.w.place
	chunk, pad := p.chunk, p.pad
	p.chunk = nil // what was published must not be written again
	if pad != nil {
		p.pad = nil
	}
	if chunk == nil || len(payload) != p.n || (kind != Data && kind != Reference) {
		return 0, 0, ErrNotReserved
	}
	if s.h.head.Load() != p.head {
		return 0, 0, s.moved()
	}
	end = p.start + uint64(frameBytes(p.n))
	if headFirst { // never, see broken_off.go
		if !s.h.head.CompareAndSwap(p.head, end) {
			return 0, 0, s.moved()
		}
		linger()
	}
	mask := uint64(s.cfg.Chunk) - 1
	if pad != nil {
		rest := uint64(s.cfg.Chunk) - p.head&mask
		length := uint32(rest-frameSize) | uint32(padding)<<30
		failpoint.Step("padding")
		putFrame(pad.Bytes[p.head&mask:], length, mix(0, p.head, length))
	}
	mem := chunk.Bytes[p.start&mask:]
	length := uint32(p.n) | uint32(kind)<<30
	failpoint.Step("payload")
	copy(mem[frameSize:frameSize+p.n], payload)
	failpoint.Step("frame")
	putFrame(mem, length, mix(sum, p.start, length))
	failpoint.Step("frame")
	// By CAS: the stream may have been ended since Reserve.
	if !headFirst && !s.h.head.CompareAndSwap(p.head, end) {
		return 0, 0, s.moved()
	}
	s.h.written.Store(end)
	runtime.KeepAlive(chunk)
	runtime.KeepAlive(pad)
	return p.head, end, nil
}

// moved says why head is not where Reserve found it.
func (s *Stream) moved() error {
	if s.Ended() {
		return ErrEnded
	}
	return ErrNotReserved
}

// Release lets the next writer overwrite what lies below position, or below
// head if that is less. The caller holds the writers' lock.
func (s *Stream) Release(position uint64) {
	if position = min(position, s.Head()); position > s.h.floor.Load() {
		s.h.floor.Store(position)
	}
}

// Map maps the chunks that the next Reserve needs. The caller does not hold
// the lock. It returns *errs.CorruptError where mapping would not help, and
// what [Segments.Map] returned.
func (s *Stream) Map() error {
	for range 3 {
		head := s.Head()
		n := head >> s.shift
		_, err := s.load(n)
		inside := head&(uint64(s.cfg.Chunk)-1) != 0
		if err == nil {
			// The chunk behind it may be about to be entered, or not exist yet.
			_, err = s.load(n + 1)
			inside = false
		}
		if s.Head()>>s.shift != n {
			continue
		}
		if err == errAbsent {
			// No harm as long as nothing lies in it.
			if err = nil; inside {
				err = errTable
			}
		}
		return err
	}
	return nil
}

// Grow makes a chunk for the next Reserve to enter. The caller does not hold
// the lock. It returns the segment of the chunk, 0 if none was needed: others
// of this process may have made one, and may enter this one at once.
func (s *Stream) Grow() (segment uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w.spare.Load() != nil {
		return 0, nil
	}
	segment, memory, err := s.cfg.Segments.Create()
	if err != nil {
		return 0, fmt.Errorf("grow stream: %w", err)
	}
	if segment&Gained == 0 || len(memory.Bytes) < s.cfg.Chunk {
		return 0, fmt.Errorf("grow stream: segment %#x of %d bytes: %w", segment, len(memory.Bytes), errs.ErrInvalidOption)
	}
	s.pending = segment
	s.w.spare.Store(s.keep(segment, memory))
	return segment, nil
}

// Collect removes the segments that left the ring. The caller does not hold
// the lock. With nothing to do it costs a load of private memory.
func (s *Stream) Collect() {
	if !s.w.leaving.Load() {
		return
	}
	s.w.leaving.Store(false)
	for i := range s.w.dropped {
		segment := s.w.dropped[i].Load()
		if segment == 0 {
			continue
		}
		if s.Uses(segment) { // in doubt, next time
			s.w.leaving.Store(true)
			continue
		}
		if s.w.dropped[i].CompareAndSwap(segment, 0) {
			s.cfg.Segments.Remove(segment)
		}
	}
}

// Discard gives back the chunk that was made and not used. The caller holds
// the lock, or is the last to use the stream: otherwise a writer might enter
// the chunk while it goes.
func (s *Stream) Discard() {
	if spare := s.w.spare.Swap(nil); spare != nil {
		s.cfg.Segments.Remove(spare.segment)
	}
}

// Spare is the segment that Grow made and no slot names yet, 0 for none.
func (s *Stream) Spare() uint64 {
	if spare := s.w.spare.Load(); spare != nil {
		return spare.segment
	}
	return 0
}
