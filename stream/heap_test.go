package stream

import (
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// heap provides chunks in the memory of this process. Its numbers are never
// used twice, and it knows which of them exist.
type heap struct {
	chunk int

	mu      sync.Mutex
	last    uint64
	live    map[uint64][]byte
	created int
	removed int
}

func newHeap(chunk int) *heap { return &heap{chunk: chunk, live: map[uint64][]byte{}} }

func (h *heap) Map(segment uint64) (Memory, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	mem := h.live[segment]
	if mem == nil {
		return Memory{}, fmt.Errorf("segment %x: %w", segment, errs.ErrNotExist)
	}
	return Memory{Bytes: mem}, nil
}

func (h *heap) Create() (uint64, Memory, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.created++
	segment := h.make(Gained)
	return segment, Memory{Bytes: h.live[segment]}, nil
}

func (h *heap) make(flags uint64) uint64 {
	h.last++
	h.live[h.last|flags] = make([]byte, h.chunk)
	return h.last | flags
}

func (h *heap) Remove(segment uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.live[segment] == nil || segment&Gained == 0 {
		panic(fmt.Sprintf("segment %x removed: it does not exist or is not the ring's to remove", segment))
	}
	h.removed++
	delete(h.live, segment)
}

// ring is a stream in heap memory with what its tests need.
type ring struct {
	t    testing.TB
	heap *heap
	h    *Header
	s    *Stream
}

func newRing(t testing.TB, chunk, chunks, limit int) *ring {
	r := &ring{t: t, heap: newHeap(chunk), h: new(Header)}
	var first []uint64
	for range chunks {
		first = append(first, r.heap.make(0))
	}
	r.s = r.attach(chunk, chunks, limit)
	r.s.Init(first)
	return r
}

// attach returns one more access to the ring, as another process would have it.
func (r *ring) attach(chunk, chunks, limit int) *Stream {
	s, err := New(r.h, nil, Config{Chunk: chunk, Chunks: chunks, Limit: limit, Segments: r.heap})
	require.NoError(r.t, err)
	return s
}

// another is attach with the ring's own sizes.
func (r *ring) another() *Stream {
	return r.attach(r.s.cfg.Chunk, r.s.cfg.Chunks, r.s.cfg.Limit)
}

// append appends a record and returns where it begins and ends.
func (r *ring) append(payload []byte) (start, end uint64) {
	r.t.Helper()
	start, end, err := appendTo(r.s, Data, payload)
	if err != nil {
		r.t.Fatal(err)
	}
	return start, end
}

// reserve does what Reserve asks for until it has no more wishes.
func reserve(s *Stream, n int) error {
	for range 100 {
		err := s.Reserve(n)
		switch {
		case errors.Is(err, ErrUnmapped):
			err = s.Map()
		case errors.Is(err, ErrFull):
			_, err = s.Grow()
		default:
			return err
		}
		if err != nil {
			return err
		}
	}
	return errors.New("Reserve asks for the same for ever")
}

func appendTo(s *Stream, kind Kind, payload []byte) (start, end uint64, err error) {
	if err := reserve(s, len(payload)); err != nil {
		return 0, 0, err
	}
	return s.Append(kind, payload, sumOf(payload))
}

func sumOf(payload []byte) uint32 { return crc32.Checksum(payload, castagnoli) }

func sizeName(n int) string { return fmt.Sprintf("%dB", n) }

// fillTo appends records so that head comes to stand at an offset of its chunk.
func (r *ring) fillTo(offset int) {
	for {
		at := int(r.s.Head() % uint64(r.s.cfg.Chunk))
		if at == offset {
			return
		}
		r.append(make([]byte, min(offset-at, r.s.MaxPayload()+frameSize)-frameSize))
	}
}

// memory returns the memory of a chunk.
func (r *ring) memory(n uint64) []byte {
	r.heap.mu.Lock()
	defer r.heap.mu.Unlock()
	return r.heap.live[r.h.slots[n%MaxChunks].segment.Load()]
}

// pattern is the content of a record at a position: every byte depends on it.
func pattern(position uint64, n int) []byte {
	b := make([]byte, n)
	x := position*0x9e3779b97f4a7c15 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

// check checks what must hold between any two steps of any writer: the order
// of the positions, the size of the ring, and that every chunk in [tail, head]
// has memory of its own.
func (r *ring) check() {
	r.t.Helper()
	checkHeader(r.t, r.h, r.s.cfg)
	found, ok := r.s.Verify()
	require.True(r.t, ok)
	require.Empty(r.t, found)
	for n := r.s.Tail() >> r.s.shift; n<<r.s.shift < r.s.Head(); n++ {
		require.NotNil(r.t, r.memory(n), "chunk %d lies in memory that does not exist", n)
	}
}

func checkHeader(t testing.TB, h *Header, cfg Config) {
	t.Helper()
	chunk := uint64(cfg.Chunk)
	tail, floor, head := h.tail.Load(), h.floor.Load(), h.head.Load()&^ended
	require.LessOrEqual(t, tail, floor)
	require.LessOrEqual(t, floor, head)
	require.Zero(t, tail%chunk)
	last := (head - 1) / chunk
	require.LessOrEqual(t, last+1-tail/chunk, uint64(cfg.Limit))
	seen := map[uint64]uint64{}
	for n := tail / chunk; n <= last; n++ {
		sl := &h.slots[n%MaxChunks]
		require.Equal(t, n+1, sl.number.Load())
		other, twice := seen[sl.segment.Load()]
		require.False(t, twice, "chunks %d and %d in the same memory", n, other)
		seen[sl.segment.Load()] = n
	}
}

// moveTo lets an empty stream begin at a chunk, as if it had come so far.
func (r *ring) moveTo(chunk uint64) {
	var segments []uint64
	for n := r.s.Head() >> r.s.shift; len(segments) < r.s.cfg.Chunks; n++ {
		segments = append(segments, r.h.slots[n%MaxChunks].segment.Load())
	}
	clear(words(r.h)[:])
	for i, segment := range segments {
		n := chunk + uint64(i)
		r.h.slots[n%MaxChunks].segment.Store(segment)
		r.h.slots[n%MaxChunks].number.Store(n + 1)
	}
	r.h.tail.Store(chunk << r.s.shift)
	r.h.floor.Store(chunk << r.s.shift)
	r.h.head.Store(chunk << r.s.shift)
}

// words is the header as the words that it consists of.
func words(h *Header) *[HeaderSize / 8]uint64 {
	return (*[HeaderSize / 8]uint64)(unsafe.Pointer(h))
}
