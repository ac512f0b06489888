package value

import (
	"bytes"
	"math"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// The library's modes, built once. They are part of the format: another
// choice of any option that is named here would read old bytes differently.
var (
	encMode = must(cbor.EncOptions{
		Sort:          cbor.SortNone,
		ShortestFloat: cbor.ShortestFloatNone,
		NaNConvert:    cbor.NaNConvertNone,
		InfConvert:    cbor.InfConvertNone,
		BigIntConvert: cbor.BigIntConvertShortest,
		Time:          cbor.TimeRFC3339NanoUTC, // other forms lose nanoseconds, or the seconds of an old zone's offset
		TimeTag:       cbor.EncTagRequired,
		IndefLength:   cbor.IndefLengthForbidden,
		NilContainers: cbor.NilContainerAsNull,
		OmitEmpty:     cbor.OmitEmptyGoValue, // false and 0 are left out, a struct never: all come back as they were
	}.UserBufferEncMode())

	decMode = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		TimeTag:           cbor.DecTagRequired,
		MaxNestedLevels:   MaxDepth,
		MaxArrayElements:  math.MaxInt32, // MaxLen is the bound: an element takes a byte
		MaxMapPairs:       math.MaxInt32,
		IndefLength:       cbor.IndefLengthForbidden,
		IntDec:            cbor.IntDecConvertSignedOrBigInt, // what is above int64 is put right by normalise
		DefaultMapType:    reflect.TypeFor[map[string]any](),
		UTF8:              cbor.UTF8RejectInvalid,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		ExtraReturnErrors: cbor.ExtraDecErrorNone,
	}.DecMode())
)

func must[M any](m M, err error) M {
	if err != nil {
		panic("value: cbor options: " + err.Error())
	}
	return m
}

// buffers holds the headers, not the bytes, of the buffers that the library
// writes to: the bytes are the caller's dst.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// appendByLibrary appends what the library makes of v, a value or a pointer
// to one, of which n is the type. When it fails, dst is returned as it was.
func appendByLibrary(dst []byte, v any, n *node) ([]byte, error) {
	b := buffers.Get().(*bytes.Buffer)
	*b = *bytes.NewBuffer(dst)
	var err error
	if n.has&(hasAny|hasCustom) == 0 {
		err = encMode.MarshalToBuffer(v, b)
	} else {
		err = marshal(v, b)
	}
	out := b.Bytes()
	*b = bytes.Buffer{}
	buffers.Put(b)
	if err != nil {
		return dst, refuse("%v", err)
	}
	return out, nil
}

// marshal has the library write v, in which there may be methods, which may panic.
func marshal(v any, b *bytes.Buffer) (err error) {
	defer recovered(&err)
	return encMode.MarshalToBuffer(v, b)
}

// unmarshal is the same for reading.
func unmarshal(raw []byte, v any) (err error) {
	defer recovered(&err)
	return decMode.Unmarshal(raw, v)
}
