package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ultradict/go/internal/bell"
	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
)

// Errors of this package.
var (
	// ErrEnded says that the stream was ended and takes no more records.
	ErrEnded = errors.New("stream: ended")
	// ErrLapped says that the writer has overwritten what the reader was to
	// read next. The reader has to begin at a later position.
	ErrLapped = errors.New("stream: lapped")
	// ErrUnmapped says that Reserve needs a chunk that this process has not
	// mapped yet: release the lock, call Map, begin again.
	ErrUnmapped = errors.New("stream: chunk not mapped")
	// ErrFull says that Reserve needs a fresh chunk: release the lock, call
	// Grow, begin again.
	ErrFull = errors.New("stream: ring is full")
	// ErrLimit says that the ring has as many chunks as it may have: floor has
	// to move first.
	ErrLimit = errors.New("stream: ring has reached its limit")
	// ErrTooLarge says that a record is larger than MaxPayload.
	ErrTooLarge = errors.New("stream: record is too large")
	// ErrNotReserved says that Append was not preceded by a Reserve for that
	// very record, under the same hold of the lock, or that its kind is none.
	ErrNotReserved = errors.New("stream: record was not reserved")
)

// Made once: what runs under the writers' lock allocates nothing.
var (
	errMisaligned error = &errs.CorruptError{Segment: "control", Reason: "head of the stream is no record's end"}
	errPositions  error = &errs.CorruptError{Segment: "control", Reason: "positions of the stream contradict each other"}
	errTable      error = &errs.CorruptError{Segment: "control", Reason: "the stream's chunk table lacks a chunk"}
)

// errAbsent says that the table does not name a chunk: it was not entered yet,
// was given up meanwhile, or the table is damaged. The caller knows which.
var errAbsent = errors.New("stream: chunk is not in the table")

// Memory is one chunk of shared memory in this process.
type Memory struct {
	Bytes []byte // at least a chunk; what is behind a chunk is not used
	Owner any    // kept reachable as long as Bytes are in use; may unmap in a cleanup
}

// Segments provides the memory of chunks. A segment is named by a nonzero
// number that means the same in every process and is never used again, not
// even for a segment's successor after its removal: a process that slept may
// still act on the old one. The methods may do system calls, are called by
// any goroutine, and not with the writers' lock held (but see Discard).
type Segments interface {
	// Map returns the memory of a segment that exists. Of one that does not,
	// its error matches fs.ErrNotExist.
	Map(segment uint64) (Memory, error)
	// Create makes a segment of one more chunk. Its number has the bit Gained.
	Create() (segment uint64, memory Memory, err error)
	// Remove gives back a segment that no slot names any more.
	Remove(segment uint64)
}

// Config describes a ring. All processes give the same values.
type Config struct {
	Chunk    int      // bytes a chunk: a power of two from MinChunk to MaxChunk
	Chunks   int      // chunks the ring has at rest, 2 or more
	Limit    int      // chunks the ring may grow to, less than MaxChunks
	Segments Segments // where chunks come from; all processes mean the same by a number
}

// Stream is one process's access to a stream. All methods but those of the
// writer may be called by any number of goroutines.
type Stream struct {
	h     *Header
	owner any // keeps the memory of h reachable
	cfg   Config
	shift uint

	// local[n mod MaxChunks] is this process's mapping of a chunk, if it has one.
	local [MaxChunks]atomic.Pointer[mapped]

	mu      sync.Mutex
	mapped  map[uint64]*mapped // by segment
	pending uint64             // the spare's segment, 0 for none: see Spare

	w writer
}

type mapped struct {
	segment uint64
	Memory
}

// New returns access to the stream whose header lies in shared memory that
// stays mapped as long as owner is reachable.
func New(h *Header, owner any, cfg Config) (*Stream, error) {
	if cfg.Chunk < MinChunk || cfg.Chunk > MaxChunk || cfg.Chunk&(cfg.Chunk-1) != 0 {
		return nil, fmt.Errorf("stream: chunk of %d bytes: %w", cfg.Chunk, errs.ErrInvalidOption)
	}
	if cfg.Chunks < 2 || cfg.Limit < cfg.Chunks || cfg.Limit >= MaxChunks {
		return nil, fmt.Errorf("stream: %d chunks, at most %d: %w", cfg.Chunks, cfg.Limit, errs.ErrInvalidOption)
	}
	if cfg.Segments == nil {
		return nil, fmt.Errorf("stream: no segments: %w", errs.ErrInvalidOption)
	}
	s := &Stream{h: h, owner: owner, cfg: cfg, mapped: map[uint64]*mapped{}}
	for 1<<s.shift < cfg.Chunk {
		s.shift++
	}
	return s, nil
}

// Init lays out a fresh stream: its first chunks are the given segments, as
// many as the ring has at rest, without the bit Gained. Only the process that creates the header calls it, before anybody else sees it.
// The first position is one chunk, so that 0 is never a position.
func (s *Stream) Init(segments []uint64) {
	for i, segment := range segments {
		n := uint64(i + 1)
		s.h.slots[n%MaxChunks].segment.Store(segment)
		s.h.slots[n%MaxChunks].number.Store(n + 1)
	}
	start := uint64(s.cfg.Chunk)
	s.h.tail.Store(start)
	s.h.floor.Store(start)
	s.h.head.Store(start)
	s.h.written.Store(start)
}

// First is the first position of every stream with these chunks.
func (s *Stream) First() uint64 { return uint64(s.cfg.Chunk) }

// HeadWord is the word that every append moves: a reader that stands at a
// position is up to date exactly when the word equals it. After [Stream.End]
// it equals no position.
func (s *Stream) HeadWord() *atomic.Uint64 { return failpoint.Atomic64(&s.h.head) }

// WrittenWord is a word that follows the one of [Stream.HeadWord]: each append
// moves it to where it has moved that. Loaded before, it is never above it, and
// equal to it unless an append is under way, or its writer died in it; so it tells a
// head that was damaged from one that is true.
func (s *Stream) WrittenWord() *atomic.Uint64 { return failpoint.Atomic64(&s.h.written) }

// Head is the end of the last record.
func (s *Stream) Head() uint64 { return s.h.head.Load() &^ ended }

// Tail is the position below which nothing can be read.
func (s *Stream) Tail() uint64 { return s.h.tail.Load() }

// Floor is the position below which the next writer may overwrite.
func (s *Stream) Floor() uint64 { return s.h.floor.Load() }

// Ended reports whether the stream was ended.
func (s *Stream) Ended() bool { return s.h.head.Load()&ended != 0 }

// End marks the end of the stream: no record is ever appended again, also not
// by a writer that is in the middle of it. It needs no lock.
func (s *Stream) End() {
	s.h.head.Or(ended)
	s.h.bell.Ring()
}

// MaxPayload is the largest payload of a record in bytes: a quarter of a chunk.
func (s *Stream) MaxPayload() int { return s.cfg.Chunk/4 - frameSize }

// Capacity is the size in bytes of the ring at rest.
func (s *Stream) Capacity() int64 { return int64(s.cfg.Chunk) * int64(s.cfg.Chunks) }

// Size is the size in bytes of the ring as it stands.
func (s *Stream) Size() int64 {
	tail, head := s.Tail(), s.Head()
	if head <= tail {
		return s.Capacity()
	}
	// A chunk is part of the ring once something lies in it.
	n := (head-1)>>s.shift - tail>>s.shift + 1
	return int64(max(min(n, uint64(s.cfg.Limit)), uint64(s.cfg.Chunks)) << s.shift)
}

// Ring wakes the readers that wait for records.
func (s *Stream) Ring() { s.h.bell.Ring() }

// Wait returns when something was appended behind position, when the stream
// has ended, or when ctx is done, whose error it returns then.
func (s *Stream) Wait(ctx context.Context, position uint64) error {
	for s.h.head.Load() == position {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.Sleep(ctx, position, bell.Longest, func() bool { return false })
	}
	return nil
}

// Sleep is one turn of Wait. It returns when the head is no longer at position, when ctx
// is done, after d or after a quarter of a second, or for no reason; and also when over
// reports true, which it asks whenever somebody rings.
func (s *Stream) Sleep(ctx context.Context, position uint64, d time.Duration, over func() bool) {
	if deadline, ok := ctx.Deadline(); ok {
		if d = min(d, time.Until(deadline)); d <= 0 {
			<-ctx.Done() // any moment now
			return
		}
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() {
			s.h.bell.Ring()
			runtime.KeepAlive(s) // it may run when Sleep has returned
		})
		defer stop()
	}
	s.h.bell.Sleep(d, func() bool { return s.h.head.Load() != position || ctx.Err() != nil || over() })
}

// Uses reports whether a chunk of the ring lies in the segment, as Segments
// has it, or whether it is this process's spare. It needs no lock.
func (s *Stream) Uses(segment uint64) bool {
	if segment == 0 {
		return false
	}
	// The spare first: it goes from there into the ring.
	if segment == s.Spare() {
		return true
	}
	in, ok := s.Segments()
	return !ok || slices.Contains(in, segment) // in doubt, it is
}

// Segments returns the segments that chunks of the ring lie in: those in
// [tail, head], and the one that the next writer will enter. It needs no lock.
// It may name segments that have just left the ring, and leaves out none of
// those that were in it when it was called. ok is false where that cannot be
// said: the ring went round a thousand chunks during each of several looks.
func (s *Stream) Segments() (in []uint64, ok bool) {
	for range 8 {
		in = in[:0]
		tail := s.h.tail.Load() >> s.shift
		for i := range s.h.slots {
			if s.h.slots[i].number.Load() > tail {
				in = append(in, s.h.slots[i].segment.Load())
			}
		}
		// A segment moves to another slot while we look, and is then named by
		// both, unless we slept until the table had come round to the first.
		if s.h.tail.Load()>>s.shift-tail < uint64(MaxChunks-s.cfg.Limit) {
			return in, true
		}
	}
	return nil, false
}

// chunk returns this process's mapping of chunk n, nil where it has none or
// where the table does not hold chunk n.
func (s *Stream) chunk(n uint64) *mapped {
	sl := &s.h.slots[n%MaxChunks]
	if sl.number.Load() != n+1 {
		return nil
	}
	if m := s.local[n%MaxChunks].Load(); m != nil && m.segment == sl.segment.Load() {
		return m
	}
	return nil
}

// load returns the mapping of chunk n and maps it first if need be. errAbsent
// says that the table does not name chunk n.
func (s *Stream) load(n uint64) (*mapped, error) {
	if m := s.chunk(n); m != nil {
		return m, nil
	}
	sl := &s.h.slots[n%MaxChunks]
	number, segment := sl.number.Load(), sl.segment.Load()
	if number != n+1 {
		return nil, errAbsent
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mapped[segment]
	if m == nil {
		memory, err := s.cfg.Segments.Map(segment)
		if err != nil {
			if sl.segment.Load() != segment || s.h.tail.Load()>>s.shift > n {
				return nil, errAbsent
			}
			if errors.Is(err, errs.ErrNotExist) {
				return nil, &errs.CorruptError{Segment: chunkName(n), Reason: "its segment is missing"}
			}
			return nil, fmt.Errorf("map chunk %d: %w", n, err)
		}
		if len(memory.Bytes) < s.cfg.Chunk {
			return nil, &errs.CorruptError{Segment: chunkName(n), Reason: "segment is smaller than a chunk"}
		}
		m = s.keep(segment, memory)
	}
	s.local[n%MaxChunks].Store(m)
	return m, nil
}

func chunkName(n uint64) string { return fmt.Sprintf("stream (chunk %d)", n) }

// keep remembers a mapping and forgets those of segments that the ring no
// longer has. The caller holds s.mu.
func (s *Stream) keep(segment uint64, memory Memory) *mapped {
	if len(s.mapped) >= 2*s.cfg.Chunks+8 {
		s.forget()
	}
	memory.Bytes = memory.Bytes[:s.cfg.Chunk:s.cfg.Chunk]
	m := &mapped{segment: segment, Memory: memory}
	s.mapped[segment] = m
	return m
}

// Forget lets go of this process's mappings of segments that the ring no longer
// has, so that their memory is free when the collector has run. It is done now
// and then anyway, by whoever maps a chunk.
func (s *Stream) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mapped) > s.cfg.Chunks {
		s.forget()
	}
}

// forget is Forget for who holds s.mu.
func (s *Stream) forget() {
	live := map[uint64]bool{s.pending: true}
	tail := s.h.tail.Load() >> s.shift
	for i := range s.h.slots {
		if s.h.slots[i].number.Load() > tail {
			live[s.h.slots[i].segment.Load()] = true
		}
	}
	for old := range s.mapped {
		if !live[old] {
			delete(s.mapped, old)
		}
	}
	for i := range s.local {
		if m := s.local[i].Load(); m != nil && !live[m.segment] {
			s.local[i].CompareAndSwap(m, nil)
		}
	}
}
