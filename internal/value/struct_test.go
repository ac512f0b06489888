package value

import (
	"encoding"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

type (
	Inner struct {
		ID   int8
		Tags []string
		When time.Time
	}
	Deeper struct {
		Inner
		Ratio float32
	}
	outer struct {
		*Deeper
		Inline `json:",inline"`
		Other  Inner `cbor:"other" json:"ignored"`
		Name   string
		Pair   [2]uint8
	}
	Inline struct{ N *int }
	hiding struct {
		Inner
		ID string
	}
	recursive struct {
		*RecursiveBase
		N int
	}
	RecursiveBase struct {
		*RecursiveBase
		M int
	}
	stamp   struct{ time.Time }
	stamped struct {
		time.Time
		note int
	}
	ownMethods struct {
		stamp
		N int8
	}
	ownPointerMethods struct {
		stamp
		N int8
	}
)

func (o ownMethods) MarshalBinary() ([]byte, error)         { return []byte{byte(o.N)}, nil }
func (o *ownMethods) UnmarshalBinary(b []byte) error        { o.N = int8(b[0]); return nil }
func (o *ownPointerMethods) MarshalBinary() ([]byte, error) { return []byte{byte(o.N)}, nil }
func (o *ownPointerMethods) UnmarshalBinary(b []byte) error { o.N = int8(b[0]); return nil }

func TestEmbeddedStructs(t *testing.T) {
	full := outer{
		Deeper: &Deeper{Inner{-1, []string{"a"}, noon}, 0.5}, Inline: Inline{new(int)},
		Other: Inner{ID: 2}, Name: "n", Pair: [2]uint8{1, 2},
	}
	same(t, full, outer{})
	c, err := NewCodec[outer]()
	require.NoError(t, err)
	raw, err := c.Append(nil, full)
	require.NoError(t, err)
	tree, err := DecodeAny(raw)
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"ID": int64(-1), "Tags": []any{"a"}, "When": noon, "Ratio": 0.5, "N": int64(0), "Name": "n", "Pair": []byte{1, 2},
		"other": map[string]any{"ID": int64(2), "Tags": nil, "When": nil},
	}, tree)
	fits(t, full, tree)
	fits(t, full, map[string]any{ // in another order, and with more
		"more": 1, "Pair": []any{1, 2}, "Name": "n", "other": map[string]any{"ID": 2, "ratio": "x"}, "Ratio": 0.5, "N": 0, "When": noon, "Tags": []string{"a"}, "ID": int16(-1),
	})
	same(t, stamp{noon}, stamp{})
	roundTrip(t, stamped{noon, 1}, stamped{noon, 0})
	roundTrip(t, ownMethods{stamp{noon}, 5}, ownMethods{N: 5})
	roundTrip(t, ownPointerMethods{stamp{noon}, 5}, ownPointerMethods{N: 5})
	roundTrip(t, hiding{Inner{ID: 1}, "x"}, hiding{Inner{}, "x"})
	same(t, recursive{N: 5})
}

// Promoted fields, and those without names, are as strict as any: nothing is rounded,
// cut, filled up, or zero because nil was in its place.
func TestMisfitsInStructs(t *testing.T) {
	for _, v := range []map[string]any{
		{"ID": nil}, {"ID": 128}, {"ID": 1.0}, {"ID": true}, {"ID": "1"}, {"Tags": []any{nil}}, {"Tags": "a"}, {"Tags": map[string]any{}},
		{"When": "2026-01-02T03:04:05Z"}, {"When": 5}, {"Ratio": 0.1}, {"Ratio": nil}, {"Ratio": 1<<24 + 1}, {"Name": nil}, {"Name": noon}, {"Name": []byte("n")},
		{"Pair": []any{1}}, {"Pair": []any{1, 2, 3}}, {"Pair": []byte{1}}, {"Pair": []any{1, 256}}, {"Pair": nil}, {"N": 1.5}, {"N": true},
		{"other": nil}, {"other": map[string]any{"ID": nil}}, {"other": []any{}},
	} {
		misfits[outer](t, v)
		misfits[*outer](t, v)
		misfits[[]outer](t, []any{v})
		misfits[map[string]outer](t, map[string]any{"x": v})
	}
	misfits[outer](t, []any{}, nil, "x", 1)
	misfits[hiding](t, map[string]any{"ID": 1})

	c, err := NewCodec[outer]()
	require.NoError(t, err)
	raw, err := AppendAny(nil, map[string]any{"other": map[string]any{"ID": 300}})
	require.NoError(t, err)
	_, err = c.Decode(raw)
	require.EqualError(t, err, `ultradict: value is not value.outer: in the value of "other": in the value of "ID", which is of type int8: it holds the integer 300`)

	// With numbers for names, and without names.
	for _, s := range []string{"a1 01 f6", "a1 01 f9 3c 00", "a1 01 61 61", "a1 21 01", "a1 21 f6", "80", "82 01 61 62"} {
		misfitBytes[intKeyed](t, s)
	}
	for _, s := range []string{"80", "81 01", "83 01 61 62 01", "82 f6 61 62", "82 01 f6", "82 f9 3c 00 61 62", "a1 61 41 01", "a0"} {
		misfitBytes[asArray](t, s)
	}
	decodes(t, intKeyed{5, "b"}, "a3 21 61 62 61 31 f6 01 05") // "1" is no 1
	decodes(t, intKeyed{}, "a1 61 41 05")
	decodes(t, asArray{A: 1, B: "b"}, "82 01 61 62")
}

func misfitBytes[V any](t *testing.T, s string) {
	t.Helper()
	c, err := NewCodec[V]()
	require.NoError(t, err)
	got, err := c.Decode(unhex(t, s))
	require.ErrorIs(t, err, &errs.TypeError{}, s)
	require.Zero(t, got)
}

func decodes[V any](t *testing.T, want V, s string) {
	t.Helper()
	c, err := NewCodec[V]()
	require.NoError(t, err)
	got, err := c.Decode(unhex(t, s))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

type (
	A1 struct{ V int }
	B1 struct{ V int }
	C1 struct {
		W int `json:"V"`
	}
	D1   struct{ B1 }
	E1   struct{ Inner }
	F1   struct{ Inner }
	Nx   struct{ both }
	both interface {
		encoding.BinaryMarshaler
		encoding.BinaryUnmarshaler
	}
)

// What would be lost without a word is refused when the type is first used.
func TestStructsThatLoseSomething(t *testing.T) {
	for name, err := range map[string]error{
		"time and more": newErr[struct {
			time.Time
			X int
		}](),
		"address and more": newErr[struct {
			netip.Addr
			Zone string
		}](),
		"pointer to a time and more": newErr[struct {
			*time.Time
			X int
		}](),
		"a struct with a time and more": newErr[struct {
			stamp
			X []int
		}](),
		"big integer": newErr[struct {
			big.Int
			X int
		}](),
		"two times": newErr[struct {
			time.Time
			netip.Addr
		}](),
		"equally near": newErr[struct {
			A1
			B1
		}](),
		"equally near, one tagged": newErr[struct {
			A1
			C1
		}](),
		"twice": newErr[struct {
			E1
			F1
		}](),
		"deep in a list": newErr[[]map[string]*struct {
			A1
			C1
		}](),
		"no number": newErr[struct {
			A int `cbor:"a,keyasint"`
		}](),
		"one number": newErr[struct {
			A int `cbor:"1,keyasint"`
			B int `cbor:"01,keyasint"`
		}](),
	} {
		var un *Unencodable
		require.ErrorAs(t, err, &un, name)
		_, err = AppendAny(nil, struct {
			time.Time
			X int
		}{noon, 1})
		require.ErrorAs(t, err, &un, "in an any too")
	}
	for name, err := range map[string]error{
		"named": newErr[struct {
			big.Int `cbor:"b"`
			X       int
		}](),
		"left out": newErr[struct {
			time.Time
			X int `json:"-"`
			y int
		}](),
		"hidden": newErr[struct {
			A1
			D1
		}](),
		"number and text": newErr[struct {
			A int `cbor:"1,keyasint"`
			B int `cbor:"1"`
		}](),
	} {
		require.NoError(t, err, name)
	}
	named := struct {
		time.Time `json:"t"`
		X         int
	}{noon, 1}
	_, err := AppendAny(nil, named)
	require.Error(t, err, "it has the methods all the same")
}

// A type that panics over its bytes, as a nil that it embeds does, is no reason for the
// reader to end.
type panicking struct{ N int }

func (p panicking) MarshalBinary() ([]byte, error) {
	if p.N < 0 {
		panic("negative")
	}
	return []byte{byte(p.N)}, nil
}

func (p *panicking) UnmarshalBinary(b []byte) error { p.N = int(b[1-len(b)]); return nil }

func TestMethodsThatPanic(t *testing.T) {
	refuses(t, panicking{-1})
	refuses(t, []panicking{{-1}})
	refuses[any](t, panicking{-1})
	refuses[any](t, []any{map[string]any{"a": panicking{-1}}})
	same(t, panicking{5})
	misfitBytes[panicking](t, "42 01 02")
	misfitBytes[panicking](t, "40")
	misfitBytes[map[string]panicking](t, "a1 61 61 43 01 02 03")
	refuses(t, Nx{})
}
