package value

import (
	"math"
	"reflect"
	"time"
	"unicode/utf8"
	"unsafe"
)

// The two functions below reach a V, which is known to be of a scalar kind,
// through a pointer to that kind: a conversion to an interface and reflection
// would cost an allocation and more time than the encoding itself. They are
// right because a named type has the memory of its underlying one.

// appendScalar appends the scalar *v, of kind k and form f.
func appendScalar[V any](dst []byte, v *V, k reflect.Kind, f form) ([]byte, error) {
	p := unsafe.Pointer(v)
	switch f {
	case formInt:
		return AppendInt(dst, loadInt(p, k)), nil
	case formUint:
		return AppendUint(dst, loadUint(p, k)), nil
	case formString:
		return appendString(dst, *(*string)(p))
	case formFloat64:
		return appendFloat64(dst, *(*float64)(p)), nil
	case formFloat32:
		return appendFloat32(dst, *(*float32)(p)), nil
	case formBool:
		return appendBool(dst, *(*bool)(p)), nil
	case formBytes:
		return appendBytes(dst, *(*[]byte)(p))
	case formTime:
		return appendTime(dst, *(*time.Time)(p))
	}
	return dst, refuse("%v is not a scalar", k)
}

// decodeScalar sets *v, a scalar of the type of n, to what raw encodes.
func decodeScalar[V any](raw []byte, v *V, n *node) error {
	p := unsafe.Pointer(v)
	h := readHead(raw)
	if h.size == 0 {
		return damaged("no item in %d bytes", len(raw))
	}
	switch h.major {
	case majorText, majorBytes:
		if uint64(len(raw)-h.size) < h.arg {
			return damaged("a string of %d bytes in %d bytes", h.arg, len(raw)-h.size)
		}
		if rest := len(raw) - h.size - int(h.arg); rest != 0 {
			return trailing(rest)
		}
		return storeString(p, h, raw[h.size:], n)
	case majorUint, majorNeg, majorOther:
		if len(raw) != h.size {
			return trailing(len(raw) - h.size)
		}
		if n.takes(h) {
			storeNumber(p, h, n)
			return nil
		}
	}
	// What is left is rare: times, bytes written as a list of integers, and
	// what does not fit.
	x, err := DecodeAny(raw)
	switch x := x.(type) {
	case time.Time:
		if n.form == formTime {
			*(*time.Time)(p) = x
			return nil
		}
	case []any:
		if n.form == formBytes {
			return storeList(p, x, n)
		}
	}
	if err != nil {
		return err
	}
	return misfit("", "it holds %s", describe(h))
}

func storeString(p unsafe.Pointer, h head, content []byte, n *node) error {
	switch {
	case h.major == majorText:
		s := string(content)
		if !utf8.ValidString(s) {
			return damaged("the string %s is not valid UTF-8", quote(s))
		}
		if n.form == formString {
			*(*string)(p) = s
			return nil
		}
	case n.form == formBytes:
		*(*[]byte)(p) = append(make([]byte, 0, len(content)), content...)
		return nil
	}
	return misfit("", "it holds %s", describe(h))
}

// storeNumber stores what n takes, a number or a nil.
func storeNumber(p unsafe.Pointer, h head, n *node) {
	kind, bits, _ := h.number()
	switch n.form {
	case formInt, formUint:
		storeBits(p, bits, n.t.Kind())
	case formFloat64:
		f, _ := toFloat(kind, bits, false)
		*(*float64)(p) = f
	case formFloat32:
		if h.first() == byteFloat32 {
			*(*float32)(p) = math.Float32frombits(uint32(h.arg)) // a NaN as it was
			return
		}
		f, _ := toFloat(kind, bits, true)
		*(*float32)(p) = float32(f)
	case formBool:
		*(*bool)(p) = bits == 1
	}
}

func storeList(p unsafe.Pointer, list []any, n *node) error {
	b := make([]byte, len(list))
	for i, x := range list {
		e, ok := x.(int64)
		if !ok || e < 0 || e > math.MaxUint8 {
			return misfit("", "it holds a list whose element %d is not a byte", i)
		}
		b[i] = byte(e)
	}
	*(*[]byte)(p) = b
	return nil
}

func loadInt(p unsafe.Pointer, k reflect.Kind) int64 {
	switch k {
	case reflect.Int:
		return int64(*(*int)(p))
	case reflect.Int8:
		return int64(*(*int8)(p))
	case reflect.Int16:
		return int64(*(*int16)(p))
	case reflect.Int32:
		return int64(*(*int32)(p))
	default:
		return *(*int64)(p)
	}
}

func loadUint(p unsafe.Pointer, k reflect.Kind) uint64 {
	switch k {
	case reflect.Uint:
		return uint64(*(*uint)(p))
	case reflect.Uint8:
		return uint64(*(*uint8)(p))
	case reflect.Uint16:
		return uint64(*(*uint16)(p))
	case reflect.Uint32:
		return uint64(*(*uint32)(p))
	default:
		return *(*uint64)(p)
	}
}

// storeBits stores the low bits of an integer of kind k, which is in range.
func storeBits(p unsafe.Pointer, bits uint64, k reflect.Kind) {
	switch k {
	case reflect.Int, reflect.Uint:
		*(*uint)(p) = uint(bits)
	case reflect.Int8, reflect.Uint8:
		*(*uint8)(p) = uint8(bits)
	case reflect.Int16, reflect.Uint16:
		*(*uint16)(p) = uint16(bits)
	case reflect.Int32, reflect.Uint32:
		*(*uint32)(p) = uint32(bits)
	default:
		*(*uint64)(p) = bits
	}
}
