package core

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/lint/formatdoc"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/stream"
)

// What stands here is described in docs/FORMAT.md: these tests fail when one of
// the two changes without the other.
func TestFormatDocument(t *testing.T) {
	formatdoc.Struct(t, "core.control", control{})
	formatdoc.Struct(t, "core.identity", identity{})
	formatdoc.Struct(t, "core.work", work{})
	formatdoc.Struct(t, "core.lease", lease{})
	formatdoc.Fields(t, "core.body", record.BodyStart,
		formatdoc.Field{Name: "committed", Offset: committedOffset, Size: 8})
	require.EqualValues(t, shm.HeaderSize, streamsOffset)
}

func TestFormatOfPlace(t *testing.T) {
	formatdoc.Fields(t, "core.place", placeSize,
		formatdoc.Field{Name: "body", Offset: 0, Size: 8},
		formatdoc.Field{Name: "Offset", Offset: 8, Size: 8},
		formatdoc.Field{Name: "Length", Offset: 16, Size: 8},
		formatdoc.Field{Name: "Sum", Offset: 24, Size: 4})
	p := place{body: 1<<32 | 2, Place: record.Place{Offset: 3, Length: 4, Sum: 5}}
	b := []byte(p.encode())
	require.Len(t, b, placeSize)
	require.Equal(t, p.body, binary.LittleEndian.Uint64(b))
	require.Equal(t, p.Offset, binary.LittleEndian.Uint64(b[8:]))
	require.Equal(t, p.Length, binary.LittleEndian.Uint64(b[16:]))
	require.Equal(t, p.Sum, binary.LittleEndian.Uint32(b[24:]))
	back, ok := parsePlace(string(b))
	require.True(t, ok)
	require.Equal(t, p, back)
}

func TestFormatOfClaimant(t *testing.T) {
	formatdoc.Fields(t, "core.claimant", 9,
		formatdoc.Field{Name: "head", Offset: 0, Size: 1},
		formatdoc.Field{Name: "id", Offset: 1, Size: 4},
		formatdoc.Field{Name: "pid", Offset: 5, Size: 4})
	b := claimant{7, 1 << 20}.encode()
	require.Equal(t, []byte{0x48, 7, 0, 0, 0, 0, 0, 16, 0}, b)
	back, ok := parseClaimant(string(b))
	require.True(t, ok)
	require.Equal(t, claimant{7, 1 << 20}, back)
	for _, bad := range []string{"", "H", string(b[:8]), string(b) + "x", "G" + string(b[1:]), "H\x00\x00\x00\x00\x01\x00\x00\x00"} {
		_, ok := parseClaimant(bad)
		require.False(t, ok, "%q", bad)
	}
}

func TestFormatOfChunkNumbers(t *testing.T) {
	name := shm.Name{Kind: shm.Stream, Creator: 0x7fffffff, Seq: maxFiles}
	back, index := chunkName(stream.Gained | name.ID64())
	require.Equal(t, name, back)
	require.Zero(t, index)
	require.Equal(t, uint64(1<<8|3), firstChunk(3), "sequence number 1, chunk 3")
	back, index = chunkName(firstChunk(3))
	require.Equal(t, firstRing, back)
	require.Equal(t, 3, index)
}

func TestFormatOfTheIdentity(t *testing.T) {
	require.Equal(t, "string", text([]byte("string\x00\x00")))
	require.Equal(t, strings.Repeat("x", 4), text([]byte("xxxx")))
	mem := make([]byte, controlSize)
	c, ok := shm.At[control](mem, 0)
	require.True(t, ok)
	c.identity.chunk, c.identity.chunks, c.identity.limit = 2<<10, 2, 1023
	seal(mem)
	_, err := identify(mem)
	require.NoError(t, err)
	mem[shm.HeaderSize+identitySize-1] ^= 1 // the last reserved byte is summed too
	_, err = identify(mem)
	require.Error(t, err)
}
