package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What left the ring is forgotten by every process that had it mapped, and the
// ring goes on without.
func TestForget(t *testing.T) {
	r := newRing(t, MinChunk, 2, 16)
	other := r.another()
	payload := make([]byte, r.s.MaxPayload())
	read := other.Reader(other.First())
	for r.s.Size() < 10*MinChunk {
		r.append(payload)
		for {
			_, ok, err := read.Next(other.Head())
			require.NoError(t, err)
			if !ok {
				break
			}
		}
	}
	require.Greater(t, len(other.mapped), 8)
	for r.s.Size() > 3*MinChunk {
		r.s.Release(r.s.Head())
		require.NoError(t, turn(r.s))
		r.s.Collect()
	}
	for _, s := range []*Stream{r.s, other} {
		s.Forget()
		in := map[uint64]bool{s.pending: true}
		segments, ok := s.Segments()
		require.True(t, ok)
		for _, segment := range segments {
			in[segment] = true
		}
		for segment := range s.mapped {
			require.True(t, in[segment], "segment %x is not in the ring", segment)
		}
		for i := range s.local {
			if m := s.local[i].Load(); m != nil {
				require.True(t, in[m.segment], "segment %x is not in the ring", m.segment)
			}
		}
	}
	for range 100 {
		r.append(payload)
		r.s.Release(r.s.Head())
	}
	require.NoError(t, reserve(other, 1))
}

// turn enters the next chunk with an empty record.
func turn(s *Stream) error {
	if err := s.Turn(); err != nil {
		return err
	}
	_, _, err := s.Append(Data, nil, 0)
	return err
}
