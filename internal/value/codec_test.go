package value

import (
	"errors"
	"math"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// roundTrip encodes v, and checks all that a codec says about it.
func roundTrip[V any](t *testing.T, v, want V) {
	t.Helper()
	c, err := NewCodec[V]()
	require.NoError(t, err)
	raw, err := c.Append([]byte("before"), v)
	require.NoError(t, err)
	require.Equal(t, "before", string(raw[:6]))
	raw = raw[6:]
	got, err := c.Decode(raw)
	require.NoError(t, err)
	require.Equal(t, want, got)
	if kept, ok := c.Keep(v); ok {
		require.Equal(t, got, kept)
	}
	for i := range raw { // the result is memory of its own
		raw[i] = 0xff
	}
	require.Equal(t, want, got)
}

func same[V any](t *testing.T, vs ...V) {
	t.Helper()
	for _, v := range vs {
		roundTrip(t, v, v)
	}
}

type (
	server struct {
		Host  string `cbor:"h"`
		Port  uint16 `json:"p"`
		Tags  []string
		Meta  map[int]any
		Up    *server
		Since time.Time
		Load  [2]float32
		Raw   []byte
		Skip  chan int `cbor:"-"`
		lost  int
	}
	Point  struct{ Z, W int }
	base   struct{ ID int }
	joined struct {
		base
		*Point
		Name string
	}
	intKeyed struct {
		A int    `cbor:"1,keyasint"`
		B string `cbor:"-2,keyasint"`
	}
	asArray struct {
		_ struct{} `cbor:",toarray"`
		A int
		B string
	}
	endless  []endless
	endlessM map[string]endlessM
	flat     struct {
		A int8
		B [3]uint32
		C struct{ D bool }
		E float64
		F string
	}
)

func TestCodecRoundTrip(t *testing.T) {
	same(t, math.MinInt, -1, 0, 1, math.MaxInt)
	same[int8](t, -128, 127)
	same[int16](t, math.MinInt16, math.MaxInt16)
	same[int32](t, math.MinInt32, math.MaxInt32)
	same[int64](t, math.MinInt64, math.MaxInt64)
	same[uint](t, 0, math.MaxUint)
	same[uint8](t, 0, 255)
	same[uint16](t, 0, 65535)
	same[uint32](t, 0, math.MaxUint32)
	same[uint64](t, 0, math.MaxUint64)
	same(t, 0, 1.5, math.Inf(1), math.MaxFloat64, math.SmallestNonzeroFloat64)
	same[float32](t, 0, 0.1, math.MaxFloat32)
	same(t, true, false)
	same(t, "", "a\x00é")
	same(t, []byte{}, []byte{1}, nil)
	same(t, noon, time.Time{})
	roundTrip(t, noon.In(lisbon), noon)
	same[myInt](t, -5)
	same[myUint](t, 5)
	same[myFloat](t, 0.5)
	same[myBool](t, true)
	same[myString](t, "x")
	same(t, myBytes("x"), nil)
	same(t, time.Hour)

	same(t, []int{1, -2}, []int{}, nil)
	same(t, []any{int64(1), nil, uint64(math.MaxUint64)}, []any{}, nil)
	same(t, map[string]any{"a": int64(1)}, map[string]any{}, nil)
	same(t, map[string]int{"a": 1}, map[string]int{}, nil)
	same(t, map[int8]string{-1: "a", 5: "b"})
	same(t, map[uint64]bool{math.MaxUint64: true})
	same(t, map[float64]int{1.5: 1, math.Inf(-1): 2})
	same(t, map[bool]int{true: 1, false: 0})
	same(t, map[myString][]map[string]*int{"a": {{"b": new(int), "c": nil}}})
	same(t, [3]int{1, 2, 3})
	same(t, [4]byte{1, 2, 3, 4})
	same(t, [0]int{})
	same(t, struct{}{})
	same(t, new(int), nil)
	same(t, *big.NewInt(-7), *new(big.Int).Lsh(big.NewInt(1), 200))
	same(t, netip.MustParseAddr("::1"), netip.Addr{})
	same(t, map[string]netip.Addr{"a": netip.MustParseAddr("10.1.2.3")})
	same(t, cbor.RawMessage{0x82, 1, 2})
	same(t, endless{{}, {endless{}, nil}})
	same(t, endlessM{"a": {"b": nil}})

	same(t, flat{-1, [3]uint32{1, 2, math.MaxUint32}, struct{ D bool }{true}, math.Copysign(0, -1), "f"})
	same(t, intKeyed{1, "b"}, intKeyed{})
	same(t, asArray{A: 1, B: "b"})
	same(t, joined{base{1}, &Point{2, 3}, "n"})
	full := server{
		Host: "h", Port: 65535, Tags: []string{"a", ""}, Meta: map[int]any{-1: uint64(math.MaxUint64), 2: []any{int64(1)}},
		Up: &server{Host: "up"}, Since: noon, Load: [2]float32{0.1, -1}, Raw: []byte{1},
	}
	same(t, full, server{})
	lossy := full
	lossy.Skip, lossy.lost = make(chan int), 1
	roundTrip(t, lossy, full)

	same[any](t, nil, int64(1), "a", true, 1.5, noon, []any{}, map[string]any{})
	roundTrip[any](t, int8(1), int64(1))
	roundTrip[any](t, full.Load, []any{float64(float32(0.1)), -1.0})
}

// Integers in anys of a typed value follow the rules of an any, wherever.
func TestAnyInsideTyped(t *testing.T) {
	type holder struct {
		A any
		L []any
		M map[string]any
		N map[int]any
		P *any
		R [1]any
		S map[string]struct{ A any }
	}
	big, p := uint64(math.MaxUint64), any(uint64(math.MaxUint64))
	same(t,
		holder{A: big, L: []any{big, []any{big}}, M: map[string]any{"a": map[string]any{"b": big}}, N: map[int]any{1: big}, P: &p, R: [1]any{big}, S: map[string]struct{ A any }{"a": {big}}},
		holder{A: int64(1), R: [1]any{int64(-1)}})
	roundTrip(t, holder{A: uint8(1)}, holder{A: int64(1)})
}

func TestNewCodecRefuses(t *testing.T) {
	type nested struct {
		A []map[string]struct{ C chan int }
	}
	refused := func(name string, err error) {
		t.Helper()
		var un *Unencodable
		require.ErrorAs(t, err, &un, name)
	}
	for name, err := range map[string]error{
		"chan": newErr[chan int](), "func": newErr[func()](), "complex": newErr[complex64](), "uintptr": newErr[uintptr](),
		"error": newErr[error](), "nested": newErr[nested](), "map by any": newErr[map[any]int](), "map by struct": newErr[map[point]int](),
		"map by pointer": newErr[map[*int]int](), "map by marshaler": newErr[map[netip.Addr]int](), "unexported": newErr[struct{ a int }](),
		"marshals only": newErr[tagged](), "tag": newErr[cbor.Tag](), "self": newErr[selfPointer](), "nested error": newErr[[]error](),
		"two of a name": newErr[struct {
			A int `cbor:"x"`
			B int `json:"x"`
		}](),
		"embedded pointer to unexported": newErr[struct{ *base }](),
	} {
		refused(name, err)
	}
	require.ErrorContains(t, newErr[nested](), "value.nested.A[][].C: ")
}

func newErr[V any]() error { _, err := NewCodec[V](); return err }

func TestCodecRefuses(t *testing.T) {
	refuses(t, "\xff")
	refuses(t, []string{"\xff"})
	refuses(t, server{Host: "\xff"})
	refuses(t, map[string]int{"\xff": 1})
	refuses(t, map[float64]int{math.NaN(): 1})
	refuses(t, map[float32]int{float32(math.NaN()): 1})
	refuses(t, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
	refuses(t, server{Since: time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)})
	refuses(t, server{Meta: map[int]any{1: map[int]int{}}})
	refuses(t, server{Meta: map[int]any{1: make(chan int)}})
	refuses(t, server{Meta: map[int]any{1: "\xff"}})
	refuses(t, cbor.RawMessage{0x82, 1})
	loop := &ring{}
	loop.Next = loop
	refuses(t, loop)
	refuses(t, *loop)
	self := endless{nil}
	self[0] = self
	refuses(t, self)
	refuses(t, failing{})
	refuses(t, []failing{{}})
}

func refuses[V any](t *testing.T, v V) {
	t.Helper()
	c, err := NewCodec[V]()
	require.NoError(t, err)
	dst := []byte("kept")
	out, err := c.Append(dst, v)
	var un *Unencodable
	require.ErrorAs(t, err, &un)
	require.Equal(t, "kept", string(out))
}

// failing fails to read what it wrote.
type failing struct{}

func (failing) MarshalBinary() ([]byte, error)  { return []byte("x"), nil }
func (*failing) UnmarshalBinary(b []byte) error { return errors.New("no") }

// What was stored by another type must fit exactly, or be refused.
func TestMisfits(t *testing.T) {
	misfits[int8](t, 128, -129, uint64(math.MaxUint64), 1.0, 1.5, "1", nil, true, []byte{1}, []any{}, map[string]any{}, noon)
	misfits[int64](t, uint64(math.MaxInt64+1), 2.0)
	misfits[uint8](t, 256, -1, 1.0)
	misfits[uint64](t, -1, nil)
	misfits[float64](t, int64(1<<53+1), uint64(math.MaxUint64), int64(math.MaxInt64), "1", nil, true)
	misfits[float32](t, 0.1, math.MaxFloat64, 1<<24+1, math.SmallestNonzeroFloat64)
	misfits[bool](t, 1, nil, "true")
	misfits[string](t, []byte("a"), nil, 1, noon)
	misfits[[]byte](t, "a", []any{256}, []any{"a"}, 1)
	misfits[time.Time](t, noon.Format(time.RFC3339), 1, 1.5)
	misfits[[]int8](t, []int{1, 128}, map[string]any{}, 1, []any{nil})
	misfits[[2]int](t, []int{1}, []int{1, 2, 3}, nil)
	misfits[[2]byte](t, []byte{1}, []byte{1, 2, 3}, []int{1, 256}, "ab", nil)
	misfits[map[string]uint8](t, map[string]int{"a": 256}, []any{}, 1)
	misfits[map[string]any](t, []any{}, "a", 1)
	misfits[[]any](t, map[string]any{}, "a")
	misfits[point](t, map[string]any{"X": "a"}, map[string]any{"X": 1.0}, map[string]any{"Y": nil}, []int{1, 2}, nil, 1)
	misfits[struct{ F float32 }](t, map[string]float64{"F": 0.1})
	misfits[struct{ F *[2]int8 }](t, map[string]any{"F": []int{1}}, map[string]any{"F": []int{1, 128}})
	misfits[netip.Addr](t, []byte{1, 2, 3}, "10.0.0.1", nil)
	misfits[big.Int](t, nil, 1.5, "1", []byte{1}, noon)
	misfits[struct{ N []big.Int }](t, map[string]any{"N": []any{1, nil}})

	c, err := NewCodec[server]()
	require.NoError(t, err)
	raw, err := AppendAny(nil, map[string]any{"p": 65536})
	require.NoError(t, err)
	_, err = c.Decode(raw)
	require.EqualError(t, err, `ultradict: value is not value.server: in the value of "p", which is of type uint16: it holds the integer 65536`)
}

func misfits[V any](t *testing.T, stored ...any) {
	t.Helper()
	c, err := NewCodec[V]()
	require.NoError(t, err)
	for _, v := range stored {
		raw, err := AppendAny(nil, v)
		require.NoError(t, err)
		got, err := c.Decode(raw)
		var te *errs.TypeError
		require.ErrorAs(t, err, &te, "%T %v", v, v)
		require.Zero(t, got)
		require.Equal(t, c.plan.root.t.String(), te.Want)
	}
}

// What fits without loss is taken, whoever wrote it.
func TestFits(t *testing.T) {
	fits(t, int8(-1), int64(-1))
	fits(t, uint8(255), 255)
	fits(t, 5.0, 5)
	fits(t, float64(1<<63), uint64(1<<63))
	fits(t, float32(0.5), 0.5)
	fits(t, float32(math.Inf(1)), math.Inf(1))
	fits(t, 0.5, float32(0.5))
	fits(t, []byte{1, 2}, []int{1, 2})
	fits(t, [2]byte{1, 2}, []int{1, 2})
	fits(t, point{X: 1}, map[string]any{"X": 1, "x": 2, "other": map[string]any{"deep": []any{}}})
	fits(t, []float64{1, 2}, []any{1, 2.0})
	fits(t, map[string]any{"X": int64(1), "Y": int64(2)}, point{1, 2})
	fits(t, time.Time{}, nil)
	fits[any](t, nil, nil)
}

func fits[V any](t *testing.T, want V, stored any) {
	t.Helper()
	c, err := NewCodec[V]()
	require.NoError(t, err)
	raw, err := AppendAny(nil, stored)
	require.NoError(t, err)
	got, err := c.Decode(raw)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestPointerFree(t *testing.T) {
	free := func(want bool, got bool) { t.Helper(); require.Equal(t, want, got) }
	free(true, pointerFree[int]())
	free(true, pointerFree[myString]())
	free(true, pointerFree[flat]())
	free(true, pointerFree[[2]point]())
	free(true, pointerFree[intKeyed]())
	free(false, pointerFree[any]())
	free(false, pointerFree[[]byte]())
	free(false, pointerFree[*int]())
	free(false, pointerFree[map[string]int]())
	free(false, pointerFree[time.Time]())
	free(false, pointerFree[netip.Addr]())
	free(false, pointerFree[server]())
	free(false, pointerFree[joined]())
	free(false, pointerFree[struct {
		A int
		b int
	}]())
	free(false, pointerFree[struct {
		A float64 `cbor:",omitempty"`
	}]())
}

func pointerFree[V any]() bool { c, _ := NewCodec[V](); return c.PointerFree() }

func TestDynamic(t *testing.T) {
	c, err := NewCodec[any]()
	require.NoError(t, err)
	require.True(t, c.Dynamic())
	_, ok := c.Keep([]byte("mutable"))
	require.False(t, ok)
	kept, ok := c.Keep(nil)
	require.True(t, ok)
	require.Nil(t, kept)
	d, err := NewCodec[map[string]any]()
	require.NoError(t, err)
	require.False(t, d.Dynamic())
	_, ok = d.Keep(map[string]any{})
	require.False(t, ok)
}

func TestAppendAllocates(t *testing.T) {
	noAllocs(t, 12345)
	noAllocs(t, "a string of some length")
	noAllocs(t, 1.5)
	noAllocs(t, true)
	noAllocs(t, []byte("bytes"))
	noAllocs(t, noon)
	noAllocs[any](t, "boxed before")
	noAllocs[any](t, map[string]any{"a": 1, "b": []any{"c"}})
	noAllocs(t, point{1, 2})
	noAllocs(t, struct {
		Name string
		N    [2]int
	}{"n", [2]int{}})

	c, err := NewCodec[int]()
	require.NoError(t, err)
	raw, err := c.Append(nil, 12345)
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = c.Decode(raw) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _, _ = DecodeNumber(raw) }))
}

func noAllocs[V any](t *testing.T, v V) {
	t.Helper()
	c, err := NewCodec[V]()
	require.NoError(t, err)
	dst := make([]byte, 0, 1024)
	if raceEnabled {
		return // a sync.Pool forgets on purpose
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = c.Append(dst, v) }), "%T", v)
}
