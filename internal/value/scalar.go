package value

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// The scalars, written by hand. Each makes the same bytes as the library.

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, byteTrue)
	}
	return append(dst, byteFalse)
}

func appendFloat64(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byteFloat64), math.Float64bits(f))
}

func appendFloat32(dst []byte, f float32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, byteFloat32), math.Float32bits(f))
}

func appendString(dst []byte, s string) ([]byte, error) {
	if len(s) > MaxLen {
		return dst, tooLong(len(s))
	}
	if !utf8.ValidString(s) {
		return dst, refuse("the string %s is not valid UTF-8", quote(s))
	}
	return append(appendHead(dst, majorText, uint64(len(s))), s...), nil
}

func appendBytes(dst, b []byte) ([]byte, error) {
	if b == nil {
		return append(dst, byteNil), nil
	}
	if len(b) > MaxLen {
		return dst, tooLong(len(b))
	}
	return append(appendHead(dst, majorBytes, uint64(len(b))), b...), nil
}

// appendTime writes the instant in UTC. Unlike the library it writes the zero
// time as a time too, so that in an any it does not turn into nil.
func appendTime(dst []byte, t time.Time) ([]byte, error) {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return dst, refuse("the time %v is outside the years 0 to 9999", t)
	}
	const room = len("2006-01-02T15:04:05.999999999Z")
	var text [room]byte
	return appendTimeText(dst, t.AppendFormat(text[:0], time.RFC3339Nano)), nil
}

func appendTimeText(dst, text []byte) []byte {
	dst = append(dst, majorTag|tagTime)
	return append(appendHead(dst, majorText, uint64(len(text))), text...)
}

// parseTime reads the text of a time.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, damaged("%s is not a time", quote(text))
	}
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return time.Time{}, damaged("the time %s is outside the years 0 to 9999", quote(text))
	}
	return t, nil
}

func tooLong(n int) error {
	return refuse("it has %d bytes encoded, more than %d", n, MaxLen)
}

// quote is s for a message, which stays short.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// describe says what stands at the beginning of an item.
func describe(h head) string {
	kind, bits, ok := h.number()
	switch {
	case ok && kind == Int:
		return fmt.Sprintf("the integer %d", int64(bits))
	case ok && kind == Uint:
		return fmt.Sprintf("the integer %d", bits)
	case ok && kind == Float:
		return fmt.Sprintf("the number %v", math.Float64frombits(bits))
	case ok && kind == Bool:
		return fmt.Sprintf("the boolean %t", bits == 1)
	}
	switch h.major {
	case majorNeg:
		return "an integer below the range of int64"
	case majorBytes:
		return fmt.Sprintf("a byte string of %d bytes", h.arg)
	case majorText:
		return fmt.Sprintf("a string of %d bytes", h.arg)
	case majorList:
		return fmt.Sprintf("a list of %d elements", h.arg)
	case majorMap:
		return fmt.Sprintf("a map of %d entries", h.arg)
	case majorTag:
		if h.arg == tagTime {
			return "a time"
		}
		return fmt.Sprintf("an item with the CBOR tag %d", h.arg)
	}
	if h.first() == byteNil {
		return "nil"
	}
	return fmt.Sprintf("the CBOR simple value %d", h.arg)
}
