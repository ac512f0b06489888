package ultradict

import (
	"reflect"

	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/value"
)

// values decodes what a handle of type V finds in the dictionary.
type values[V any] struct {
	codec   valueCodec[V]
	user    *userCodec // nil: CBOR
	native  bool       // likewise
	dynamic bool
	number  bool // native, and V is a boolean, an integer or a floating-point type
	box     replica.Box[V]
	beside  replica.Beside[V]
}

// valueCodec is what turns a V into the bytes that are stored, and back: a
// [value.Codec], which says what its methods promise, or a [foreign].
type valueCodec[V any] interface {
	Append(dst []byte, v V) ([]byte, error)
	Decode(raw []byte) (V, error)
	Keep(v V) (kept V, ok bool)
	PointerFree() bool
	Dynamic() bool
}

var (
	boxInt   = replica.NewBox[int64]()
	boxUint  = replica.NewBox[uint64]()
	boxFloat = replica.NewBox[float64]()
	boxBool  = replica.NewBox[bool]()
)

// newValues returns the values of a handle, for CBOR where codec is nil.
func newValues[V any](user *userCodec) (*values[V], error) {
	if user != nil {
		f := &foreign[V]{user}
		return &values[V]{codec: f, user: user, dynamic: f.Dynamic()}, nil
	}
	codec, err := value.NewCodec[V]()
	if err != nil {
		return nil, err
	}
	v := &values[V]{codec: codec, native: true, dynamic: codec.Dynamic(), beside: replica.NewBeside[V]()}
	switch k := reflect.TypeFor[V]().Kind(); {
	case k == reflect.Bool, k >= reflect.Int && k <= reflect.Float64 && k != reflect.Uintptr:
		v.number, v.box = true, replica.NewBox[V]()
	}
	return v, nil
}

// Version implements [core.Values]: numbers are decoded at once, as cheaply as
// they could be kept encoded; everything else when somebody asks.
func (v *values[V]) Version(revision uint64, raw []byte) *replica.Version {
	switch {
	case v.dynamic && v.native:
		if n := numeral(revision, raw); n != nil {
			return n
		}
	case v.number:
		if n, err := v.codec.Decode(raw); err == nil {
			return v.box.Decoded(revision, n)
		}
	}
	return replica.Encoded(revision, string(raw))
}

// numeral is the version of a number of whatever kind, nil if raw is none.
func numeral(revision uint64, raw []byte) *replica.Version {
	kind, bits, _ := value.DecodeNumber(raw)
	switch kind {
	case value.Int:
		return boxInt.Decoded(revision, int64(bits))
	case value.Uint:
		return boxUint.Decoded(revision, bits)
	case value.Float:
		return boxFloat.Decoded(revision, floatFrom(bits))
	case value.Bool:
		return boxBool.Decoded(revision, bits != 0)
	}
	return nil
}

// kept is the version, its revision still to come, of a value x of which raw is
// the encoding. Numbers are decoded without an allocation of their own, strings
// and the like need not be decoded at all.
func (v *values[V]) kept(raw []byte, x V) *replica.Version {
	switch {
	case v.number && v.codec.PointerFree():
		return v.box.Decoded(0, x)
	case v.dynamic && v.native:
		if n := numeral(0, raw); n != nil {
			return n
		}
	}
	if own, ok := v.codec.Keep(x); ok {
		return replica.Decoded(0, own)
	}
	return replica.Encoded(0, string(raw))
}

// Decoded implements [core.Values].
func (v *values[V]) Decoded(ver *replica.Version, raw string, as replica.Form) (*replica.Version, error) {
	value, err := v.codec.Decode([]byte(raw))
	if err != nil {
		return nil, err
	}
	if v.beside.Usable() {
		return v.beside.With(ver, value, as), nil
	}
	return ver.With(value, as), nil
}
