package stream_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log"
	"sync"

	"github.com/ultradict/go/stream"
)

// memory provides the chunks of a stream that lives in one process. Between
// processes it would map files instead, and unmap them once Owner is garbage.
type memory struct {
	chunk int

	mu     sync.Mutex
	last   uint64
	chunks map[uint64][]byte
}

func (m *memory) Map(segment uint64) (stream.Memory, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.chunks[segment] == nil {
		return stream.Memory{}, fs.ErrNotExist
	}
	return stream.Memory{Bytes: m.chunks[segment]}, nil
}

func (m *memory) Create() (uint64, stream.Memory, error) {
	segment := m.add(stream.Gained)
	mem, err := m.Map(segment)
	return segment, mem, err
}

func (m *memory) Remove(segment uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.chunks, segment)
}

func (m *memory) add(flags uint64) (segment uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	m.chunks[m.last|flags] = make([]byte, m.chunk)
	return m.last | flags
}

// appendRecord holds the writers' lock only while nothing but memory is
// touched; whatever takes a system call comes between two attempts.
func appendRecord(s *stream.Stream, lock sync.Locker, kind stream.Kind, payload []byte) (end uint64, err error) {
	sum := crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli))
	for {
		lock.Lock()
		if err = s.Reserve(len(payload)); err == nil {
			_, end, err = s.Append(kind, payload, sum)
		}
		lock.Unlock()
		switch {
		case errors.Is(err, stream.ErrUnmapped):
			err = s.Map()
		case errors.Is(err, stream.ErrFull):
			_, err = s.Grow()
		case err == nil:
			s.Ring()
			s.Collect()
			return end, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func Example() {
	mem := &memory{chunk: stream.MinChunk, chunks: map[uint64][]byte{}}
	s, err := stream.New(new(stream.Header), nil, stream.Config{
		Chunk: stream.MinChunk, Chunks: 2, Limit: 3, Segments: mem,
	})
	if err != nil {
		log.Fatal(err)
	}
	s.Init([]uint64{mem.add(0), mem.add(0)})

	var lock sync.Mutex // between processes: package locks
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := s.Reader(s.First())
		for {
			rec, ok, err := r.Next(s.Head())
			switch {
			case err != nil:
				log.Fatal(err)
			case ok && rec.Kind == stream.Reference:
				fmt.Printf("%d: see %s\n", rec.Start, rec.Payload)
			case ok:
				fmt.Printf("%d: %s\n", rec.Start, rec.Payload)
			case s.Ended():
				return
			default:
				s.Wait(context.Background(), r.Position())
			}
		}
	}()
	for _, text := range []string{"one", "two", "three"} {
		if _, err := appendRecord(s, &lock, stream.Data, []byte(text)); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := appendRecord(s, &lock, stream.Reference, []byte("file 4")); err != nil {
		log.Fatal(err)
	}
	s.End()
	<-done
	// Output:
	// 2048: one
	// 2064: two
	// 2080: three
	// 2096: see file 4
}

// A ring overwrites only what it was allowed to. It grows up to its limit,
// refuses further records there, and goes on when floor has moved.
func ExampleStream_Release() {
	mem := &memory{chunk: stream.MinChunk, chunks: map[uint64][]byte{}}
	s, err := stream.New(new(stream.Header), nil, stream.Config{
		Chunk: stream.MinChunk, Chunks: 2, Limit: 3, Segments: mem,
	})
	if err != nil {
		log.Fatal(err)
	}
	s.Init([]uint64{mem.add(0), mem.add(0)})
	slow := s.Reader(s.First())

	var lock sync.Mutex
	large := make([]byte, s.MaxPayload())
	n := 0
	for ; err == nil; n++ {
		_, err = appendRecord(s, &lock, stream.Data, large)
	}
	fmt.Println(n-1, "records fit:", err)
	fmt.Println("at rest", s.Capacity(), "bytes, now", s.Size())

	lock.Lock()
	s.Release(s.Head())
	lock.Unlock()
	for range 20 {
		end, err := appendRecord(s, &lock, stream.Data, large)
		if err != nil {
			log.Fatal(err)
		}
		lock.Lock()
		s.Release(end)
		lock.Unlock()
	}
	fmt.Println("now", s.Size())
	_, _, err = slow.Next(s.Head())
	fmt.Println("slow reader:", err)
	// Output:
	// 12 records fit: stream: ring has reached its limit
	// at rest 4096 bytes, now 6144
	// now 4096
	// slow reader: stream: lapped
}

// Verify finds a header that contradicts itself.
func ExampleStream_Verify() {
	mem := &memory{chunk: stream.MinChunk, chunks: map[uint64][]byte{}}
	s, err := stream.New(new(stream.Header), nil, stream.Config{
		Chunk: stream.MinChunk, Chunks: 2, Limit: 3, Segments: mem,
	})
	if err != nil {
		log.Fatal(err)
	}
	s.Init([]uint64{mem.add(0), mem.add(0)})
	fmt.Println(s.Verify())
	s.HeadWord().Add(1)
	fmt.Println(s.Verify())
	// Output:
	// [] true
	// [ultradict: segment stream header is damaged at offset 0: head 2049 is no multiple of 8] true
}
