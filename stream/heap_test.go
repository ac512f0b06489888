package stream

import (
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"testing"

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
	return s.Append(kind, payload, crc32.Checksum(payload, castagnoli))
}

func sizeName(n int) string { return fmt.Sprintf("%dB", n) }
