package value

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// typedError requires that err is one that callers can tell apart.
func typedError(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, errs.ErrCorrupt) && !errors.Is(err, &errs.TypeError{}) {
		t.Fatalf("untyped error %v", err)
	}
}

// FuzzDecodeAny: whatever the bytes, no panic, no fault, a typed error; and
// what was decoded can be stored again and comes back the same. All decoders
// agree on what is an item.
func FuzzDecodeAny(f *testing.F) {
	for _, s := range hostile {
		f.Add(unhex(f, s))
	}
	for _, c := range anyTable {
		raw, err := AppendAny(nil, c.in)
		require.NoError(f, err)
		f.Add(raw)
	}
	servers, err := NewCodec[server]()
	require.NoError(f, err)
	raw, err := servers.Append(nil, server{Host: "h", Meta: map[int]any{1: uint64(math.MaxUint64)}, Up: &server{}, Since: noon})
	require.NoError(f, err)
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		kept := bytes.Clone(raw)
		v, err := DecodeAny(raw)
		s := scan{raw: raw}
		if scanErr := s.whole(anyNode, 0); err == nil && scanErr != nil {
			t.Fatalf("decoded, but the scan says %v", scanErr)
		}
		if err != nil {
			typedError(t, err)
		} else {
			again, err := AppendAny(nil, v)
			require.NoError(t, err)
			twice, err := DecodeAny(again)
			require.NoError(t, err)
			if !equal(v, twice) {
				t.Fatalf("%#v became %#v", v, twice)
			}
			fuzzNumber(t, raw, v)
		}
		fuzzTyped[server](t, raw)
		fuzzTyped[joined](t, raw)
		fuzzTyped[map[int8][]any](t, raw)
		fuzzTyped[[]float32](t, raw)
		fuzzTyped[endless](t, raw)
		fuzzTyped[string](t, raw)
		fuzzTyped[int16](t, raw)
		fuzzTyped[[]byte](t, raw)
		fuzzTyped[any](t, raw)
		require.Equal(t, kept, raw)
	})
}

func fuzzNumber(t *testing.T, raw []byte, v any) {
	kind, bits, ok := DecodeNumber(raw)
	switch x := v.(type) {
	case int64:
		require.True(t, ok && kind == Int && int64(bits) == x)
	case uint64:
		require.True(t, ok && kind == Uint && bits == x)
	case float64:
		require.True(t, ok && kind == Float && bits == math.Float64bits(x))
	case bool:
		require.True(t, ok && kind == Bool && (bits == 1) == x)
	default:
		require.False(t, ok)
	}
}

// fuzzTyped: what decodes as a V can be stored as a V and comes back.
func fuzzTyped[V any](t *testing.T, raw []byte) {
	c, err := NewCodec[V]()
	require.NoError(t, err)
	v, err := c.Decode(raw)
	if err != nil {
		typedError(t, err)
		return
	}
	again, err := c.Append(nil, v)
	require.NoError(t, err)
	twice, err := c.Decode(again)
	require.NoError(t, err)
	if !equal(v, twice) {
		t.Fatalf("%#v became %#v", v, twice)
	}
}

// equal is reflect.DeepEqual in which NaN equals NaN.
func equal(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	ra, errA := appendSorted(a)
	rb, errB := appendSorted(b)
	return errA == nil && errB == nil && bytes.Equal(ra, rb)
}

// FuzzRoundTrip builds a value from the fuzzer's choices, and requires that
// it comes back, or is refused for the one thing it may be refused for.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("\x01\x02\x03"), "text", int64(-1), uint64(math.MaxUint64), 1.5)
	f.Add([]byte{7, 7, 7, 8, 1, 2, 0, 9}, "\xff", int64(math.MinInt64), uint64(0), math.NaN())
	f.Fuzz(func(t *testing.T, shape []byte, s string, i int64, u uint64, x float64) {
		want := build(&shape, s, i, u, x, 0)
		raw, err := AppendAny(nil, want)
		if err != nil {
			require.ErrorAs(t, err, new(*Unencodable))
			require.ErrorContains(t, err, "UTF-8")
			return
		}
		got, err := DecodeAny(raw)
		require.NoError(t, err)
		if !equal(want, got) {
			t.Fatalf("%#v became %#v", want, got)
		}
		if kept, ok := Canonical(want); ok && !equal(kept, got) {
			t.Fatalf("kept %#v, decoded %#v", kept, got)
		}

		type typed struct {
			S string
			I int64
			U uint64
			F float64
			B []byte
			A any
			M map[string]any
			P *float32
		}
		single := float32(x)
		fuzzTypedValue(t, typed{S: s, I: i, U: u, F: x, B: shape, A: want, M: map[string]any{s: want}, P: &single})
		fuzzTypedValue(t, map[int64]float64{i: x})
		fuzzTypedValue(t, int8(i))
		fuzzTypedValue(t, single)
	})
}

func fuzzTypedValue[V any](t *testing.T, want V) {
	c, err := NewCodec[V]()
	require.NoError(t, err)
	raw, err := c.Append(nil, want)
	if err != nil {
		require.ErrorAs(t, err, new(*Unencodable))
		return
	}
	got, err := c.Decode(raw)
	require.NoError(t, err)
	if !equal(want, got) {
		t.Fatalf("%#v became %#v", want, got)
	}
}

// build makes a tree as shape says, of what comes back as it is.
func build(shape *[]byte, s string, i int64, u uint64, x float64, depth int) any {
	if len(*shape) == 0 || depth == 20 {
		return nil
	}
	op := (*shape)[0]
	*shape = (*shape)[1:]
	switch op % 9 {
	case 0:
		return op&64 != 0
	case 1:
		return i
	case 2:
		if u <= math.MaxInt64 {
			return int64(u)
		}
		return u
	case 3:
		return x
	case 4:
		return s
	case 5:
		return []byte(s)
	case 6:
		return noon
	case 7:
		list := make([]any, op/9%5)
		for n := range list {
			list[n] = build(shape, s, i, u, x, depth+1)
		}
		return list
	default:
		dict := map[string]any{}
		for range op / 9 % 5 {
			dict[s] = build(shape, s, i, u, x, depth+1)
			s += "x"
		}
		return dict
	}
}

// FuzzKeys: every string decodes to a key with just these bytes, or to a typed
// error; every key comes back; the order holds.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("a"), []byte("a\x00\x00\x80\x00\x00\x00\x00\x00\x00\x01\x01"))
	f.Add([]byte{}, []byte("\x00\xff\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff\x00"))
	f.Add([]byte{0x80, 0, 0, 0, 0, 0, 0, 1}, []byte{0, 0, 0, 0, 0, 0, 1, 0})
	type key struct {
		S string
		I int16
		B bool
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		fuzzKey[string](t, a)
		fuzzKey[myString](t, b)
		fuzzKey[int](t, a)
		fuzzKey[int8](t, b)
		fuzzKey[uint64](t, a)
		fuzzKey[uint8](t, b)
		fuzzKey[bool](t, a)
		fuzzKey[key](t, a)
		fuzzKey[key](t, b)
		fuzzKey[[2]key](t, b)
		fuzzKey[[2]string](t, append(bytes.Clone(a), b...))

		k := mustKeys[[2]string](t)
		key := [2]string{string(a), string(b)}
		raw, err := k.Append(nil, key)
		if err != nil {
			require.ErrorAs(t, err, new(*Unencodable))
			return
		}
		got, err := k.DecodeBytes(raw)
		require.NoError(t, err)
		require.Equal(t, key, got)
		swapped, err := k.Append(nil, [2]string{string(b), string(a)})
		require.NoError(t, err)
		require.Equal(t, bytes.Compare(a, b), bytes.Compare(raw, swapped))
	})
}

func fuzzKey[K comparable](t *testing.T, raw []byte) {
	k := mustKeys[K](t)
	key, err := k.DecodeBytes(raw)
	if err != nil {
		typedError(t, err)
		return
	}
	again, err := k.Append(nil, key)
	require.NoError(t, err)
	require.True(t, bytes.Equal(raw, again), "%x and %x", raw, again)
	var buf KeyBuf
	require.Equal(t, string(raw), k.View(&key, &buf))
}
