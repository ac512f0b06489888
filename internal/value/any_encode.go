package value

import (
	"reflect"
	"time"
	"unicode/utf8"
)

// AppendAny appends the encoding of v to dst, as [DecodeAny] reads it; the
// package comment lists what comes back for what. The error is an
// [*Unencodable], and then dst is returned as it was. It keeps nothing of v.
//
// Scalars and times do not allocate where dst has room.
func AppendAny(dst []byte, v any) ([]byte, error) {
	e := anyEncoder{limit: len(dst) + MaxLen}
	out, err := e.item(dst, v, 0)
	if err != nil {
		return dst, err
	}
	if len(out) > e.limit {
		return dst, tooLong(len(out) - len(dst))
	}
	return out, nil
}

// AppendSmall appends the encoding of v as every Append does, if v is nil, a
// boolean, a number or a string, of a type without a name of its own, and dst
// has room for it. Otherwise, also where v is refused, it answers ok = false.
// It never allocates and keeps nothing, so that dst can stand on the stack.
func AppendSmall(dst []byte, v any) (out []byte, ok bool) {
	room := cap(dst) - len(dst)
	if room < maxHead {
		return dst, false
	}
	switch v := v.(type) {
	case nil:
		return append(dst, byteNil), true
	case bool:
		return appendBool(dst, v), true
	case int:
		return AppendInt(dst, int64(v)), true
	case int8:
		return AppendInt(dst, int64(v)), true
	case int16:
		return AppendInt(dst, int64(v)), true
	case int32:
		return AppendInt(dst, int64(v)), true
	case int64:
		return AppendInt(dst, v), true
	case uint:
		return AppendUint(dst, uint64(v)), true
	case uint8:
		return AppendUint(dst, uint64(v)), true
	case uint16:
		return AppendUint(dst, uint64(v)), true
	case uint32:
		return AppendUint(dst, uint64(v)), true
	case uint64:
		return AppendUint(dst, v), true
	case float32:
		return appendFloat32(dst, v), true
	case float64:
		return appendFloat64(dst, v), true
	case string:
		if len(v) <= room-maxHead && utf8.ValidString(v) {
			return append(appendHead(dst, majorText, uint64(len(v))), v...), true
		}
	}
	return dst, false
}

// anyEncoder writes one tree. What is not one of the common types goes
// through the library, after a look at what it might do there.
type anyEncoder struct {
	limit int // the length that dst must not exceed
}

// item appends v, which stands inside depth lists and maps. On error what it
// returns is of no use.
func (e anyEncoder) item(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, byteNil), nil
	case bool:
		return appendBool(dst, v), nil
	case int:
		return AppendInt(dst, int64(v)), nil
	case int8:
		return AppendInt(dst, int64(v)), nil
	case int16:
		return AppendInt(dst, int64(v)), nil
	case int32:
		return AppendInt(dst, int64(v)), nil
	case int64:
		return AppendInt(dst, v), nil
	case uint:
		return AppendUint(dst, uint64(v)), nil
	case uint8:
		return AppendUint(dst, uint64(v)), nil
	case uint16:
		return AppendUint(dst, uint64(v)), nil
	case uint32:
		return AppendUint(dst, uint64(v)), nil
	case uint64:
		return AppendUint(dst, v), nil
	case float32:
		return appendFloat32(dst, v), nil
	case float64:
		return appendFloat64(dst, v), nil
	case string:
		return appendString(dst, v)
	case []byte:
		return appendBytes(dst, v)
	case time.Time:
		return appendTime(dst, v)
	case []any:
		return e.list(dst, v, depth)
	case map[string]any:
		return e.dict(dst, v, depth)
	default:
		return e.other(dst, v, depth)
	}
}

func (e anyEncoder) list(dst []byte, list []any, depth int) ([]byte, error) {
	if list == nil {
		return append(dst, byteNil), nil
	}
	if depth == MaxDepth {
		return dst, tooDeep()
	}
	dst = appendHead(dst, majorList, uint64(len(list)))
	for _, v := range list {
		var err error
		if dst, err = e.item(dst, v, depth+1); err != nil {
			return dst, err
		}
		// Shared parts can make a small tree long: stop on the way.
		if len(dst) > e.limit {
			return dst, tooLong(len(dst))
		}
	}
	return dst, nil
}

func (e anyEncoder) dict(dst []byte, dict map[string]any, depth int) ([]byte, error) {
	if dict == nil {
		return append(dst, byteNil), nil
	}
	if depth == MaxDepth {
		return dst, tooDeep()
	}
	dst = appendHead(dst, majorMap, uint64(len(dict)))
	for k, v := range dict {
		var err error
		if dst, err = appendString(dst, k); err != nil {
			return dst, err
		}
		if dst, err = e.item(dst, v, depth+1); err != nil {
			return dst, err
		}
		if len(dst) > e.limit {
			return dst, tooLong(len(dst))
		}
	}
	return dst, nil
}

// other appends a v of any other type: by its kind if it is a scalar, else
// through the library, whose output is accepted when DecodeAny would read it.
func (e anyEncoder) other(dst []byte, v any, depth int) ([]byte, error) {
	rv := reflect.ValueOf(v)
	p := planOf(rv.Type())
	if p.refused != "" {
		return dst, &Unencodable{Reason: p.refused}
	}
	if p.typedOnly != "" {
		return dst, &Unencodable{Reason: p.typedOnly}
	}
	switch p.root.form {
	case formBool:
		return appendBool(dst, rv.Bool()), nil
	case formInt:
		return AppendInt(dst, rv.Int()), nil
	case formUint:
		return AppendUint(dst, rv.Uint()), nil
	case formFloat32:
		return appendFloat32(dst, float32(rv.Float())), nil
	case formFloat64:
		return appendFloat64(dst, rv.Float()), nil
	case formString:
		return appendString(dst, rv.String())
	case formBytes:
		return appendBytes(dst, rv.Bytes())
	}
	w := walker{budget: e.limit - len(dst)}
	if err := w.value(p.root, rv, depth); err != nil {
		return dst, err
	}
	out, err := appendByLibrary(dst, v, p.root)
	if err != nil {
		return dst, err
	}
	if len(out) > e.limit {
		return dst, tooLong(len(out))
	}
	s := scan{raw: out, off: len(dst)}
	if err := s.whole(anyNode, depth); err != nil {
		return dst, refuse("as %v it would not come back from an any: %s", rv.Type(), reasonOf(err))
	}
	return out, nil
}

// Canonical returns v as [DecodeAny] would return it after [AppendAny], when
// that can be told without decoding and shares no memory that could change:
// nil, booleans, numbers, strings and times. Call it only for a v that
// AppendAny accepted. Other values answer ok = false.
func Canonical(v any) (c any, ok bool) {
	switch x := v.(type) {
	case nil, bool, int64, float64, string:
		return v, true
	case int:
		return int64(x), true
	case int8:
		return int64(x), true
	case int16:
		return int64(x), true
	case int32:
		return int64(x), true
	case uint:
		return canonicalUint(uint64(x)), true
	case uint8:
		return int64(x), true
	case uint16:
		return int64(x), true
	case uint32:
		return int64(x), true
	case uint64:
		return canonicalUint(x), true
	case float32:
		return float64(x), true
	case time.Time:
		return x.Round(0).UTC(), true // without the monotonic clock
	}
	rv := reflect.ValueOf(v)
	switch planOf(rv.Type()).root.form { // named scalars
	case formBool:
		return rv.Bool(), true
	case formInt:
		return rv.Int(), true
	case formUint:
		return canonicalUint(rv.Uint()), true
	case formFloat32, formFloat64:
		return rv.Float(), true
	case formString:
		return rv.String(), true
	}
	return nil, false
}

func canonicalUint(u uint64) any {
	if i := int64(u); i >= 0 {
		return i
	}
	return u
}

func tooDeep() error {
	return refuse("it is nested more than %d deep, or contains itself", MaxDepth)
}
