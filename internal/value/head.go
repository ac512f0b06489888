package value

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The major types of CBOR and the single bytes used here, RFC 8949 section 3.
// All are part of the format.
const (
	majorUint  = 0x00
	majorNeg   = 0x20
	majorBytes = 0x40
	majorText  = 0x60
	majorList  = 0x80
	majorMap   = 0xa0
	majorTag   = 0xc0
	majorOther = 0xe0 // false, true, nil, floats

	byteFalse   = 0xf4
	byteTrue    = 0xf5
	byteNil     = 0xf6
	byteFloat16 = 0xf9
	byteFloat32 = 0xfa
	byteFloat64 = 0xfb

	tagTime   = 0 // RFC 3339 text
	tagBig    = 2 // big-endian bytes
	tagNegBig = 3
)

// maxHead is the size in bytes of the longest head, which a number is.
const maxHead = 9

// appendHead appends the shortest head of the given major type.
func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return append(dst, major|25, byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, major|27), n)
	}
}

// head is the beginning of a CBOR item.
type head struct {
	major byte   // one of the major constants
	info  byte   // the low five bits of the first byte, at most 27
	arg   uint64 // the length, count, number or bits that follow
	size  int    // bytes of the head itself; 0: there is no sound head
}

// first is the byte that the head began with.
func (h head) first() byte { return h.major | h.info }

// readHead reads the head at the beginning of raw. Longer forms than needed
// are well-formed and accepted; indefinite lengths and reserved forms are not.
func readHead(raw []byte) head {
	if len(raw) == 0 {
		return head{}
	}
	h := head{major: raw[0] & 0xe0, info: raw[0] & 0x1f}
	rest := raw[1:]
	switch {
	case h.info < 24:
		h.arg, h.size = uint64(h.info), 1
	case h.info == 24 && len(rest) >= 1:
		h.arg, h.size = uint64(rest[0]), 2
	case h.info == 25 && len(rest) >= 2:
		h.arg, h.size = uint64(binary.BigEndian.Uint16(rest)), 3
	case h.info == 26 && len(rest) >= 4:
		h.arg, h.size = uint64(binary.BigEndian.Uint32(rest)), 5
	case h.info == 27 && len(rest) >= 8:
		h.arg, h.size = binary.BigEndian.Uint64(rest), 9
	}
	return h
}

// isFloat reports whether the head is a whole floating-point number.
func (h head) isFloat() bool { return h.major == majorOther && h.info >= 25 }

// float returns the number of a head for which isFloat.
func (h head) float() float64 {
	switch h.first() {
	case byteFloat16:
		return halfToFloat(uint16(h.arg))
	case byteFloat32:
		return float64(math.Float32frombits(uint32(h.arg)))
	default:
		return math.Float64frombits(h.arg)
	}
}

// halfToFloat widens an IEEE 754 half. Nothing here writes halves, but a type
// that marshals itself may.
func halfToFloat(h uint16) float64 {
	sign := uint64(h>>15) << 63
	exp := uint64(h>>10) & 0x1f
	frac := uint64(h) & 0x3ff
	switch {
	case exp == 0x1f:
		return math.Float64frombits(sign | 0x7ff<<52 | frac<<42)
	case exp != 0:
		return math.Float64frombits(sign | (exp+1023-15)<<52 | frac<<42)
	case frac == 0:
		return math.Float64frombits(sign)
	}
	// Subnormal: move the leading one to where it is implied.
	shift := uint64(bits.LeadingZeros16(uint16(frac))) - 5
	return math.Float64frombits(sign | (1023-14-shift)<<52 | (frac<<(shift+42))&(1<<52-1))
}
