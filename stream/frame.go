package stream

import "encoding/binary"

const frameSize = 8 // part of the format

// Kinds of records, in the two top bits of a frame's length; part of the format.
const (
	Data      Kind = 0 // the payload is the content
	padding   Kind = 1
	Reference Kind = 2 // the payload says where the content is
)

// Kind tells a record that carries its content from one that refers to it.
type Kind uint32

// split takes a frame's word apart into its halves, and the kind of the
// record, the bytes of its payload and of the whole.
func split(word uint64) (length, check uint32, kind Kind, n int, size uint64) {
	length, check = uint32(word), uint32(word>>32)
	n = int(length & (1<<30 - 1))
	return length, check, Kind(length >> 30), n, uint64(frameBytes(n))
}

// fits reports whether a record of that size may lie at a position below
// limit, the stream's head. If so, it lies within its chunk.
func (s *Stream) fits(kind Kind, size, at, limit uint64) bool {
	return size <= s.room(at) && size <= limit-at && kind <= Reference
}

// room is how many bytes of a position's chunk lie behind it.
func (s *Stream) room(at uint64) uint64 {
	return uint64(s.cfg.Chunk) - at&(uint64(s.cfg.Chunk)-1)
}

// isPadding reports whether padding that fits may lie at a position. It is
// published together with the record behind it, so head never stands between
// them; and no chunk begins with it.
func (s *Stream) isPadding(length, check uint32, size, at, limit uint64) bool {
	return check == mix(0, at, length) && size == s.room(at) && size < limit-at && size != uint64(s.cfg.Chunk)
}

func putFrame(mem []byte, length, check uint32) {
	binary.NativeEndian.PutUint64(mem, uint64(length)|uint64(check)<<32)
}

// mix folds position and length word into a payload's checksum. The finalizer
// is that of MurmurHash3 (Austin Appleby, public domain).
func mix(sum uint32, position uint64, length uint32) uint32 {
	h := position ^ uint64(length)<<32 ^ 0x9e3779b97f4a7c15
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return sum ^ uint32(h)
}

func frameBytes(payload int) int { return (frameSize + payload + Align - 1) &^ (Align - 1) }
