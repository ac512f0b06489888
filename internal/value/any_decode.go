package value

import (
	"math"
	"unicode/utf8"
)

// hint bounds what is allocated on the word of a count that the elements have
// yet to bear out.
const hint = 1024

// DecodeAny decodes the one item in raw by the rules of an any: integers as
// int64 (uint64 only above math.MaxInt64), floats as float64, lists as []any,
// maps as map[string]any, byte strings as []byte, times as time.Time in UTC.
// What it returns shares nothing with raw.
//
// Bytes that no Append makes answer an error that is errs.ErrCorrupt; bytes
// that a typed value may have but an any may not, such as a map keyed by
// integers, a *errs.TypeError.
func DecodeAny(raw []byte) (any, error) {
	d := anyDecoder{raw: raw}
	v, err := d.item(0)
	if err != nil {
		return nil, err
	}
	if d.off != len(raw) {
		return nil, trailing(len(raw) - d.off)
	}
	return v, nil
}

// anyDecoder reads each byte of raw once, front to back.
type anyDecoder struct {
	raw []byte
	off int
}

func (d *anyDecoder) item(depth int) (any, error) {
	h, err := d.head()
	if err != nil {
		return nil, err
	}
	switch h.major {
	case majorBytes:
		b, err := d.take(h.arg)
		if err != nil {
			return nil, err
		}
		return append(make([]byte, 0, len(b)), b...), nil
	case majorText:
		return d.text(h.arg)
	case majorList:
		return d.list(h.arg, depth)
	case majorMap:
		return d.dict(h.arg, depth)
	case majorTag:
		return d.tagged(h)
	}
	kind, bits, ok := h.number()
	switch {
	case !ok && h.first() == byteNil:
		return nil, nil
	case !ok:
		return nil, misfit("any", "it holds %s", describe(h))
	case kind == Int:
		return int64(bits), nil
	case kind == Uint:
		return bits, nil
	case kind == Float:
		return math.Float64frombits(bits), nil
	default:
		return bits == 1, nil
	}
}

func (d *anyDecoder) list(n uint64, depth int) (any, error) {
	if depth == MaxDepth {
		return nil, damaged("nested more than %d deep", MaxDepth)
	}
	if n > uint64(len(d.raw)-d.off) {
		return nil, damaged("a list of %d elements in %d bytes", n, len(d.raw)-d.off)
	}
	list := make([]any, 0, min(n, hint))
	for range n {
		v, err := d.item(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (d *anyDecoder) dict(n uint64, depth int) (any, error) {
	if depth == MaxDepth {
		return nil, damaged("nested more than %d deep", MaxDepth)
	}
	if n > uint64(len(d.raw)-d.off)/2 {
		return nil, damaged("a map of %d entries in %d bytes", n, len(d.raw)-d.off)
	}
	dict := make(map[string]any, min(n, hint))
	for i := range n {
		h, err := d.head()
		if err != nil {
			return nil, err
		}
		if h.major != majorText {
			return nil, misfit("any", "it holds a map with a key that is %s", describe(h))
		}
		k, err := d.text(h.arg)
		if err != nil {
			return nil, err
		}
		v, err := d.item(depth + 1)
		if err != nil {
			return nil, err
		}
		dict[k] = v
		if uint64(len(dict)) != i+1 {
			return nil, damaged("the map key %s stands twice", quote(k))
		}
	}
	return dict, nil
}

func (d *anyDecoder) tagged(tag head) (any, error) {
	h, err := d.head()
	if err != nil {
		return nil, err
	}
	if tag.arg != tagTime || h.major != majorText {
		return nil, misfit("any", "it holds %s", describe(tag))
	}
	s, err := d.text(h.arg)
	if err != nil {
		return nil, err
	}
	return parseTime(s)
}

func (d *anyDecoder) head() (head, error) {
	h := readHead(d.raw[d.off:])
	if h.size == 0 {
		return h, damaged("no item at offset %d of %d", d.off, len(d.raw))
	}
	d.off += h.size
	return h, nil
}

func (d *anyDecoder) take(n uint64) ([]byte, error) {
	rest := d.raw[d.off:]
	if n > uint64(len(rest)) {
		return nil, damaged("a string of %d bytes in %d bytes", n, len(rest))
	}
	d.off += int(n)
	return rest[:n], nil
}

func (d *anyDecoder) text(n uint64) (string, error) {
	b, err := d.take(n)
	if err != nil {
		return "", err
	}
	s := string(b) // first, so that it is our copy that is found valid
	if !utf8.ValidString(s) {
		return "", damaged("the string %s is not valid UTF-8", quote(s))
	}
	return s, nil
}

func trailing(n int) error { return damaged("%d bytes behind the value", n) }
