package ultradict

import (
	"reflect"

	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/value"
)

// values decodes what a handle of type V finds in the dictionary.
type values[V any] struct {
	codec   *value.Codec[V]
	dynamic bool
	number  bool // V is a boolean, an integer or a floating-point type
	box     replica.Box[V]
}

var (
	boxInt   = replica.NewBox[int64]()
	boxUint  = replica.NewBox[uint64]()
	boxFloat = replica.NewBox[float64]()
	boxBool  = replica.NewBox[bool]()
)

func newValues[V any]() (*values[V], error) {
	codec, err := value.NewCodec[V]()
	if err != nil {
		return nil, err
	}
	v := &values[V]{codec: codec, dynamic: codec.Dynamic()}
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
	case v.dynamic:
		switch kind, bits, ok := value.DecodeNumber(raw); {
		case !ok:
		case kind == value.Int:
			return boxInt.Decoded(revision, int64(bits))
		case kind == value.Uint:
			return boxUint.Decoded(revision, bits)
		case kind == value.Float:
			return boxFloat.Decoded(revision, floatFrom(bits))
		case kind == value.Bool:
			return boxBool.Decoded(revision, bits != 0)
		}
	case v.number:
		if n, err := v.codec.Decode(raw); err == nil {
			return v.box.Decoded(revision, n)
		}
	}
	return replica.Encoded(revision, string(raw))
}

// Decode implements [core.Values].
func (v *values[V]) Decode(raw string) (any, error) {
	value, err := v.codec.Decode([]byte(raw))
	return value, err
}
