package ultradict_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() { roles["mover"] = mover }

// jsonWays are the two ways of a map to JSON and back.
func jsonWays[K comparable, V any]() map[string]struct {
	write func(*ultradict.Map[K, V], context.Context, io.Writer, ...ultradict.JSONOption) error
	read  func(*ultradict.Map[K, V], context.Context, io.Reader, ...ultradict.JSONOption) (int, error)
} {
	type way = struct {
		write func(*ultradict.Map[K, V], context.Context, io.Writer, ...ultradict.JSONOption) error
		read  func(*ultradict.Map[K, V], context.Context, io.Reader, ...ultradict.JSONOption) (int, error)
	}
	return map[string]way{
		"JSON":   {(*ultradict.Map[K, V]).WriteJSON, (*ultradict.Map[K, V]).ReadJSON},
		"NDJSON": {(*ultradict.Map[K, V]).WriteNDJSON, (*ultradict.Map[K, V]).ReadNDJSON},
	}
}

// thereAndBack writes the contents as JSON, and reads them into another dictionary.
func thereAndBack[K comparable, V any](t *testing.T, contents map[K]V, opts ...ultradict.Option) {
	t.Helper()
	ctx := t.Context()
	from := openMap[K, V](t, memoryDir(t), opts...)
	for k, v := range contents {
		require.NoError(t, from.Set(k, v))
	}
	for name, way := range jsonWays[K, V]() {
		var text bytes.Buffer
		require.NoError(t, way.write(from, ctx, &text), name)
		dir := memoryDir(t)
		to := openMap[K, V](t, dir, opts...)
		n, err := way.read(to, ctx, strings.NewReader(text.String()))
		require.NoError(t, err, "%s: %s", name, text.String())
		require.Equal(t, len(contents), n)
		want := maps.Collect(from.All())
		require.Len(t, want, len(contents))
		for k := range contents {
			v, err := to.Get(k)
			require.NoError(t, err)
			if f, ok := any(v).(float64); ok && f != f {
				require.True(t, math.IsNaN(any(want[k]).(float64)))
				continue
			}
			require.Equal(t, want[k], v, "%s: %v", name, k)
			if f, ok := any(v).(float64); ok {
				require.Equal(t, math.Float64bits(any(want[k]).(float64)), math.Float64bits(f), "%s: %v", name, k)
			}
		}
		n, err = to.Len()
		require.NoError(t, err)
		require.Equal(t, len(contents), n)
		if name == "JSON" {
			require.True(t, json.Valid(text.Bytes()), text.String())
			continue
		}
		lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
		if len(contents) == 0 {
			require.Empty(t, text.String())
			continue
		}
		require.Len(t, lines, len(contents))
		for _, line := range lines {
			require.True(t, json.Valid([]byte(line)), line)
		}
	}
}

func TestJSONOfDynamicValues(t *testing.T) {
	values := map[string]any{
		"": nil, "true": true, "text": "\x00\"\\\u2028<&>é😀", "int": -5, "max": int64(math.MaxInt64), "min": int64(math.MinInt64), "uint": uint64(math.MaxUint64),
		"float": 0.1, "whole float": 5.0, "minus zero": math.Copysign(0, -1), "huge": math.MaxFloat64, "tiny": math.SmallestNonzeroFloat64, "1e21": 1e21,
		"NaN": math.NaN(), "+Inf": math.Inf(1), "-Inf": math.Inf(-1), "bytes": []byte{0, 255}, "no bytes": []byte{}, "time": moment, "zero time": time.Time{},
		"list": []any{1, 2.0, []byte("x"), nil, []any{}, map[string]any{}}, "map": map[string]any{"a": moment, "b": map[string]any{"": uint64(1 << 63)}},
		"looks like a time": map[string]any{"$time": "x"}, "and more so": map[string]any{"$$bytes": map[string]any{"$float": 1}}, "$time": "a key",
		"key": "value", "\u2028<&>\"": 1, "long": strings.Repeat("long", 100_000), "more": bytes.Repeat([]byte{7}, 100_000),
	}
	thereAndBack(t, values)
	thereAndBack(t, map[string]any{})
	thereAndBack(t, map[string]map[string]any{"a": {"t": moment, "f": 1.0, "n": math.Inf(1)}, "b": {}, "c": nil})
	thereAndBack(t, map[string][]any{"a": {moment, 1.0, 1, []byte("b")}, "b": {}, "c": nil})
	// Through a codec that has other rules for an any, what it can hold.
	delete(values, "NaN")
	delete(values, "+Inf")
	delete(values, "-Inf")
	thereAndBack(t, values, withJSON)
	thereAndBack(t, values, ultradict.WithCodec(exactJSON{jsonCodec{"exact"}}))
}

// withAnys has dynamic values in it, wherever they can be.
type withAnys struct {
	A    any
	L    []any
	M    map[string]any
	N    map[int]any `json:"n,omitempty"`
	P    *any
	R    [2]any
	S    map[string]struct{ A any }
	Next *withAnys
	anysBase
}

type anysBase struct{ Embedded any }

func TestJSONOfTypedValues(t *testing.T) {
	thereAndBack(t, servers)
	var p any = []byte("p")
	thereAndBack(t, map[string]withAnys{
		"": {}, "full": {
			A: 5.0, L: []any{1, 1.0, moment, []byte("b")}, M: map[string]any{"$time": "x", "u": uint64(math.MaxUint64)}, N: map[int]any{-1: 2.0},
			P: &p, R: [2]any{nil, map[string]any{"deep": []any{math.Inf(-1)}}}, S: map[string]struct{ A any }{"s": {moment}}, Next: &withAnys{A: 1e21}, anysBase: anysBase{2.0},
		},
	})
	thereAndBack(t, map[string]int8{"a": -128, "b": 127})
	thereAndBack(t, map[string]uint64{"a": math.MaxUint64})
	thereAndBack(t, map[string]float64{"a": 5, "b": -0.1, "c": math.Copysign(0, -1), "d": math.MaxFloat64, "e": math.SmallestNonzeroFloat64})
	thereAndBack(t, map[string]float32{"a": 0.1, "b": math.MaxFloat32})
	thereAndBack(t, map[string]bool{"a": true, "b": false})
	thereAndBack(t, map[string]string{"a": "", "b": "<&>\"\\\u2028\ufffd"})
	thereAndBack(t, map[string][]byte{"a": {0, 255}, "b": {}, "c": nil})
	thereAndBack(t, map[string][3]byte{"a": {1, 2, 3}})
	thereAndBack(t, map[string]time.Time{"a": moment, "b": {}})
	thereAndBack(t, map[string]*int{"a": new(int), "b": nil})
	thereAndBack(t, map[string][]int{"a": {1, -1}, "b": {}, "c": nil})
	thereAndBack(t, map[string]map[int8]bool{"a": {-1: true}, "b": {}, "c": nil})
	thereAndBack(t, map[string]netip.Addr{"a": netip.MustParseAddr("::1"), "b": {}})
	thereAndBack(t, map[string]*big.Int{"a": big.NewInt(-5), "b": new(big.Int).Lsh(big.NewInt(1), 200), "c": big.NewInt(0)})
	thereAndBack(t, map[string]struct{}{"a": {}})
	thereAndBack(t, servers, withJSON)
}

func TestJSONOfKeys(t *testing.T) {
	thereAndBack(t, map[hostID]int{"": 1, "a\x00\u2028": 2, "{}": 3, "5": 4})
	thereAndBack(t, map[int]int{math.MinInt: 1, -1: 2, 0: 3, math.MaxInt: 4})
	thereAndBack(t, map[uint64]int{0: 1, math.MaxUint64: 2})
	thereAndBack(t, map[grade]int{-128: 1, 127: 2})
	thereAndBack(t, map[time.Duration]int{time.Hour: 1})
	thereAndBack(t, map[bool]int{true: 1, false: 2})
	thereAndBack(t, map[[2]string]int{{"a", "\""}: 1, {}: 2})
	thereAndBack(t, map[[3]byte]int{{1, 2, 255}: 1})
	thereAndBack(t, map[route]int{{From: endpoint{"a", 1}, Up: true, Levels: [2]grade{-1, 1}}: 1, {}: 2})
	thereAndBack(t, map[struct{}]int{{}: 1})
	thereAndBack(t, map[textKey]int{1: 1, 2: 2})

	// What it looks like.
	ctx := t.Context()
	m := openMap[endpoint, int](t, t.TempDir())
	require.NoError(t, m.Set(endpoint{"h", 80}, 5))
	var text bytes.Buffer
	require.NoError(t, m.WriteJSON(ctx, &text))
	require.Equal(t, `{"{\"Host\":\"h\",\"Port\":80}":5}`+"\n", text.String())
	text.Reset()
	require.NoError(t, m.WriteNDJSON(ctx, &text))
	require.Equal(t, `{"key":{"Host":"h","Port":80},"value":5}`+"\n", text.String())
	_, err := m.ReadJSON(ctx, strings.NewReader(`{" { \"Port\": 81, \"Host\": \"\\u0068\" } ": 6}`))
	require.NoError(t, err, "the order of the fields is free, and there may be space")
	n, err := m.Get(endpoint{"h", 81})
	require.NoError(t, err)
	require.Equal(t, 6, n)
}

// textKey says itself as text.
type textKey int

func (k textKey) MarshalText() ([]byte, error) { return []byte{'k', '0' + byte(k)}, nil }
func (k *textKey) UnmarshalText(b []byte) error {
	*k = textKey(b[1] - '0')
	return nil
}

// lossyKey loses a part of itself.
type lossyKey struct {
	A int
	B int `json:"-"`
}

type secretive struct {
	Open   int
	Secret string `cbor:"s" json:"-"`
}

type shouting struct{ N int }

func (s shouting) MarshalJSON() ([]byte, error) {
	switch s.N {
	case 1:
		panic("one")
	case 2:
		return nil, errBoom
	case 3:
		return []byte(`{`), nil
	}
	return json.Marshal(s.N)
}

func (s *shouting) UnmarshalJSON(b []byte) error {
	if string(b) == "4" {
		panic("four")
	}
	return json.Unmarshal(b, &s.N)
}

// unsayable stores something that JSON cannot say such that it comes back.
func unsayable[K comparable, V any](t *testing.T, key K, v V, opts ...ultradict.Option) *ultradict.EncodeError {
	t.Helper()
	m := openMap[K, V](t, memoryDir(t), opts...)
	require.NoError(t, m.Set(key, v))
	var ee *ultradict.EncodeError
	for name, way := range jsonWays[K, V]() {
		var text bytes.Buffer
		err := way.write(m, t.Context(), &text)
		require.ErrorAs(t, err, &ee, "%s: %s", name, text.String())
		require.Equal(t, any(key), ee.Key)
		require.ErrorContains(t, err, `"test"`, "it says which dictionary")
		require.False(t, json.Valid(text.Bytes()))
	}
	return ee
}

func TestJSONCannotSay(t *testing.T) {
	var unsupported *json.UnsupportedValueError
	require.ErrorAs(t, unsayable(t, "k", math.NaN()), &unsupported)
	unsayable(t, 5, math.Inf(1))
	unsayable(t, "k", []float32{1, float32(math.NaN())})
	unsayable(t, "k", secretive{1, "x"})
	unsayable(t, "k", []*secretive{nil, {1, "x"}})
	thereAndBack(t, map[string]secretive{"k": {1, ""}})
	unsayable(t, lossyKey{1, 2}, 1)
	thereAndBack(t, map[lossyKey]int{{1, 0}: 1})
	for n := range 5 {
		if n > 0 {
			unsayable(t, "k", shouting{n})
		}
	}
	require.ErrorIs(t, unsayable(t, "k", shouting{2}), errBoom)
	thereAndBack(t, map[string]shouting{"k": {5}})
	// What only a codec of the user's puts into an any.
	unsayable[string, any](t, "k", "\xff", ultradict.WithCodec(named{funcs{
		func(v any) ([]byte, error) { return []byte(v.(string)), nil },
		func(b []byte, v any) error { *v.(*any) = string(b); return nil },
	}, "text"}))
	unsayable[string, any](t, "k", nil, ultradict.WithCodec(named{funcs{
		func(any) ([]byte, error) { return nil, nil },
		func(_ []byte, v any) error { *v.(*any) = []any{map[string]any{"x": make(chan int)}}; return nil },
	}, "channels"}))

	// A value that is none of the map's type.
	dir := t.TempDir()
	require.NoError(t, open(t, dir).Set("k", "text"))
	m := openMap[string, int](t, dir)
	var te *ultradict.TypeError
	require.ErrorAs(t, m.WriteJSON(t.Context(), io.Discard), &te)
	require.Equal(t, "k", te.Key)
	require.ErrorAs(t, m.WriteNDJSON(t.Context(), io.Discard), &te)
}

// jsonCase is input that is refused.
type jsonCase struct {
	text   string
	offset int64
	key    any
	reason string
}

// refuses reads what must be refused: it says where, and nothing changes.
func refusesJSON[K comparable, V any](t *testing.T, read func(*ultradict.Map[K, V], context.Context, io.Reader, ...ultradict.JSONOption) (int, error), line func(text string, offset int64) int, cases []jsonCase, keep K, v V) {
	t.Helper()
	m := openMap[K, V](t, memoryDir(t))
	require.NoError(t, m.Set(keep, v))
	before, err := m.Status()
	require.NoError(t, err)
	for _, c := range cases {
		for _, opts := range [][]ultradict.JSONOption{nil, {ultradict.JSONReplace()}} {
			n, err := read(m, t.Context(), iotest.HalfReader(strings.NewReader(c.text)), opts...)
			require.Zero(t, n)
			var je *ultradict.JSONError
			require.ErrorAs(t, err, &je, "%.80q", c.text)
			require.ErrorIs(t, err, &ultradict.JSONError{})
			require.Equal(t, c.offset, je.Offset, "%.80q: %v", c.text, err)
			require.Equal(t, line(c.text, c.offset), je.Line, "%.80q: %v", c.text, err)
			require.Equal(t, c.key, je.Key, "%.80q: %v", c.text, err)
			require.ErrorContains(t, err, c.reason, "%.80q", c.text)
			require.ErrorContains(t, err, `"test"`, "it says which dictionary")
		}
	}
	after, err := m.Status()
	require.NoError(t, err)
	require.Equal(t, before.Head, after.Head, "nothing was committed")
	require.Equal(t, map[K]V{keep: v}, maps.Collect(m.All()))
}

func noLine(string, int64) int { return 0 }

func lineAt(text string, offset int64) int { return 1 + strings.Count(text[:offset], "\n") }

func TestJSONThatIsRefused(t *testing.T) {
	deep := strings.Repeat("[", 64) + "[]" + strings.Repeat("]", 64)
	refusesJSON(t, (*ultradict.Dict).ReadJSON, noLine, []jsonCase{
		{``, 0, nil, "too early"},
		{` `, 0, nil, "too early"},
		{`[]`, 0, nil, "no object"},
		{`5`, 0, nil, "no object"},
		{`null`, 0, nil, "no object"},
		{`"text"`, 0, nil, "no object"},
		{`x`, 0, nil, "invalid character"},
		{"\ufeff{}", 0, nil, "invalid character"},
		{`{`, 1, nil, "too early"},
		{`{"a"`, 4, "a", "too early"},
		{`{"a":`, 5, "a", "too early"},
		{`{"a":1`, 6, nil, "too early"},
		{`{"a":1,`, 7, nil, "too early"},
		{`{"a":1}}`, 7, nil, "something follows"},
		{`{"a":1} {}`, 7, nil, "something follows"},
		{"{\"a\":1}\n\x00", 7, nil, "something follows"},
		{`{"a":1},`, 7, nil, "something follows"},
		{`{"a":1,}`, 7, nil, "invalid character"},
		{`{"a":1 "b":2}`, 7, nil, "invalid character"},
		{`{a:1}`, 1, nil, "invalid character"},
		{`{"a":1,b:1}`, 7, nil, "invalid character"},
		{`{5:1}`, 1, nil, "invalid character"},
		{`{"a":1, "b":[1,{"c":nul}]}`, 20, "b", "invalid character"},
		{`{"a":1, "b":{"c":1,"d":2,"c":3}}`, 24, "b", `the name "c" stands twice`},
		{`{"a":1, "b":2, "a":3}`, 13, "a", "stands twice"},
		{`{"a":1, "b":2, "\u0061":3}`, 13, "a", "stands twice"},
		{`{"a":1, "b":[18446744073709551616]}`, 13, "b", "neither an int64 nor a uint64"},
		{`{"a":1, "b":-9223372036854775809}`, 11, "b", "neither an int64 nor a uint64"},
		{`{"a":1, "b":1e309}`, 11, "b", "beyond the range of float64"},
		{`{"a":1, "b":NaN}`, 12, "b", "invalid character"},
		{"{\"a\":1, \"b\":\"\xff\"}", 13, "b", "not UTF-8"},
		{"{\"a\":1, \"\xff\":1}", 9, nil, "not UTF-8"},
		{`{"a":1, "b":"x\ud800"}`, 14, "b", "half of a surrogate pair"},
		{`{"a":1, "\udfff":1}`, 9, nil, "half of a surrogate pair"},
		{`{"a":1, "b":{"$time":"soon"}}`, 11, "b", "$time"},
		{`{"a":1, "b":[` + deep + `]}`, 13 + 63, "b", "nested more than 64 deep"},
		{`{"a":1, "` + strings.Repeat("k", 70_000) + `":2}`, 6, nil, "more than 65535"},
	}, "kept", any("as it was"))

	// Values and keys of a type.
	refusesJSON(t, (*ultradict.Map[int8, server]).ReadJSON, noLine, []jsonCase{
		{`{"1":{}, "x":{}}`, 7, nil, "key"},
		{`{"1":{}, "1.0":{}}`, 7, nil, "key"},
		{`{"1":{}, "":{}}`, 7, nil, "key"},
		{`{"1":{}, "null":{}}`, 7, nil, "key"},
		{`{"1":{}, "2 3":{}}`, 7, nil, "key"},
		{`{"1":{}, "128":{}}`, 7, nil, "int8"},
		{`{"1":{}, " 1":{}}`, 7, int8(1), "stands twice"},
		{`{"1":{}, "2":null}`, 13, int8(2), "it is null"},
		{`{"1":{}, "2":5}`, 13, int8(2), "server"},
		{`{"1":{}, "2":{"Port":null}}`, 13, int8(2), `in "Port": it is null`},
		{`{"1":{}, "2":{"backup":{"Mood":null}}}`, 13, int8(2), `in "backup": in "Mood": it is null`},
		{`{"1":{}, "2":{"Port":65536}}`, 13, int8(2), "uint16"},
		{`{"1":{}, "2":{"Port":1.5}}`, 13, int8(2), "uint16"},
		{`{"1":{}, "2":{"Port":1,"Port":1}}`, 13 + 9, int8(2), "stands twice"},
		{`{"1":{}, "2":{"port":1}}`, 13, int8(2), `the name is "Port", not "port"`},
		{`{"1":{}, "2":{"Unknown":1}}`, 13, int8(2), "Unknown"},
		{`{"1":{}, "2":{"Hidden":"x"}}`, 13, int8(2), "Hidden"},
		{`{"1":{}, "2":{"Sum":[1,2,3]}}`, 13, int8(2), "list of 3 elements, not 4"},
		{`{"1":{}, "2":{"Sum":[1,2,3,4,5]}}`, 13, int8(2), "list of 5 elements, not 4"},
		{`{"1":{}, "2":{"Weight":16777217}}`, 13, int8(2), "16777217 does not fit"},
		{`{"1":{}, "2":{"Key":"%%"}}`, 13, int8(2), "base64"},
		{`{"1":{}, "2":{"Since":"yesterday"}}`, 13, int8(2), "time"},
		{`{"1":{}, "2":{"Any":18446744073709551616}}`, 13, int8(2), "neither an int64 nor a uint64"},
		{`{"1":{}, "2":{"Any":[{"$bytes":5}]}}`, 13, int8(2), "$bytes"},
		{`{"1":{}, "2":{"Addr":"\ud800"}}`, 22, int8(2), "surrogate"},
		{`{"1":{}, "2":{"Any":` + deep + `}}`, 13, int8(2), "nested"},
	}, int8(7), server{Addr: "kept"})
	refusesJSON(t, (*ultradict.Map[endpoint, float64]).ReadJSON, noLine, []jsonCase{
		{`{"{\"Host\":\"h\"}":1}`, 1, nil, "not written as a key is"},
		{`{"{\"Host\":\"h\",\"Port\":1,\"Port\":1}":1}`, 1, nil, "stands twice"},
		{`{"{\"Host\":\"h\",\"Port\":null}":1}`, 1, nil, "not written as a key is"},
		{`{"{\"Host\":\"h\",\"port\":1}":1}`, 1, nil, "not written as a key is"},
		{`{"{\"Host\":\"h\",\"Port\":1,\"Up\":true}":1}`, 1, nil, "Up"},
		{`{"{\"Host\":\"h\",\"Port\":1}":9007199254740993}`, 31, endpoint{"h", 1}, "9007199254740993 does not fit"},
		{`{"{\"Host\":\"h\",\"Port\":1}":1e400}`, 31, endpoint{"h", 1}, "float64"},
		{`{"{\"Host\":\"h\",\"Port\":1}":"1"}`, 31, endpoint{"h", 1}, "float64"},
	}, endpoint{"kept", 1}, 0.5)
	refusesJSON(t, (*ultradict.Map[string, []any]).ReadJSON, noLine, []jsonCase{{`{"a":[], "b":{}}`, 12, "b", "[]interface {}"}}, "kept", []any{int64(1)})

	// The cause is there.
	m := openMap[string, int](t, t.TempDir())
	var te *ultradict.TypeError
	_, err := m.ReadJSON(t.Context(), strings.NewReader(`{"k":"x"}`))
	require.ErrorAs(t, err, &te)
	require.Equal(t, "k", te.Key)
	require.Equal(t, "int", te.Want)
	var of *json.UnmarshalTypeError
	require.ErrorAs(t, err, &of)
	_, err = m.ReadJSON(t.Context(), strings.NewReader(`{"k":`))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	var ee *ultradict.EncodeError
	_, err = m.ReadJSON(t.Context(), strings.NewReader(`{"`+strings.Repeat("k", 70_000)+`":5}`))
	require.ErrorAs(t, err, &ee)
	_, err = openMap[string, float64](t, t.TempDir(), ultradict.WithCodec(funcs{marshal: func(any) ([]byte, error) { return nil, errBoom }})).
		ReadJSON(t.Context(), strings.NewReader("{\"a\":1,\n\"b\":2}"))
	require.ErrorIs(t, err, errBoom)
	var je *ultradict.JSONError
	require.ErrorAs(t, err, &je)
	require.Equal(t, "a", je.Key)
	_, err = openMap[string, shouting](t, t.TempDir()).ReadJSON(t.Context(), strings.NewReader(`{"k":4}`))
	require.ErrorAs(t, err, &te)
	require.ErrorContains(t, err, "panicked")
}

func TestNDJSONThatIsRefused(t *testing.T) {
	good := `{"key":"a","value":1}` + "\n"
	at := int64(len(good))
	refusesJSON(t, (*ultradict.Dict).ReadNDJSON, lineAt, []jsonCase{
		{good + `[]`, at, nil, "no object"},
		{good + `5` + "\n" + good, at, nil, "no object"},
		{good + `{`, at + 1, nil, "too early"},
		{good + "{\n" + `"key":"b","value":2}`, at + 1, nil, "too early"},
		{good + `{"key":"b","value":2}{}`, at + 21, nil, "something follows"},
		{good + `{"key":"b","value":2},` + "\n", at + 21, nil, "something follows"},
		{good + `{"key":"b","value":2`, at + 20, "b", "too early"},
		{good + `{"key":"b"}`, at, "b", `no "value"`},
		{good + `{"value":1}`, at, nil, `no "key"`},
		{good + `{}`, at, nil, `no "key"`},
		{good + `{"key":"b","value":1,"key":"c"}`, at + 20, "b", `"key" stands twice`},
		{good + `{"key":"b","value":1,"value":2}`, at + 20, "b", `"value" stands twice`},
		{good + `{"key":"b","value":1,"ttl":2}`, at + 20, "b", `"ttl"`},
		{good + `{"key":5,"value":1}`, at + 7, nil, "key"},
		{good + `{"key":null,"value":1}`, at + 7, nil, "key"},
		{good + `{"value":[1,{"a":1,"a":2}],"key":"b"}`, at + 18, nil, "stands twice"},
		{good + "\n \t\r\n" + `{"key":"b","value":tru}`, at + 5 + 19, "b", "invalid character"},
		{good + good, at, "a", "stands twice"},
		{good + "{\"key\":\"b\",\"value\":\"\xff\"}\n", at + 20, nil, "not UTF-8"},
		{good + `{"key":"b","value":"\udc00"}` + "\n" + good, at + 20, nil, "surrogate"},
		{good + `{"key":"b","value":1e999}`, at + 18, "b", "beyond"},
		{good + `{"key":"` + strings.Repeat("k", 70_000) + `","value":1}`, at, nil, "more than 65535"},
		{good + "key,value\n", at, nil, "invalid character"},
	}, "kept", any("as it was"))
	refusesJSON(t, (*ultradict.Map[endpoint, *server]).ReadNDJSON, lineAt, []jsonCase{
		{`{"key":{"Host":"h","Port":1},"value":null}` + "\n" + `{"key":{"Host":"h"},"value":null}`, 43 + 7, nil, "not written as a key is"},
		{`{"key":{"Port":1,"Host":"h"},"value":{}}` + "\n" + `{"key":{"Host":"h","Port":1},"value":null}`, 41, endpoint{"h", 1}, "stands twice"},
		{`{"key":"h","value":{}}`, 7, nil, "key"},
		{`{"key":{"Host":"h","Port":1},"value":{"Addr":"x","Port":-1}}`, 37, endpoint{"h", 1}, "uint16"},
	}, endpoint{"kept", 1}, &server{Addr: "kept"})
}

// What is read is added, or takes the place of everything; one commit either way.
func TestJSONIntoADictionary(t *testing.T) {
	ctx := t.Context()
	dir := memoryDir(t)
	d, other := open(t, dir), open(t, dir)
	require.NoError(t, d.Set("old", 1))
	require.NoError(t, d.Set("both", 1))
	n, err := d.ReadJSON(ctx, strings.NewReader("\n { \"both\" : 2 , \"new\" : {\"a\":[1,1.0,true,null,\"x\"]} }\n\n"))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	added := map[string]any{"a": []any{int64(1), 1.0, true, nil, "x"}}
	require.Equal(t, map[string]any{"old": int64(1), "both": int64(2), "new": added}, maps.Collect(other.All()))
	both, err := other.GetEntry("both")
	require.NoError(t, err)
	fresh, err := other.GetEntry("new")
	require.NoError(t, err)
	require.Equal(t, both.Revision, fresh.Revision, "one commit")

	n, err = d.ReadNDJSON(ctx, strings.NewReader("\r\n{\"value\":5,\"key\":\"only\"}\r\n\n"), ultradict.JSONReplace())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, map[string]any{"only": int64(5)}, maps.Collect(other.All()))
	for _, empty := range []string{"", "\n\n", " "} {
		n, err = d.ReadNDJSON(ctx, strings.NewReader(empty))
		require.NoError(t, err)
		require.Zero(t, n)
	}
	n, err = d.ReadJSON(ctx, strings.NewReader("{}"))
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, map[string]any{"only": int64(5)}, maps.Collect(other.All()))
	_, err = d.ReadJSON(ctx, strings.NewReader("{}"), ultradict.JSONReplace())
	require.NoError(t, err)
	n, err = other.Len()
	require.NoError(t, err)
	require.Zero(t, n)
	var text bytes.Buffer
	require.NoError(t, other.WriteJSON(ctx, &text))
	require.Equal(t, "{}\n", text.String())

	_, err = open(t, dir, ultradict.ReadOnly()).ReadJSON(ctx, strings.NewReader(`{"a":1}`))
	require.ErrorIs(t, err, ultradict.ErrReadOnly)
	closed := open(t, dir)
	require.NoError(t, closed.Close())
	_, err = closed.ReadNDJSON(ctx, strings.NewReader(`{"key":"a","value":1}`))
	require.ErrorIs(t, err, ultradict.ErrClosed)
	require.ErrorIs(t, closed.WriteJSON(ctx, io.Discard), ultradict.ErrClosed)
	requireHealthy(t, dir)
}

// Many entries: one commit, which fits or does not.
func TestManyEntriesOfJSON(t *testing.T) {
	ctx := t.Context()
	dir := memoryDir(t)
	d := open(t, dir, ultradict.WithStreamSize(64<<10), ultradict.WithMaxBytes(16<<20))
	const many = 30_000
	var text bytes.Buffer
	for i := range many {
		fmt.Fprintf(&text, "{\"key\":\"key-%d\",\"value\":{\"n\":%d}}\n", i, i)
	}
	all := text.String()
	var seen []int
	n, err := d.ReadNDJSON(ctx, strings.NewReader(all), ultradict.JSONProgress(func(entries int, read int64) error {
		seen = append(seen, entries)
		require.LessOrEqual(t, read, int64(len(all)))
		return nil
	}))
	require.NoError(t, err)
	require.Equal(t, many, n)
	require.Greater(t, len(seen), many/1000)
	require.IsIncreasing(t, append([]int{-1}, seen...)[:len(seen)])
	require.Equal(t, many, seen[len(seen)-1])
	var revision uint64
	for e, err := range d.Entries() {
		require.NoError(t, err)
		if revision == 0 {
			revision = e.Revision
		}
		require.Equal(t, revision, e.Revision)
	}

	// Writing needs one entry at a time.
	pieces, total := 0, 0
	require.NoError(t, d.WriteNDJSON(ctx, writerFunc(func(p []byte) (int, error) {
		pieces, total = pieces+1, total+len(p)
		require.LessOrEqual(t, len(p), 64<<10)
		return len(p), nil
	})))
	require.Equal(t, len(all), total)
	require.Greater(t, pieces, 10)

	before, err := d.Status()
	require.NoError(t, err)
	_, err = d.ReadNDJSON(ctx, strings.NewReader(`{"key":"large","value":"`+strings.Repeat("x", 20<<20)+`"}`))
	require.ErrorIs(t, err, ultradict.ErrNoSpace)
	after, err := d.Status()
	require.NoError(t, err)
	require.Equal(t, before.Head, after.Head)
	requireHealthy(t, dir)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// What stops an import or an export from outside: nothing is stored.
func TestJSONThatIsStopped(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	var text strings.Builder
	text.WriteString("{")
	for i := range 2000 {
		fmt.Fprintf(&text, "\"%d\":%d,\n", i, i)
		require.NoError(t, d.Set(fmt.Sprint(i), i))
	}
	before, err := d.Status()
	require.NoError(t, err)
	endless := func() io.Reader { return io.MultiReader(strings.NewReader(text.String()), iotest.ErrReader(errBoom)) }

	_, err = d.ReadJSON(t.Context(), endless())
	require.ErrorIs(t, err, errBoom, "the reader's")
	require.NotErrorIs(t, err, &ultradict.JSONError{})
	_, err = d.ReadNDJSON(t.Context(), io.MultiReader(strings.NewReader(`{"key":"a","value":1}`), iotest.ErrReader(errBoom)))
	require.ErrorIs(t, err, errBoom)
	_, err = d.ReadJSON(t.Context(), endless(), ultradict.JSONProgress(func(int, int64) error { return context.DeadlineExceeded }))
	require.ErrorIs(t, err, context.DeadlineExceeded)

	ctx, cancel := context.WithCancel(t.Context())
	_, err = d.ReadJSON(ctx, endless(), ultradict.JSONProgress(func(int, int64) error { cancel(); return nil }))
	require.ErrorIs(t, err, context.Canceled)
	_, err = d.ReadJSON(ctx, strings.NewReader("{}"))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, d.WriteJSON(ctx, io.Discard), context.Canceled)
	ctx, cancel = context.WithCancel(t.Context())
	require.ErrorIs(t, d.WriteNDJSON(ctx, io.Discard, ultradict.JSONProgress(func(int, int64) error { cancel(); return nil })), context.Canceled)
	require.ErrorIs(t, d.WriteJSON(t.Context(), io.Discard, ultradict.JSONProgress(func(int, int64) error { return errBoom })), errBoom)
	require.ErrorIs(t, d.WriteJSON(t.Context(), writerFunc(func([]byte) (int, error) { return 0, errBoom })), errBoom)
	require.ErrorIs(t, d.WriteNDJSON(t.Context(), writerFunc(func(p []byte) (int, error) { return len(p) / 2, nil })), io.ErrShortWrite)
	after, err := d.Status()
	require.NoError(t, err)
	require.Equal(t, before.Head, after.Head)
	requireHealthy(t, dir)
}

// While processes move amounts from key to key, the sum of what is written is the same
// each time: it is of one position.
func TestJSONIsOfOnePosition(t *testing.T) {
	dir := memoryDir(t)
	m := openMap[int, int64](t, dir, ultradict.WithStreamSize(4<<10))
	const accounts, each = 50, 1000
	for i := range accounts {
		require.NoError(t, m.Set(i, each))
	}
	movers := []*proctest.Proc{proctest.Start(t, "mover", dir), proctest.Start(t, "mover", dir)}
	for _, p := range movers {
		require.Equal(t, "moving", p.Line())
	}
	for range 100 {
		var text bytes.Buffer
		require.NoError(t, m.WriteJSON(t.Context(), &text))
		var all map[int]int64
		require.NoError(t, json.Unmarshal(text.Bytes(), &all))
		sum := int64(0)
		for _, n := range all {
			sum += n
		}
		require.EqualValues(t, accounts*each, sum)
		require.Len(t, all, accounts)
	}
	for _, p := range movers {
		p.Send("stop")
		require.NoError(t, p.Wait())
	}
	requireHealthy(t, dir)
}

func mover(args []string) error {
	m, err := ultradict.OpenMap[int, int64]("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		proctest.Receive()
		cancel()
	}()
	proctest.Say("moving")
	for i := 0; ctx.Err() == nil; i++ {
		err := m.Update(ctx, func(tx *ultradict.Tx[int, int64]) error {
			from, to := i%50, (i*7+1)%50
			a, err := tx.Get(from)
			if err != nil {
				return err
			}
			if err := tx.Set(from, a-1); err != nil {
				return err
			}
			b, err := tx.Get(to)
			if err != nil {
				return err
			}
			return tx.Set(to, b+1)
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return m.Close()
}
