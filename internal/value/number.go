package value

import "math"

// NumberKind says how to read the bits that [DecodeNumber] returns.
type NumberKind uint8

// The kinds of numbers. They are never stored.
const (
	NotNumber NumberKind = 0
	Int       NumberKind = 1 // int64(bits)
	Uint      NumberKind = 2 // bits, and above math.MaxInt64
	Float     NumberKind = 3 // math.Float64frombits(bits)
	Bool      NumberKind = 4 // bits is 0 or 1
)

// DecodeNumber reads raw when it is exactly one integer, float or boolean,
// without allocating. It answers ok = false for everything else: strings and
// nil, integers below math.MinInt64, damaged or trailing bytes.
func DecodeNumber(raw []byte) (kind NumberKind, bits uint64, ok bool) {
	h := readHead(raw)
	if h.size == 0 || h.size != len(raw) {
		return NotNumber, 0, false
	}
	return h.number()
}

// number is [DecodeNumber] for a head that is known to be sound.
func (h head) number() (kind NumberKind, bits uint64, ok bool) {
	switch h.major {
	case majorUint:
		if h.arg > math.MaxInt64 {
			return Uint, h.arg, true
		}
		return Int, h.arg, true
	case majorNeg:
		if h.arg > math.MaxInt64 {
			return NotNumber, 0, false
		}
		return Int, ^h.arg, true // CBOR writes −1−n as n
	case majorOther:
		switch {
		case h.isFloat():
			return Float, math.Float64bits(h.float()), true
		case h.first() == byteFalse:
			return Bool, 0, true
		case h.first() == byteTrue:
			return Bool, 1, true
		}
	}
	return NotNumber, 0, false
}

// AppendInt appends i as every Append does for any kind of integer.
func AppendInt(dst []byte, i int64) []byte {
	if i < 0 {
		return appendHead(dst, majorNeg, ^uint64(i))
	}
	return appendHead(dst, majorUint, uint64(i))
}

// AppendUint appends u as every Append does for any kind of integer.
func AppendUint(dst []byte, u uint64) []byte {
	return appendHead(dst, majorUint, u)
}
