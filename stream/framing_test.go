package stream

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

func TestConfig(t *testing.T) {
	good := Config{Chunk: MinChunk, Chunks: 2, Limit: 2, Segments: newHeap(MinChunk)}
	for _, c := range []struct {
		name   string
		change func(*Config)
		ok     bool
	}{
		{"smallest", func(*Config) {}, true},
		{"largest", func(c *Config) { c.Chunk, c.Chunks, c.Limit = MaxChunk, MaxChunks-1, MaxChunks-1 }, true},
		{"chunk too small", func(c *Config) { c.Chunk = MinChunk / 2 }, false},
		{"chunk too large", func(c *Config) { c.Chunk = MaxChunk * 2 }, false},
		{"chunk no power of two", func(c *Config) { c.Chunk = MinChunk + 8 }, false},
		{"one chunk", func(c *Config) { c.Chunks = 1 }, false},
		{"limit below chunks", func(c *Config) { c.Chunks = 3 }, false},
		{"limit too large", func(c *Config) { c.Limit = MaxChunks }, false},
		{"no segments", func(c *Config) { c.Segments = nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			s, err := New(new(Header), nil, cfg)
			if !c.ok {
				require.ErrorIs(t, err, errs.ErrInvalidOption)
				return
			}
			require.NoError(t, err)
			require.Equal(t, int64(cfg.Chunk)*int64(cfg.Chunks), s.Capacity())
		})
	}
}

func TestInit(t *testing.T) {
	r := newRing(t, MinChunk, 3, 5)
	require.EqualValues(t, MinChunk, r.s.First())
	for _, at := range []uint64{r.s.Head(), r.s.Tail(), r.s.Floor()} {
		require.Equal(t, r.s.First(), at)
	}
	require.Equal(t, r.s.Capacity(), r.s.Size())
	require.False(t, r.s.Ended())
	for segment := range r.heap.live {
		require.True(t, r.s.Uses(segment), "segment %d", segment)
	}
	require.False(t, r.s.Uses(99))
	require.False(t, r.s.Uses(0), "0 is the name of no segment")
	_, ok, err := r.s.Reader(r.s.First()).Next(r.s.Head())
	require.NoError(t, err)
	require.False(t, ok)
	start, _ := r.append([]byte("first"))
	require.Equal(t, r.s.First(), start)
}

func TestSizesOfRecords(t *testing.T) {
	r := newRing(t, MinChunk, 2, 4)
	largest := r.s.MaxPayload()
	require.Equal(t, MinChunk/4-8, largest)
	for _, n := range []int{0, 1, 7, 8, 9, 63, largest - 1, largest} {
		for _, kind := range []Kind{Data, Reference} {
			payload := pattern(r.s.Head(), n)
			before := r.s.Head()
			start, end, err := appendTo(r.s, kind, payload)
			require.NoError(t, err)
			require.Equal(t, before, start)
			require.Equal(t, r.s.Head(), end)
			require.Zero(t, end%Align)
			rec, ok, err := r.s.Reader(start).Next(end)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, Record{Kind: kind, Start: start, End: end, Payload: payload}, rec)
			r.s.Release(end)
		}
	}
	for _, n := range []int{-1, largest + 1, MinChunk, 1 << 30} {
		require.ErrorIs(t, r.s.Reserve(n), ErrTooLarge)
	}
}

// A record that does not fit comes behind padding, wherever in the chunk.
func TestPaddingAtEveryOffset(t *testing.T) {
	for offset := 8; offset < MinChunk; offset += Align {
		r := newRing(t, MinChunk, 2, 4)
		r.fillTo(offset)
		head := r.s.Head()
		payload := pattern(head, r.s.MaxPayload())
		start, end := r.append(payload)
		require.Equal(t, head, start)
		if offset+frameBytes(len(payload)) <= MinChunk {
			require.Equal(t, head+MinChunk/4, end)
		} else {
			require.Equal(t, uint64(2*MinChunk+MinChunk/4), end, "offset %d", offset)
			word := binary.NativeEndian.Uint64(r.memory(1)[offset:])
			require.EqualValues(t, 1, word>>30&3)
			require.EqualValues(t, MinChunk-offset-8, word&(1<<30-1))
		}
		rec, ok, err := r.s.Reader(start).Next(end)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, Record{Kind: Data, Start: start, End: end, Payload: payload}, rec)
		_, ok, err = r.s.Reader(start).Next(head)
		require.NoError(t, err)
		require.False(t, ok)

		var ends []uint64
		require.True(t, r.s.Scan(start, func(kind Kind, end uint64, got []byte) bool {
			require.Equal(t, Data, kind)
			require.Equal(t, payload, got)
			ends = append(ends, end)
			return true
		}))
		require.Equal(t, []uint64{end}, ends)
	}
}

// What a record looks like is part of the format. The checks were worked out
// by another program, from the words of the package comment.
func TestGolden(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the bytes below are little endian")
	}
	r := newRing(t, MinChunk, 2, 4)
	r.append([]byte("golden"))
	_, _, err := appendTo(r.s, Reference, []byte("reference"))
	require.NoError(t, err)
	r.fillTo(MinChunk - 24)
	r.append(make([]byte, 20))
	for _, c := range []struct {
		at   uint64
		want string
	}{
		{MinChunk, `
			06 00 00 00               # data, 6 bytes
			54 ed f1 b7               # CRC-32C of "golden", mixed with position 2048 and the length
			67 6f 6c 64 65 6e  00 00  # "golden", then up to the next multiple of 8`},
		{MinChunk + 16, `
			09 00 00 80               # reference, 9 bytes
			94 53 6c 4e
			72 65 66 65 72 65 6e 63 65  00 00 00 00 00 00 00`},
		{2*MinChunk - 24, `
			10 00 00 40               # padding, 16 bytes: to the end of the chunk
			08 a0 06 62               # mixed into the CRC-32C of nothing, 0
			00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00`},
	} {
		var text strings.Builder
		for line := range strings.Lines(c.want) {
			code, _, _ := strings.Cut(line, "#")
			text.WriteString(strings.Join(strings.Fields(code), ""))
		}
		want, err := hex.DecodeString(text.String())
		require.NoError(t, err)
		got := r.memory(c.at / MinChunk)[c.at%MinChunk:][:len(want)]
		require.Equal(t, hex.Dump(want), hex.Dump(got), "position %d", c.at)
	}
}
