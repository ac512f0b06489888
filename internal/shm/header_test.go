package shm

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

var goldenID = ID{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f}

const goldenSum = "0e607e56" // as computed by another implementation of CRC-32C

// The bytes of a header on a little-endian machine. They are the format: this
// test may gain lines and never change one.
func TestHeaderGolden(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("big-endian machine")
	}
	h := newHeader(Stream, 0x1f, 2, goldenID, 0x123456789a)
	require.Equal(t, ""+
		"554c545241444354"+ // magic "ULTRADCT"
		"01000000"+ // version
		"04030201"+ // byte order mark
		"02000000"+ // kind: stream
		goldenSum+ // checksum
		"101112131415161718191a1b1c1d1e1f"+ // instance
		"9a78563412000000"+ // size
		"1f000000"+ // creator
		"02000000"+ // seq
		"0000000000000000", // reserved
		hex.EncodeToString(h.bytes()))
	require.NoError(t, h.check(Name{Stream, 0x1f, 2}, goldenID, 0x123456789a))
	require.NoError(t, h.check(Name{Stream, 0x1f, 2}, ID{}, 0x123456789a), "a zero id takes any instance")
}

func TestHeaderRefuses(t *testing.T) {
	name, size := Name{Layer, 7, 8}, int64(4096)
	reseal := func(h *Header) { h.Checksum = h.sum() }
	for _, c := range []struct {
		what    string
		change  func(h *Header)
		version bool  // errs.ErrVersion, otherwise *errs.CorruptError
		offset  int64 // of the CorruptError
		text    string
	}{
		{"magic", func(h *Header) { h.Magic[7] = 'X'; reseal(h) }, false, 0, "magic"},
		{"all zero", func(h *Header) { *h = Header{} }, false, 0, "magic"},
		{"version", func(h *Header) { h.Version = 2; reseal(h) }, true, 0, "version 2"},
		{"version before checksum", func(h *Header) { h.Version = 2 }, true, 0, "version 2"},
		{"order", func(h *Header) { h.Order = 0x04030201; h.Version = 0x01000000 }, true, 0, "byte order is not"},
		{"order mark", func(h *Header) { h.Order = 7; reseal(h) }, true, 0, "byte order mark"},
		{"checksum", func(h *Header) { h.Checksum ^= 1 }, false, 20, "checksum"},
		{"reserved is summed", func(h *Header) { h.Reserved[7] ^= 1 }, false, 20, "checksum"},
		{"kind", func(h *Header) { h.Kind = Stream; reseal(h) }, false, 16, "kind is stream"},
		{"kind unknown", func(h *Header) { h.Kind = 99; reseal(h) }, false, 16, "kind(99)"},
		{"creator", func(h *Header) { h.Creator = 9; reseal(h) }, false, 48, "layer-00000009-00000008"},
		{"seq", func(h *Header) { h.Seq = 9; reseal(h) }, false, 48, "layer-00000007-00000009"},
		{"instance", func(h *Header) { h.Instance[15] ^= 1; reseal(h) }, false, 24, "belongs to instance"},
		{"instance zero", func(h *Header) { h.Instance = ID{}; reseal(h) }, false, 24, "zero"},
		{"size", func(h *Header) { h.Size++; reseal(h) }, false, 40, "4097 bytes"},
		{"size huge", func(h *Header) { h.Size = 1 << 63; reseal(h) }, false, 40, "bytes"},
	} {
		t.Run(c.what, func(t *testing.T) {
			h := newHeader(name.Kind, name.Creator, name.Seq, goldenID, size)
			require.NoError(t, h.check(name, goldenID, size))
			c.change(&h)
			err := h.check(name, goldenID, size)
			require.ErrorContains(t, err, c.text)
			require.Equal(t, c.version, errors.Is(err, errs.ErrVersion))
			var damaged *errs.CorruptError
			require.Equal(t, !c.version, errors.As(err, &damaged))
			if damaged != nil {
				require.Equal(t, name.String(), damaged.Segment)
				require.Equal(t, c.offset, damaged.Offset)
			}
		})
	}
}

// Not one bit of a header can change unnoticed.
func TestHeaderEveryBit(t *testing.T) {
	name := Name{Body, 1, 2}
	for bit := range HeaderSize * 8 {
		h := newHeader(name.Kind, name.Creator, name.Seq, goldenID, 100)
		h.bytes()[bit/8] ^= 1 << (bit % 8)
		err := h.check(name, goldenID, 100)
		if !errors.Is(err, errs.ErrVersion) && !errors.Is(err, errs.ErrCorrupt) {
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
}

// The control segment's name does not say who made it; its header does.
func TestHeaderOfControl(t *testing.T) {
	h := newHeader(Control, 5, 6, goldenID, 128)
	require.NoError(t, h.check(Name{Kind: Control}, goldenID, 128))
}

func TestAt(t *testing.T) {
	type word struct{ _, b uint64 }
	words := make([]uint64, 8)
	b := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 64)

	w, ok := At[word](b, 48)
	require.True(t, ok)
	w.b = 7
	require.EqualValues(t, 7, words[7], "the words themselves, no copy")

	maxInt := int(^uint(0) >> 1)
	align := int(unsafe.Alignof(word{}))
	for _, off := range []int{-1, -16, -maxInt - 1, 64 - 16 + align, 56, 63, 64, 65, maxInt, maxInt - 15, align / 2, 1} {
		_, ok := At[word](b, off)
		require.False(t, ok, "offset %d", off)
	}
	_, ok = At[word](nil, 0)
	require.False(t, ok)
	_, ok = At[word](b[:15], 0)
	require.False(t, ok)
	_, ok = At[struct{}](b, 64)
	require.False(t, ok, "nothing to point at")
	_, ok = At[byte](b, 63)
	require.True(t, ok)
	_, ok = At[[64]byte](b, 0)
	require.True(t, ok)
}
