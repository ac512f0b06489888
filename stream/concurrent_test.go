package stream

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// One writer and three readers who are waited for: each gets every record.
// (Readers that are lapped read what is being overwritten, which the race
// detector objects to. The tests with processes see to them.)
func TestOneWriterThreeReaders(t *testing.T) {
	const records = 20000
	r := newRing(t, MinChunk, 2, 6)
	var positions [3]atomic.Uint64
	var wg sync.WaitGroup
	for i := range positions {
		positions[i].Store(r.s.First())
		s := r.s
		if i == 2 {
			s = r.another()
		}
		wg.Go(func() {
			rd := s.Reader(s.First())
			n := 0
			for {
				rec, ok, err := rd.Next(s.Head())
				if err != nil {
					t.Errorf("reader %d at %d: %v", i, rd.Position(), err)
					s.End()
					return
				}
				if ok {
					if string(rec.Payload) != string(pattern(rec.Start, int(rec.Start)%200)) {
						t.Errorf("reader %d at %d: wrong content", i, rec.Start)
					}
					positions[i].Store(rec.End)
					n++
					continue
				}
				if s.Ended() {
					break
				}
				if err := s.Wait(context.Background(), rd.Position()); err != nil {
					t.Error(err)
				}
			}
			if n != records {
				t.Errorf("reader %d: %d records", i, n)
			}
		})
	}
	for written := 0; written < records; {
		payload := pattern(r.s.Head(), int(r.s.Head())%200)
		_, _, err := appendTo(r.s, Data, payload)
		r.s.Release(min(positions[0].Load(), positions[1].Load(), positions[2].Load()))
		if err == ErrLimit {
			continue
		}
		if err != nil {
			t.Error(err)
			break
		}
		r.s.Ring()
		r.s.Collect()
		written++
	}
	r.s.End()
	wg.Wait()
	r.check()
}

// Wait returns for each of its reasons, also to one that is asleep already.
func TestWaitersAreWoken(t *testing.T) {
	for _, c := range []struct {
		name string
		wake func(r *ring, cancel func())
		want error
	}{
		{"append", func(r *ring, _ func()) { r.append(nil); r.s.Ring() }, nil},
		{"end", func(r *ring, _ func()) { r.another().End() }, nil},
		{"cancel", func(_ *ring, cancel func()) { cancel() }, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 20 {
				r := newRing(t, MinChunk, 2, 4)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				done := make(chan error)
				go func() { done <- r.s.Wait(ctx, r.s.First()) }()
				for !asleep(r.h) {
					runtime.Gosched() // until its flag is up
				}
				c.wake(r, cancel)
				require.Equal(t, c.want, <-done)
			}
		})
	}
}

// asleep reports whether somebody has raised the flag of the bell.
func asleep(h *Header) bool {
	return (*atomic.Uint32)(unsafe.Pointer(&h.bell)).Load() != 0
}

// While one goroutine writes under the lock, others of the process map, grow,
// collect and read.
func TestHelpersBesideTheWriter(t *testing.T) {
	r := newRing(t, MinChunk, 2, 60)
	var stop atomic.Bool
	var wg sync.WaitGroup
	var errors atomic.Int64
	for range 2 {
		wg.Go(func() {
			for !stop.Load() {
				if err := r.s.Map(); err != nil {
					errors.Add(1)
				}
				if _, err := r.s.Grow(); err != nil {
					errors.Add(1)
				}
				r.s.Collect()
				r.s.Uses(1)
				r.s.Size()
			}
		})
	}
	for i := range 20000 {
		_, end := r.append(make([]byte, 100))
		if i%1000 > 700 {
			r.s.Release(end)
		}
		if i%1000 == 0 {
			r.check()
		}
	}
	stop.Store(true)
	wg.Wait()
	require.Zero(t, errors.Load())
	r.s.Release(r.s.Head())
	for range 200 {
		_, end := r.append(make([]byte, 400))
		r.s.Release(end)
		r.s.Collect()
	}
	r.s.Discard()
	require.Len(t, r.heap.live, 2)
}
