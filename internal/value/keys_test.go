package value

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

type (
	endpoint struct {
		Host string
		Port uint16
	}
	mixed struct {
		A int8
		B bool
		C [2]endpoint
		D myString
		E [3]int16
		F struct{}
		G uint64
	}
	empty struct{}
)

func mustKeys[K comparable](t testing.TB) *Keys[K] {
	t.Helper()
	k, err := NewKeys[K]()
	require.NoError(t, err)
	return k
}

// checkKeys checks each key by itself, and that all are in order: the first
// argument after t is the kind, and then the keys stand in increasing order.
func checkKeys[K comparable](t *testing.T, kind string, keys ...K) {
	t.Helper()
	k := mustKeys[K](t)
	require.Equal(t, kind, k.Kind())
	require.Equal(t, kind == "string", k.IsString())
	var last []byte
	for i, key := range keys {
		require.NoError(t, k.Check(key))
		raw, err := k.Append([]byte("before"), key)
		require.NoError(t, err)
		require.Equal(t, "before", string(raw[:6]))
		raw = raw[6:]
		got, err := k.DecodeBytes(raw)
		require.NoError(t, err)
		require.Equal(t, key, got)
		got, err = k.Decode(string(raw))
		require.NoError(t, err)
		require.Equal(t, key, got)
		var buf KeyBuf
		require.Equal(t, string(raw), strings.Clone(k.View(&key, &buf)))
		if i > 0 {
			require.Negative(t, bytes.Compare(last, raw), "%v before %v", keys[i-1], key)
		}
		last = raw
		// No other length is a key, unless it is a string.
		if !k.IsString() {
			_, err = k.Decode(string(raw) + "\x00")
			require.ErrorIs(t, err, errs.ErrCorrupt)
			if len(raw) > 0 {
				_, err = k.Decode(string(raw[:len(raw)-1]))
				require.ErrorIs(t, err, errs.ErrCorrupt)
			}
		}
	}
}

func TestKeys(t *testing.T) {
	checkKeys(t, "string", "", "\x00", "\x00\x00", "a", "a\x00", "ab", "b", "ß")
	checkKeys(t, "string", myString(""), "x")
	checkKeys(t, "int", math.MinInt, -256, -1, 0, 1, 255, 256, math.MaxInt)
	checkKeys[int8](t, "int", -128, -1, 0, 127)
	checkKeys[int16](t, "int", math.MinInt16, 0, math.MaxInt16)
	checkKeys[int32](t, "int", math.MinInt32, 0, math.MaxInt32)
	checkKeys[int64](t, "int", math.MinInt64, 0, math.MaxInt64)
	checkKeys[time.Duration](t, "int", -1, time.Hour)
	checkKeys[uint](t, "uint", 0, 1, math.MaxUint)
	checkKeys[uint8](t, "uint", 0, 255)
	checkKeys[uint16](t, "uint", 0, math.MaxUint16)
	checkKeys[uint32](t, "uint", 0, math.MaxUint32)
	checkKeys[uint64](t, "uint", 0, math.MaxUint64)
	checkKeys(t, "bool", false, true)
	checkKeys(t, "bool", myBool(false), true)
	checkKeys(t, "[2]int", [2]int{-1, 5}, [2]int{0, -5}, [2]int{0, 5})
	checkKeys(t, "[4]uint", [4]byte{10, 0, 0, 1}, [4]byte{10, 0, 1, 0})
	checkKeys(t, "[2]string", [2]string{"", "b"}, [2]string{"\x00", ""}, [2]string{"\x00\x00", ""}, [2]string{"\x00a", ""}, [2]string{"a", "\x00"}, [2]string{"a", "b"}, [2]string{"a\x00", ""}, [2]string{"ab", "a"})
	checkKeys(t, "[0]int", [0]int{})
	checkKeys(t, "struct{}", empty{})
	checkKeys(t, "[2]struct{}", [2]empty{})
	checkKeys(t, "struct{Host string; Port uint}", endpoint{"", 9}, endpoint{"a", 1}, endpoint{"a", 256}, endpoint{"a\x00", 0}, endpoint{"b", 0})
	checkKeys(t, "struct{A int; B bool; C [2]struct{Host string; Port uint}; D string; E [3]int; F struct{}; G uint}",
		mixed{A: -1, C: [2]endpoint{{"x", 1}, {"y", 2}}, D: "\x00", E: [3]int16{1, -2, 3}, G: math.MaxUint64},
		mixed{A: 0, B: false, C: [2]endpoint{{"x", 1}, {"y", 3}}},
		mixed{A: 0, B: true, C: [2]endpoint{{"x", 1}, {"y", 2}}, E: [3]int16{-1}},
		mixed{A: 0, B: true, C: [2]endpoint{{"x", 1}, {"y", 2}}, E: [3]int16{0, -1}})
}

// The bytes are part of the format.
func TestGoldenKeys(t *testing.T) {
	golden(t, "a", "61")
	golden(t, 1, "8000000000000001")
	golden(t, int8(-1), "7fffffffffffffff")
	golden(t, uint16(258), "0000000000000102")
	golden(t, true, "01")
	golden(t, endpoint{"a\x00b", 80}, "6100ff6200000000000000000050")
	golden(t, [2]bool{true, false}, "0100")
}

func golden[K comparable](t *testing.T, key K, want string) {
	t.Helper()
	raw, err := mustKeys[K](t).Append(nil, key)
	require.NoError(t, err)
	require.Equal(t, want, hex.EncodeToString(raw))
}

func TestNewKeysRefuses(t *testing.T) {
	refused := func(err error, part string) {
		t.Helper()
		require.ErrorAs(t, err, new(*Unencodable))
		require.ErrorContains(t, err, part)
	}
	refused(keysErr[float64](), "float64")
	refused(keysErr[complex64](), "complex64")
	refused(keysErr[uintptr](), "uintptr")
	refused(keysErr[*int](), "*int")
	refused(keysErr[any](), "interface {}")
	refused(keysErr[error](), "error")
	refused(keysErr[chan int](), "chan int")
	refused(keysErr[unsafe.Pointer](), "unsafe.Pointer")
	refused(keysErr[time.Time](), "time.Time.wall")
	refused(keysErr[struct{ A struct{ B [2]float32 } }](), ".A.B[]")
	refused(keysErr[struct {
		A int
		b int
	}](), ".b: all fields")
	refused(keysErr[struct {
		A int
		_ int
	}](), "._: all fields")
	refused(keysErr[[MaxKeyLen/8 + 1]int](), "65535")
	refused(keysErr[[2][MaxKeyLen/16 + 1]int](), "65535")
	refused(keysErr[[1 << 30]empty](), "65535")
	refused(keysErr[struct{ A, B [MaxKeyLen]bool }](), "65535")
	refused(keysErr[struct {
		AVeryLongFieldNameAVeryLongFieldNameAVeryLongFieldNameAVeryLongFieldNameAVeryLongFieldName1 int
		AVeryLongFieldNameAVeryLongFieldNameAVeryLongFieldNameAVeryLongFieldNameAVeryLongFieldName2 int
		B                                                                                           int
	}](), "200")
}

func keysErr[K comparable]() error { _, err := NewKeys[K](); return err }

func TestKeysRefuse(t *testing.T) {
	long := strings.Repeat("a", MaxKeyLen)
	checkKeys(t, "string", long)
	refusesKey(t, long+"a", "65536")
	refusesKey(t, "a\xff", "UTF-8")
	refusesKey(t, [2]string{"a", "\xff"}, "UTF-8")
	refusesKey(t, endpoint{Host: long}, "more than")
	checkKeys(t, "struct{Host string; Port uint}", endpoint{Host: long[:MaxKeyLen-10]})
	refusesKey(t, endpoint{Host: long[:MaxKeyLen-9]}, "more than")
	refusesKey(t, [2]string{long[:MaxKeyLen/2], long[:MaxKeyLen/2]}, "more than")
	zeros := strings.Repeat("\x00", MaxKeyLen/2)
	checkKeys(t, "struct{Host string; Port uint}", endpoint{Host: zeros[:MaxKeyLen/2-5]})
	refusesKey(t, endpoint{Host: zeros}, "more than")
}

func refusesKey[K comparable](t *testing.T, key K, reason string) {
	t.Helper()
	k := mustKeys[K](t)
	out, err := k.Append([]byte("kept"), key)
	require.ErrorAs(t, err, new(*Unencodable))
	require.ErrorContains(t, err, reason)
	require.Equal(t, "kept", string(out))
	require.Equal(t, err, k.Check(key))
}

func TestKeysHostile(t *testing.T) {
	corruptKey[string](t, "ff", strings.Repeat("61", MaxKeyLen+1))
	corruptKey[int](t, "", "00", "80000000000000", "800000000000000000")
	corruptKey[bool](t, "", "02", "ff", "0100")
	corruptKey[endpoint](t, "", "61", "6100", "610000", "61000000000000000000", "6100010000000000000000", "ff00000000000000000000", "610000000000000000000000")
	for _, s := range []string{"8000000000000080", "7fffffffffffff7f", "0000000000000000", "ffffffffffffffff"} {
		_, err := mustKeys[int8](t).DecodeBytes(unhex(t, s))
		require.ErrorIs(t, err, &errs.TypeError{}, s)
	}
	for _, s := range []string{"0000000000000100", "ffffffffffffffff"} {
		_, err := mustKeys[uint8](t).DecodeBytes(unhex(t, s))
		require.ErrorIs(t, err, &errs.TypeError{}, s)
	}
	_, err := mustKeys[endpoint](t).DecodeBytes(unhex(t, "61 00 00 00 00 00 00 00 01 00 00"))
	require.ErrorIs(t, err, &errs.TypeError{})
}

func corruptKey[K comparable](t *testing.T, hexes ...string) {
	t.Helper()
	for _, s := range hexes {
		got, err := mustKeys[K](t).DecodeBytes(unhex(t, s))
		require.ErrorIs(t, err, errs.ErrCorrupt, s)
		require.Zero(t, got)
	}
}

// The order of the bytes is the order of the keys, and so is equality.
func TestKeyOrderModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		b := make([]byte, rnd.IntN(4))
		for i := range b {
			b[i] = "\x00\x01a\x7f"[rnd.IntN(4)]
		}
		return string(b)
	}
	type key struct {
		A string
		B int8
		C string
		D bool
	}
	k := mustKeys[key](t)
	compare := func(a, b key) int {
		d := func(b bool) int {
			if b {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B), cmp.Compare(a.C, b.C), cmp.Compare(d(a.D), d(b.D)))
	}
	for range 20000 {
		a := key{word(), int8(rnd.IntN(5) - 2), word(), rnd.IntN(2) == 0}
		b := key{word(), int8(rnd.IntN(5) - 2), word(), rnd.IntN(2) == 0}
		if rnd.IntN(2) == 0 {
			b.A = a.A
		}
		ra, err := k.Append(nil, a)
		require.NoError(t, err)
		rb, err := k.Append(nil, b)
		require.NoError(t, err)
		if compare(a, b) != bytes.Compare(ra, rb) {
			t.Fatalf("%#v and %#v: %x and %x", a, b, ra, rb)
		}
	}
}

// lookup stands for what a map behind an interface does with a view.
var lookup = func(m map[string]int, key string) int { return m[key] }

func TestViewAllocates(t *testing.T) {
	m := map[string]int{}
	for _, s := range []string{"key", "a longer key that does not fit into any small buffer, and that is longer than 64 bytes"} {
		viewAllocates(t, m, s)
		viewAllocates(t, m, myString(s))
	}
	viewAllocates(t, m, -5)
	viewAllocates(t, m, uint8(5))
	viewAllocates(t, m, true)
	viewAllocates(t, m, [3]int{1, 2, 3})
	viewAllocates(t, m, endpoint{"host.example", 80})

	// Longer than the buffer: still right.
	k := mustKeys[[20]int](t)
	var buf KeyBuf
	key := [20]int{19: 7}
	raw, err := k.Append(nil, key)
	require.NoError(t, err)
	require.Equal(t, string(raw), k.View(&key, &buf))

	// A string made for the look-up stays on the stack.
	s, text := mustKeys[string](t), []byte("text")
	require.Zero(t, testing.AllocsPerRun(100, func() { get(s, m, string(text)) }))
}

// get is what a façade does: key and buffer are local.
func get[K comparable](k *Keys[K], m map[string]int, key K) int {
	var buf KeyBuf
	return lookup(m, k.View(&key, &buf))
}

func viewAllocates[K comparable](t *testing.T, m map[string]int, key K) {
	t.Helper()
	k := mustKeys[K](t)
	raw, err := k.Append(nil, key)
	require.NoError(t, err)
	m[string(raw)] = 42
	require.Equal(t, 42, get(k, m, key))
	require.Zero(t, testing.AllocsPerRun(100, func() { get(k, m, key) }), "%T", key)
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = k.Check(key) }), "%T", key)
	enc := string(raw)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = k.Decode(enc) }), "%T", key)
}

// A view must survive that the stack it points to moves.
func TestViewOnMovingStack(t *testing.T) {
	k := mustKeys[[4]int](t)
	m := map[string]int{}
	want := map[[4]int]int{}
	for i := range 100 {
		key := [4]int{i, -i, i * i, 1}
		raw, err := k.Append(nil, key)
		require.NoError(t, err)
		m[string(raw)], want[key] = i, i
	}
	defer func(old func(map[string]int, string) int) { lookup = old }(lookup)
	lookup = func(m map[string]int, key string) int { grow(500); return m[key] }
	done := make(chan bool)
	for key, n := range want {
		go func() { done <- get(k, m, key) == n }()
	}
	for range want {
		require.True(t, <-done)
	}
}

func grow(n int) byte {
	var pad [256]byte
	if n > 0 {
		pad[n%256] = grow(n - 1)
	}
	return pad[0]
}

func TestKeyPartsAreInMemoryOrder(t *testing.T) {
	k := mustKeys[mixed](t)
	require.True(t, slices.IsSortedFunc(k.parts, func(a, b part) int { return cmp.Compare(a.offset, b.offset) }))
	require.Equal(t, reflect.TypeFor[mixed](), k.t)
}
