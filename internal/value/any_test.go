package value

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

type (
	myInt    int16
	myUint   uint32
	myFloat  float32
	myBool   bool
	myString string
	myBytes  []byte
	myList   []any
	point    struct{ X, Y int }
)

var (
	noon   = time.Date(2026, 2, 28, 12, 0, 0, 123456789, time.UTC)
	lisbon = time.FixedZone("LMT", -(36*60 + 45)) // an offset with seconds
)

// anyTable says what comes back from an any for what was put in.
var anyTable = []struct {
	name     string
	in, want any
}{
	{"nil", nil, nil},
	{"true", true, true},
	{"false", false, false},
	{"int", int(-7), int64(-7)},
	{"int8", int8(math.MinInt8), int64(math.MinInt8)},
	{"int16", int16(math.MaxInt16), int64(math.MaxInt16)},
	{"int32", int32(math.MinInt32), int64(math.MinInt32)},
	{"int64 min", int64(math.MinInt64), int64(math.MinInt64)},
	{"int64 max", int64(math.MaxInt64), int64(math.MaxInt64)},
	{"uint", uint(24), int64(24)},
	{"uint8", uint8(255), int64(255)},
	{"uint16", uint16(65535), int64(65535)},
	{"uint32", uint32(math.MaxUint32), int64(math.MaxUint32)},
	{"uint64 small", uint64(math.MaxInt64), int64(math.MaxInt64)},
	{"uint64 large", uint64(math.MaxInt64) + 1, uint64(math.MaxInt64) + 1},
	{"uint64 max", uint64(math.MaxUint64), uint64(math.MaxUint64)},
	{"float32", float32(0.1), float64(float32(0.1))},
	{"float64", 1.5, 1.5},
	{"whole float", 3.0, 3.0},
	{"infinity", math.Inf(-1), math.Inf(-1)},
	{"float32 infinity", float32(math.Inf(1)), math.Inf(1)},
	{"string", "grüße\x00", "grüße\x00"},
	{"empty string", "", ""},
	{"bytes", []byte{0, 255}, []byte{0, 255}},
	{"empty bytes", []byte{}, []byte{}},
	{"nil bytes", []byte(nil), nil},
	{"time", noon, noon},
	{"zero time", time.Time{}, time.Time{}},
	{"time elsewhere", noon.In(lisbon), noon},
	{"time with monotonic clock", noon.Add(0), noon},
	{"named int", myInt(-3), int64(-3)},
	{"named uint", myUint(3), int64(3)},
	{"named float", myFloat(0.5), 0.5},
	{"named bool", myBool(true), true},
	{"named string", myString("x"), "x"},
	{"named bytes", myBytes("x"), []byte("x")},
	{"duration", time.Second, int64(time.Second)},
	{"nil pointer", (*int)(nil), nil},
	{"pointer", new(int), int64(0)},
	{"list", []any{int8(1), []any{uint64(math.MaxUint64)}, nil}, []any{int64(1), []any{uint64(math.MaxUint64)}, nil}},
	{"empty list", []any{}, []any{}},
	{"nil list", []any(nil), nil},
	{"ints", []int{1, -2}, []any{int64(1), int64(-2)}},
	{"strings", []string{"a"}, []any{"a"}},
	{"times", []time.Time{noon.In(lisbon)}, []any{noon}},
	{"array", [2]uint8{1, 2}, []byte{1, 2}},
	{"named list", myList{int8(1)}, []any{int64(1)}},
	{"map", map[string]any{"a": 1, "": map[string]any{"b": []byte{1}}}, map[string]any{"a": int64(1), "": map[string]any{"b": []byte{1}}}},
	{"empty map", map[string]any{}, map[string]any{}},
	{"nil map", map[string]any(nil), nil},
	{"typed map", map[myString]uint8{"a": 1}, map[string]any{"a": int64(1)}},
	{"struct", point{1, -1}, map[string]any{"X": int64(1), "Y": int64(-1)}},
	{"struct of anys", struct {
		A any `cbor:"a"`
	}{map[string]int8{"n": 1}}, map[string]any{"a": map[string]any{"n": int64(1)}}},
	{"small big.Int", big.NewInt(-5), int64(-5)},
	{"binary marshaler", netip.MustParseAddr("10.0.0.1"), []byte{10, 0, 0, 1}},
}

func TestAny(t *testing.T) {
	for _, c := range anyTable {
		t.Run(c.name, func(t *testing.T) {
			raw, err := AppendAny([]byte("before"), c.in)
			require.NoError(t, err)
			require.Equal(t, "before", string(raw[:6]))
			got, err := DecodeAny(raw[6:])
			require.NoError(t, err)
			require.Equal(t, c.want, got)

			// What came back goes in and comes back the same.
			again, err := AppendAny(nil, got)
			require.NoError(t, err)
			twice, err := DecodeAny(again)
			require.NoError(t, err)
			require.Equal(t, got, twice)

			if kept, ok := Canonical(c.in); ok {
				require.Equal(t, got, kept)
			} else {
				require.NotContains(t, "nil true false int8 string float64 uint64 max time named int", c.name)
			}
		})
	}
}

func TestAnyNested(t *testing.T) {
	in, want := []any{}, []any{}
	for _, c := range anyTable {
		in = append(in, c.in, map[string]any{c.name: c.in})
		want = append(want, c.want, map[string]any{c.name: c.want})
	}
	raw, err := AppendAny(nil, in)
	require.NoError(t, err)
	got, err := DecodeAny(raw)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestFloatsKeepTheirBits(t *testing.T) {
	for _, bits := range []uint64{0, 1 << 63, 0x7ff8000000000001, 0xfff8000000000000, 1, 0x7ff0000000000000} {
		raw, err := AppendAny(nil, math.Float64frombits(bits))
		require.NoError(t, err)
		got, err := DecodeAny(raw)
		require.NoError(t, err)
		require.Equal(t, bits, math.Float64bits(got.(float64)))
	}
}

// The hand-written scalars must be the library's bytes: either may have
// written what the other reads.
func TestSameBytesAsLibrary(t *testing.T) {
	for _, c := range anyTable {
		switch c.in.(type) {
		case map[string]any, []any: // unordered, or holding what differs
			continue
		}
		if c.name == "zero time" {
			continue // the library writes nil
		}
		raw, err := AppendAny(nil, c.in)
		require.NoError(t, err)
		lib, err := appendByLibrary(nil, c.in, anyNode)
		require.NoError(t, err)
		require.Equal(t, hex.EncodeToString(lib), hex.EncodeToString(raw), c.name)
	}
	for _, n := range []uint64{0, 23, 24, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxUint64} {
		lib, err := appendByLibrary(nil, n, anyNode)
		require.NoError(t, err)
		require.Equal(t, lib, AppendUint(nil, n))
		lib, err = appendByLibrary(nil, int64(^(n >> 1)), anyNode)
		require.NoError(t, err)
		require.Equal(t, lib, AppendInt(nil, int64(^(n>>1))))
	}
}

// Golden bytes: what is stored today must be read tomorrow.
func TestGoldenAny(t *testing.T) {
	for want, v := range map[string]any{
		"f6": nil, "f5": true, "00": 0, "20": -1, "3903e7": -1000, "1bffffffffffffffff": uint64(math.MaxUint64),
		"fb3ff8000000000000": 1.5, "fa3fc00000": float32(1.5), "6161": "a", "4101": []byte{1}, "8101": []any{1},
		"a1616101": map[string]any{"a": 1},
		"c0781e323032362d30322d32385431323a30303a30302e3132333435363738395a": noon,
	} {
		raw, err := AppendAny(nil, v)
		require.NoError(t, err)
		require.Equal(t, want, hex.EncodeToString(raw))
	}
}

type ring struct {
	Next *ring
	Name string
}

type selfPointer *selfPointer

func TestAnyRefuses(t *testing.T) {
	cyclicMap := map[string]any{}
	cyclicMap["self"] = cyclicMap
	cyclicList := []any{nil}
	cyclicList[0] = cyclicList
	named := myList{nil}
	named[0] = named
	var toItself any
	toItself = &toItself
	loop := &ring{}
	loop.Next = loop
	deep := any(nil)
	for range MaxDepth + 1 {
		deep = []any{deep}
	}
	for name, v := range map[string]any{
		"chan":                     make(chan int),
		"func":                     func() {},
		"nested chan":              map[string]any{"c": []any{make(chan int)}},
		"chan in a struct":         struct{ C chan int }{},
		"chan behind an any":       struct{ C any }{make(chan int)},
		"complex":                  1i,
		"uintptr":                  uintptr(1),
		"error":                    struct{ Err error }{},
		"bad string":               "\xff",
		"bad string in a list":     []any{"\xff"},
		"bad key":                  map[string]any{"\xff": 1},
		"bad string in a struct":   ring{Name: "a\xc3"},
		"bad string behind an any": struct{ A any }{[]string{"\xff"}},
		"map by ints":              map[int]string{1: "a"},
		"empty map by ints":        map[int]string{},
		"map by ints in a struct":  struct{ M map[int]string }{},
		"map by ints in a list":    []any{map[int]string{}},
		"map by ints in an any":    struct{ A any }{map[int8]any{}},
		"map by anys":              map[any]any{"a": 1},
		"map by floats":            map[float64]int{math.NaN(): 1},
		"cyclic map":               cyclicMap,
		"cyclic list":              cyclicList,
		"cyclic named list":        named,
		"cyclic pointer":           toItself,
		"cyclic struct":            loop,
		"pointer type to itself":   selfPointer(nil),
		"too deep":                 deep,
		"year 10000":               time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		"year 10000 in UTC":        time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)),
		"year -1":                  []time.Time{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)},
		"year 10000 in a struct":   struct{ T time.Time }{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"big.Int":                  new(big.Int).Lsh(big.NewInt(1), 64),
		"nothing exported":         struct{ a int }{1},
		"int keys by tag": struct {
			A int `cbor:"1,keyasint"`
		}{1},
		"marshaler's tag": tagged{},
	} {
		t.Run(name, func(t *testing.T) {
			dst := []byte("kept")
			out, err := AppendAny(dst, v)
			var un *Unencodable
			require.ErrorAs(t, err, &un)
			require.NotEmpty(t, un.Reason)
			require.Equal(t, "kept", string(out))
		})
	}
}

// tagged marshals to something that no any has.
type tagged struct{}

func (tagged) MarshalCBOR() ([]byte, error) { return []byte{0xd8, 99, 1}, nil }

// Trees that share their parts are longer than they look: the encoder must
// stop on the way. (With a small limit, for the real one takes a gigabyte.)
func TestAnyTooLong(t *testing.T) {
	type list []any
	type dict map[string]any
	tree := func(leaf any, levels int) any {
		for range levels {
			leaf = []any{leaf, leaf}
		}
		return leaf
	}
	byLibrary := any("0123456789")
	for range 40 {
		byLibrary = list{byLibrary, dict{"": byLibrary}}
	}
	e := anyEncoder{limit: 1000}
	for _, v := range []any{tree(nil, 60), map[string]any{"": tree("0123456789", 60)}, byLibrary, list{tree(nil, 60)}, strings.Repeat("ab", 500)} {
		out, err := e.item(nil, v, 0)
		if err == nil {
			require.Greater(t, len(out), e.limit)
			continue
		}
		require.ErrorContains(t, err, "more than")
		require.Less(t, cap(out), 8000)
	}
	_, err := e.item(nil, tree(nil, 8), 0)
	require.NoError(t, err)
}

func TestDepth(t *testing.T) {
	nest := func(v any, n int) any {
		for range n {
			v = map[string]any{"": v}
		}
		return v
	}
	lists := func(n int) any { // through the library
		type list []any
		var v any = 1
		for range n {
			v = list{v}
		}
		return v
	}
	for _, v := range []any{nest(noon, MaxDepth), lists(MaxDepth), nest(lists(MaxDepth/2), MaxDepth/2), nest([]int{1}, MaxDepth-1)} {
		raw, err := AppendAny(nil, v)
		require.NoError(t, err)
		_, err = DecodeAny(raw)
		require.NoError(t, err)
		c, err := NewCodec[struct{ A any }]()
		require.NoError(t, err)
		_, err = c.Append(nil, struct{ A any }{v})
		require.ErrorAs(t, err, new(*Unencodable), "one level more")
	}
	for _, v := range []any{nest(1, MaxDepth+1), lists(MaxDepth + 1), nest(lists(MaxDepth/2), MaxDepth/2+1), nest([]int{1}, MaxDepth)} {
		_, err := AppendAny(nil, v)
		require.ErrorAs(t, err, new(*Unencodable))
	}
	_, err := DecodeAny(append(bytes.Repeat([]byte{0x81}, MaxDepth+1), 0))
	require.ErrorIs(t, err, errs.ErrCorrupt)
	_, err = DecodeAny(append(bytes.Repeat([]byte{0x81}, MaxDepth), 0))
	require.NoError(t, err)
}

func TestDecodeNumber(t *testing.T) {
	type number struct {
		kind NumberKind
		bits uint64
	}
	minus := func(i int64) uint64 { return uint64(i) }
	for s, want := range map[string]number{
		"00": {Int, 0}, "17": {Int, 23}, "18 18": {Int, 24}, "20": {Int, minus(-1)}, "38 63": {Int, minus(-100)},
		"1b 7f ff ff ff ff ff ff ff": {Int, math.MaxInt64}, "3b 7f ff ff ff ff ff ff ff": {Int, 1 << 63},
		"1b 80 00 00 00 00 00 00 00": {Uint, 1 << 63},
		"1b 00 00 00 00 00 00 00 05": {Int, 5}, // longer than needed, but sound
		"fb 3f f8 00 00 00 00 00 00": {Float, math.Float64bits(1.5)},
		"fa 3f c0 00 00":             {Float, math.Float64bits(1.5)},
		"f9 3e 00":                   {Float, math.Float64bits(1.5)},
		"f4":                         {Bool, 0}, "f5": {Bool, 1},
	} {
		kind, bits, ok := DecodeNumber(unhex(t, s))
		require.True(t, ok, s)
		require.Equal(t, want, number{kind, bits}, s)
	}
	for _, s := range []string{"", "18", "19 01", "1c", "1f", "00 00", "f6", "f7", "e5", "f8 20", "ff", "3b 80 00 00 00 00 00 00 00", "60", "40", "80", "a0", "c1 00", "f4 00", "fb 00"} {
		_, _, ok := DecodeNumber(unhex(t, s))
		require.False(t, ok, s)
	}
}

func TestHalfToFloat(t *testing.T) {
	for half, want := range map[uint16]float64{
		0: 0, 1: 0x1p-24, 0x03ff: 1023 * 0x1p-24, 0x0400: 0x1p-14, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1), 0x0200: 0x1p-15,
	} {
		require.Equal(t, want, halfToFloat(half), "%04x", half)
	}
	require.True(t, math.Signbit(halfToFloat(0x8000)))
	require.True(t, math.IsNaN(halfToFloat(0x7e00)))
}
