package stream

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/bell"
	"github.com/ultradict/go/internal/lint/formatdoc"
)

// What stands here is described in docs/FORMAT.md: the test fails when one of
// the two changes without the other.
func TestFormatDocument(t *testing.T) {
	formatdoc.Struct(t, "stream.Header", Header{})
	formatdoc.Struct(t, "stream.slot", slot{})
	formatdoc.Struct(t, "bell.Word", bell.Word{})
	formatdoc.Fields(t, "stream.frame", frameSize,
		formatdoc.Field{Name: "length", Offset: 0, Size: 4},
		formatdoc.Field{Name: "check", Offset: 4, Size: 4})
}

func TestFormatOfFrames(t *testing.T) {
	b := make([]byte, frameSize)
	putFrame(b, 1<<30|17, 0xc0ffee)
	word := binary.NativeEndian.Uint64(b)
	length, check, kind, n, size := split(word)
	require.Equal(t, uint32(1<<30|17), length)
	require.Equal(t, uint32(0xc0ffee), check)
	require.Equal(t, padding, kind)
	require.Equal(t, 17, n)
	require.Equal(t, uint64(32), size)
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		require.Equal(t, uint32(0xc0ffee), binary.LittleEndian.Uint32(b[4:]))
	}
}
