package value

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"

	"github.com/ultradict/go/internal/errs"
)

// scan checks one item against a type without decoding it: that it is
// well-formed and within the limits, and that it fits as no library checks
// it: no number is rounded, no array cut or filled up, nothing set to zero
// because nil was in its place. What passes is given to the library.
//
// The same check closes Append, so what that accepts Decode does not refuse.
// raw must not change meanwhile.
type scan struct {
	raw  []byte
	off  int
	wide bool // found: an integer above math.MaxInt64 in an any
}

// whole checks that all from off on is one item that fits n. depth is how many
// lists and maps are around it.
func (s *scan) whole(n *node, depth int) error {
	if err := s.item(n, depth); err != nil {
		return err
	}
	if s.off != len(s.raw) {
		return trailing(len(s.raw) - s.off)
	}
	return nil
}

// item checks the item at off. For a nil node it need only be well-formed.
func (s *scan) item(n *node, depth int) error {
	h, err := s.head()
	if err != nil {
		return err
	}
	for n != nil && n.form == formPointer {
		if h.first() == byteNil {
			return nil
		}
		n = n.elem
	}
	if n != nil && n.form == formCustom {
		n = nil
	}
	if n != nil && !n.takes(h) {
		return misfit(n.t.String(), "it holds %s", describe(h))
	}
	if n != nil && n.form == formBigInt {
		n = nil
	}
	switch h.major {
	case majorUint:
		s.wide = s.wide || n != nil && n.form == formAny && h.arg > math.MaxInt64
		return nil
	case majorBytes:
		_, err := s.take(h.arg)
		return err
	case majorText:
		_, err := s.text(h.arg)
		return err
	case majorList, majorMap:
		if depth == MaxDepth {
			return damaged("nested more than %d deep", MaxDepth)
		}
		if h.major == majorMap {
			return s.entries(n, h.arg, depth+1)
		}
		return s.elements(n, h.arg, depth+1)
	case majorTag:
		return s.tagged(n, h, depth)
	}
	return nil
}

// takes reports whether an item that begins with h may become an n, as far
// as the head tells.
func (n *node) takes(h head) bool {
	kind, bits, number := h.number()
	null := h.first() == byteNil
	switch n.form {
	case formAny:
		return number || null || h.major != majorOther && h.major != majorNeg
	case formBool:
		return kind == Bool
	case formInt:
		return kind == Int && fitsInt(n.t, int64(bits))
	case formUint:
		return (kind == Uint || kind == Int && int64(bits) >= 0) && fitsUint(n.t, bits)
	case formFloat32, formFloat64:
		_, ok := toFloat(kind, bits, n.form == formFloat32)
		return ok
	case formString:
		return h.major == majorText
	case formBytes:
		return null || h.major == majorBytes || h.major == majorList
	case formByteArray:
		return (h.major == majorBytes || h.major == majorList) && h.arg == uint64(n.t.Len())
	case formTime:
		return null || h.major == majorTag && h.arg == tagTime
	case formList:
		return null || h.major == majorList
	case formArray:
		return h.major == majorList && h.arg == uint64(n.t.Len())
	case formMap:
		return null || h.major == majorMap
	case formBigInt:
		return h.major <= majorNeg || h.major == majorTag && (h.arg == tagBig || h.arg == tagNegBig)
	case formBinary:
		return h.major == majorBytes
	case formStruct:
		return !n.listed && h.major == majorMap || n.listed && h.major == majorList && h.arg == uint64(len(n.shown))
	}
	return false
}

func fitsInt(t reflect.Type, i int64) bool   { return !t.OverflowInt(i) }
func fitsUint(t reflect.Type, u uint64) bool { return !t.OverflowUint(u) }

// toFloat converts a number when that does not change it.
func toFloat(kind NumberKind, bits uint64, single bool) (float64, bool) {
	var f float64
	switch kind {
	case Float:
		f = math.Float64frombits(bits)
	case Int:
		// Beyond 2⁵³ floats skip integers; int64(f) is defined within the range.
		f = float64(int64(bits))
		if f >= 1<<63 || int64(f) != int64(bits) {
			return 0, false
		}
	case Uint:
		f = float64(bits)
		if f >= 1<<64 || uint64(f) != bits {
			return 0, false
		}
	default:
		return 0, false
	}
	if single && f == f && float64(float32(f)) != f {
		return 0, false
	}
	return f, true
}

func (s *scan) elements(n *node, count uint64, depth int) error {
	if count > uint64(len(s.raw)-s.off) {
		return damaged("a list of %d elements in %d bytes", count, len(s.raw)-s.off)
	}
	for i := range count {
		var elem *node
		switch {
		case n == nil:
		case n.form == formStruct:
			elem = n.shown[i].node
		case n.form == formAny:
			elem = n
		default:
			elem = n.elem
		}
		if err := s.item(elem, depth); err != nil {
			return within(err, "element %d", i)
		}
	}
	return nil
}

func (s *scan) entries(n *node, count uint64, depth int) error {
	if count > uint64(len(s.raw)-s.off)/2 {
		return damaged("a map of %d entries in %d bytes", count, len(s.raw)-s.off)
	}
	expected := 0
	for range count {
		at := s.off
		if err := s.mapKey(n, depth); err != nil {
			return within(err, "a map key")
		}
		key := s.raw[at:s.off]
		var elem *node
		switch {
		case n == nil:
		case n.form == formAny:
			elem = n
		case n.form == formMap:
			elem = n.elem
		default:
			if i, ok := n.find(key, expected); ok {
				elem, expected = n.shown[i].node, i+1
			}
		}
		if err := s.item(elem, depth); err != nil {
			if elem == nil {
				return err
			}
			return within(err, "the value of %s", keyText(key))
		}
	}
	return nil
}

func (s *scan) mapKey(n *node, depth int) error {
	h := readHead(s.raw[s.off:])
	switch {
	case h.isFloat() && math.IsNaN(h.float()):
		return damaged("a NaN, which never equals itself")
	case n != nil && n.form == formAny && h.size != 0 && h.major != majorText:
		return misfit("any", "it holds a map with a key that is %s", describe(h))
	case n != nil && n.form == formMap:
		return s.item(n.key, depth)
	}
	return s.item(nil, depth)
}

func (s *scan) tagged(n *node, tag head, depth int) error {
	if tag.arg == tagTime {
		h, err := s.head()
		if err != nil {
			return err
		}
		if h.major != majorText {
			return damaged("a time that is %s", describe(h))
		}
		b, err := s.text(h.arg)
		if err != nil {
			return err
		}
		_, err = parseTime(string(b))
		return err
	}
	if n != nil {
		return misfit(n.t.String(), "it holds %s", describe(tag))
	}
	if readHead(s.raw[s.off:]).major == majorTag {
		if depth++; depth > MaxDepth {
			return damaged("nested more than %d deep", MaxDepth)
		}
	}
	return s.item(nil, depth)
}

func (s *scan) head() (head, error) {
	h := readHead(s.raw[s.off:])
	// A simple value must not be written longer than it needs to be.
	if h.size == 0 || h.size == 2 && h.major == majorOther && h.arg < 32 {
		return h, damaged("no item at offset %d of %d", s.off, len(s.raw))
	}
	s.off += h.size
	return h, nil
}

func (s *scan) take(n uint64) ([]byte, error) {
	rest := s.raw[s.off:]
	if n > uint64(len(rest)) {
		return nil, damaged("a string of %d bytes in %d bytes", n, len(rest))
	}
	s.off += int(n)
	return rest[:n], nil
}

func (s *scan) text(n uint64) ([]byte, error) {
	b, err := s.take(n)
	if err == nil && !utf8.Valid(b) {
		err = damaged("the string %s is not valid UTF-8", quote(string(b)))
	}
	return b, err
}

// within says where in the value a misfit was found; the innermost place also
// says what was wanted there. Other errors need no place.
func within(err error, format string, args ...any) error {
	var te *errs.TypeError
	if !errors.As(err, &te) {
		return err
	}
	place := fmt.Sprintf(format, args...)
	if te.Want != "" {
		place += ", which is of type " + te.Want
	}
	return misfit("", "in %s: %s", place, te.Reason)
}

// keyText is an encoded map key for a message.
func keyText(key []byte) string {
	h := readHead(key)
	if h.major == majorText {
		return quote(string(key[h.size:]))
	}
	return describe(h)
}
