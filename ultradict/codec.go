package ultradict

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/value"
)

// Codec turns values into bytes and back, in the manner of encoding/json, where the
// library's own CBOR is not what one wants: see [WithCodec].
//
// What Unmarshal makes of what Marshal made should be equal to what Marshal was given,
// in every process; nobody checks it. A value that would not come back should be an
// error of Marshal, and bytes that are no value of the type that is asked for an error
// of Unmarshal, never a zero or a rounded value. (encoding/json takes null for anything,
// ignores what a struct has no field for, and reads a number into an any as a float64.)
//
// Both may be called by any number of goroutines at once, and with a lock held that
// only transactions wait for: they must not use the dictionary. If one panics, the call
// that needed it returns an error; [runtime.Goexit] ends its goroutine, and nothing has
// changed.
type Codec interface {
	// Name says how values are encoded: 1 to 32 ASCII characters that can be seen, so no
	// space. It is kept with the dictionary, and who opens that must give the same one;
	// put the version of a format that changes into it. "cbor" is the library's own. It
	// is asked once, by WithCodec.
	Name() string
	// Marshal returns the encoding of v, at most 1 GiB (64 MiB where pointers have 32
	// bits). v is what was given to [Map.Set] or the like: a V, and for a [Dict] anything,
	// nil included. The bytes are copied before anything else is done with them, and v is
	// not kept. An error is returned as an *[EncodeError], and nothing has changed.
	Marshal(v any) ([]byte, error)
	// Unmarshal stores what data encodes in v, a *V that points to a zero V. For a [Dict]
	// that is a *any, and what is put there is what everybody gets: the types that [Dict]
	// promises are those of CBOR. It must share memory with nothing else but data, which
	// is v's own from then on. Another process may have written anything into data. An
	// error is returned as a *[TypeError].
	Unmarshal(data []byte, v any) error
}

// nativeCodec is how values are encoded without a Codec: CBOR, RFC 8949; part of the
// format.
const nativeCodec = "cbor"

// longestCodecName is the size in bytes of a codec's name; part of the format.
const longestCodecName = 32

// WithCodec has values encoded by c instead of as CBOR. All handles of a dictionary, in
// whatever process, must be opened with codecs of one name, or [Open] returns
// [ErrInvalidOption]. Keys are not encoded by it.
//
// Everything works as with CBOR. What it costs: values are encoded and decoded through
// an interface, numbers too, and every Set makes the allocations of c. For removing,
// listing and checking a dictionary it counts for nothing.
func WithCodec(c Codec) Option {
	return func(o *options) {
		if c == nil {
			o.refuse("codec is nil")
			return
		}
		u := &userCodec{codec: c}
		if err := value.Recovered(func() error { u.id = c.Name(); return nil }); err != nil {
			o.refuse("name of the codec %T: %v", c, err)
			return
		}
		if u.id == nativeCodec {
			o.refuse("codec %q: the name of the library's own", u.id)
		}
		if u.id == "" || len(u.id) > longestCodecName {
			o.refuse("codec %q: its name must have 1 to %d bytes", u.id, longestCodecName)
		}
		for _, b := range []byte(u.id) {
			if b <= ' ' || b > '~' {
				o.refuse("codec %q: its name must be of ASCII characters that can be seen", u.id)
				break
			}
		}
		o.codec = u
	}
}

// userCodec is a codec of the user's, of which nil stands for CBOR.
type userCodec struct {
	id    string
	codec Codec
}

func (u *userCodec) name() string {
	if u == nil {
		return nativeCodec
	}
	return u.id
}

// unmarshal decodes data, which is the codec's to keep.
func (u *userCodec) unmarshal(data []byte, v any) error {
	err := value.Recovered(func() error { return u.codec.Unmarshal(data, v) })
	if err != nil {
		err = &TypeError{Want: reflect.TypeOf(v).Elem().String(), Reason: fmt.Sprintf("codec %q: %v", u.id, err), Err: err}
	}
	return err
}

// foreign has values of type V encoded by a codec of the user's. Only what that has
// decoded is ever kept: what was given to Set may be something that it changes.
type foreign[V any] struct{ user *userCodec }

// Dynamic reports whether V is the empty interface.
func (f *foreign[V]) Dynamic() bool {
	t := reflect.TypeFor[V]()
	return t.Kind() == reflect.Interface && t.NumMethod() == 0
}

func (f *foreign[V]) PointerFree() bool       { return false }
func (f *foreign[V]) Keep(V) (kept V, _ bool) { return kept, false }

// Append appends what the codec makes of v. The error is a [*value.Unencodable].
func (f *foreign[V]) Append(dst []byte, v V) (out []byte, err error) {
	var data []byte
	err = value.Recovered(func() (err error) {
		data, err = f.user.codec.Marshal(v)
		return err
	})
	if err != nil {
		return dst, &value.Unencodable{Reason: fmt.Sprintf("codec %q: %v", f.user.id, err), Err: err}
	}
	return value.AppendForeign(dst, data)
}

// Decode decodes a copy of raw.
func (f *foreign[V]) Decode(raw []byte) (V, error) {
	var v, none V
	data, err := value.Foreign(raw)
	if err == nil {
		err = f.user.unmarshal(append(make([]byte, 0, len(data)), data...), &v)
	}
	if err != nil {
		return none, err
	}
	return v, nil
}

// appendInt appends the encoding of n as a V, an integer or an any, and returns that V;
// for CBOR in an any, the zero V. fits is false where n is beyond the range of V.
func (v *values[V]) appendInt(dst []byte, n int64) (raw []byte, x V, fits bool, err error) {
	if v.native {
		raw = value.AppendInt(dst, n)
		if !v.dynamic { // an any takes every int64, and to decode it would allocate
			x, err = v.codec.Decode(raw)
		}
		return raw, x, err == nil, nil
	}
	if x, fits = foreignInt[V](n); fits {
		raw, err = v.codec.Append(dst, x)
	}
	return raw, x, fits, err
}

// foreignInt is n as a V, which is an integer or an any; ok is false where n is beyond
// its range.
func foreignInt[V any](n int64) (v V, ok bool) {
	switch out := reflect.ValueOf(&v).Elem(); {
	case out.Kind() == reflect.Interface:
		out.Set(reflect.ValueOf(n))
		return v, true
	case out.CanInt() && !out.OverflowInt(n):
		out.SetInt(n)
		return v, true
	case out.CanUint() && n >= 0 && !out.OverflowUint(uint64(n)):
		out.SetUint(uint64(n))
		return v, true
	}
	return v, false
}

// foreignInteger is the integer that ver holds, of which a codec of the user's has made
// x, an any and no integer: many codecs read every number as a floating-point one, or as
// its text.
func (m *Map[K, V]) foreignInteger(key K, ver *replica.Version, x any) (int64, error) {
	const exact = 1 << 53 // below it a float64 can be every integer
	var n int64
	var err error
	f := reflect.ValueOf(x)
	text, isText := x.(interface{ Int64() (int64, error) }) // as json.Number has it
	switch {
	case isText:
		n, err = text.Int64()
	case f.CanFloat() && math.Abs(f.Float()) < exact:
		if n = int64(f.Float()); float64(n) != f.Float() {
			err = errors.New("a fraction")
		}
	case f.CanFloat():
		var raw string
		if raw, err = m.d.Raw(ver); err != nil {
			return 0, err
		}
		var data []byte
		if data, err = value.Foreign([]byte(raw)); err != nil {
			return 0, err
		}
		if err = m.values.user.unmarshal(data, &n); err != nil && math.Abs(f.Float()) >= 1<<63 {
			err = strconv.ErrRange
		}
	default:
		err = errors.New("no number")
	}
	if errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%v, which key %q holds, is not an int64: %w", x, fmt.Sprint(key), ErrOverflow)
	}
	if err != nil {
		return 0, &TypeError{Key: key, Want: "an integer", Reason: fmt.Sprintf("it is %T", x)}
	}
	return n, nil
}
