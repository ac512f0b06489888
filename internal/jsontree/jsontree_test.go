package jsontree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/value"
)

func read(text string) (any, error) {
	d := json.NewDecoder(NewSource(strings.NewReader(text)))
	d.UseNumber()
	return Read(d)
}

func nested(v any, depth int) any {
	for i := range depth {
		if i%2 == 0 {
			v = []any{v}
		} else {
			v = map[string]any{"k": v}
		}
	}
	return v
}

var moment = time.Date(2026, 1, 2, 3, 4, 5, 60, time.UTC)

// All that a dictionary can hold, as JSON, and back as it was.
func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		v    any
		text string
	}{
		{nil, `null`},
		{true, `true`},
		{"", `""`},
		{"a\"\\\x00\n\u2028é€\U0001f600\ufffd<&>", `"a\"\\\u0000\n\u2028é€😀` + "\ufffd" + `<&>"`},
		{int64(0), `0`},
		{int64(math.MaxInt64), `9223372036854775807`},
		{int64(math.MinInt64), `-9223372036854775808`},
		{uint64(math.MaxInt64 + 1), `9223372036854775808`},
		{uint64(math.MaxUint64), `18446744073709551615`},
		{0.0, `0.0`},
		{math.Copysign(0, -1), `-0.0`},
		{5.0, `5.0`},
		{-0.1, `-0.1`},
		{1e21, `1e+21`},
		{float64(1 << 53), `9.007199254740992e+15`},
		{math.MaxFloat64, `1.7976931348623157e+308`},
		{math.SmallestNonzeroFloat64, `5e-324`},
		{math.NaN(), `{"$float":"NaN"}`},
		{math.Inf(1), `{"$float":"+Inf"}`},
		{math.Inf(-1), `{"$float":"-Inf"}`},
		{[]byte{}, `{"$bytes":""}`},
		{[]byte{0, 255, 62}, `{"$bytes":"AP8+"}`},
		{time.Time{}, `{"$time":"0001-01-01T00:00:00Z"}`},
		{moment, `{"$time":"2026-01-02T03:04:05.00000006Z"}`},
		{[]any{}, `[]`},
		{[]any{int64(1), 1.0, nil, []any{}}, `[1,1.0,null,[]]`},
		{map[string]any{}, `{}`},
		{map[string]any{"b": int64(1), "a": []byte("x"), "": nil}, `{"":null,"a":{"$bytes":"eA=="},"b":1}`},
		// What looks like something special, and is none.
		{map[string]any{"$time": "x"}, `{"$$time":"x"}`},
		{map[string]any{"$bytes": int64(1)}, `{"$$bytes":1}`},
		{map[string]any{"$$float": []any{}}, `{"$$$float":[]}`},
		{map[string]any{"$time": moment}, `{"$$time":{"$time":"2026-01-02T03:04:05.00000006Z"}}`},
		{map[string]any{"$ref": "x"}, `{"$ref":"x"}`},
		{map[string]any{"$$ref": "x"}, `{"$$ref":"x"}`},
		{map[string]any{"time": "x"}, `{"time":"x"}`},
		{map[string]any{"$time": "x", "$bytes": "y"}, `{"$bytes":"y","$time":"x"}`},
		{nested([]byte{1}, value.MaxDepth), ""},
		{nested(moment, value.MaxDepth), ""},
	} {
		text, err := Append([]byte("before"), c.v)
		require.NoError(t, err)
		require.True(t, json.Valid(text[6:]))
		if c.text != "" {
			require.Equal(t, "before"+c.text, string(text))
		}
		got, err := read(string(text[6:]))
		require.NoError(t, err)
		same(t, c.v, got)
		d := json.NewDecoder(bytes.NewReader(text[6:]))
		d.UseNumber()
		plain, err := ReadPlain(d)
		require.NoError(t, err)
		got, err = Exact(plain)
		require.NoError(t, err)
		same(t, c.v, got)
	}
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if f, ok := want.(float64); ok && f != f {
		require.True(t, math.IsNaN(got.(float64)))
		return
	}
	require.Equal(t, want, got)
	if f, ok := want.(float64); ok {
		require.Equal(t, math.Float64bits(f), math.Float64bits(got.(float64)))
	}
}

func TestAppendTakesMore(t *testing.T) {
	for _, c := range []struct {
		v    any
		text string
	}{
		{int(-1), `-1`}, {int8(-1), `-1`}, {int16(-1), `-1`}, {int32(-1), `-1`}, {uint(1), `1`}, {uint8(1), `1`}, {uint16(1), `1`}, {uint32(1), `1`},
		{float32(0.5), `0.5`}, {json.Number("1.50"), `1.50`}, {[]byte(nil), `null`}, {[]any(nil), `null`}, {map[string]any(nil), `null`},
		{moment.In(time.FixedZone("", 3600)), `{"$time":"2026-01-02T03:04:05.00000006Z"}`},
	} {
		text, err := Append(nil, c.v)
		require.NoError(t, err)
		require.Equal(t, c.text, string(text))
	}
}

func TestAppendRefuses(t *testing.T) {
	loop := map[string]any{}
	loop["self"] = loop
	for _, v := range []any{
		"\xff", map[string]any{"\xff": 1}, make(chan int), struct{}{}, []int{1}, complex(1, 2), loop, nested(nil, value.MaxDepth+1),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), json.Number(""), json.Number("x"), json.Number(`"1"`), json.Number("1 "), json.Number("0x1"), json.Number("01"), json.Number("1,2"),
	} {
		text, err := Append([]byte("kept"), []any{v})
		require.Error(t, err)
		require.Equal(t, "kept", string(text))
	}
}

// What could not have been written is refused, at its place.
func TestReadRefuses(t *testing.T) {
	for _, c := range []struct {
		text   string
		offset int64
		reason string
	}{
		{``, 0, "too early"},
		{`[1,`, 3, "too early"},
		{`{"a"`, 4, "too early"},
		{`"abc`, 0, "too early"},
		{`{"a":1,}`, 7, "invalid character"},
		{`[1,]`, 3, "invalid character"},
		{`{"a":[1}`, 7, "invalid character"},
		{`]`, 0, "invalid character"},
		{`{a:1}`, 1, "invalid character"},
		{`{1:1}`, 1, "invalid character"},
		{`tru`, 0, "too early"},
		{`[01]`, 2, "invalid character"},
		{`-`, 0, "too early"},
		{`NaN`, 0, "invalid character"},
		{"\"\n\"", 0, "invalid character"},
		{"\ufeff1", 0, "invalid character"},
		{`[1, {"a":1, "a":2}]`, 10, `the name "a" stands twice`},
		{`{"a":1, "\u0061":2}`, 6, `the name "a" stands twice`},
		{`[18446744073709551616]`, 1, "neither an int64 nor a uint64"},
		{`[-9223372036854775809]`, 1, "neither an int64 nor a uint64"},
		{`[1e400]`, 1, "beyond the range"},
		{`[-1e400]`, 1, "beyond the range"},
		{`1` + strings.Repeat("0", 400), 0, "1000000000000000000000000000000000000000…"},
		{`{"$time":"yesterday"}`, 0, "does not hold such a thing"},
		{`{"$time":5}`, 0, "does not hold such a thing"},
		{`{"$time":"2026-01-02"}`, 0, "does not hold such a thing"},
		{`{"$time":"9999-12-31T23:59:59-01:00"}`, 0, "does not hold such a thing"},
		{`{"$bytes":"AP8"}`, 0, "does not hold such a thing"},
		{`{"$bytes":"AP8+\n"}`, 0, "does not hold such a thing"},
		{`{"$bytes":null}`, 0, "does not hold such a thing"},
		{`{"$float":"nan"}`, 0, "does not hold such a thing"},
		{`{"$float":1.5}`, 0, "does not hold such a thing"},
		{"[\"a\xff\"]", 3, "UTF-8"},
		{"[\"a\xc3", 3, "UTF-8"},
		{"[\"a\xed\xa0\x80\"]", 3, "UTF-8"},
		{`["a\ud800"]`, 3, "half of a surrogate pair"},
		{`["\ud800\u0041"]`, 2, "half of a surrogate pair"},
		{`["\ud800\ud800\udc00"]`, 2, "half of a surrogate pair"},
		{`["\udc00"]`, 2, "half of a surrogate pair"},
		{`["\uD83D\n"]`, 2, "half of a surrogate pair"},
		{`["\uD83Dx"]`, 2, "half of a surrogate pair"},
		{strings.Repeat("[", value.MaxDepth+1), int64(value.MaxDepth), "nested more than"},
		{strings.Repeat(`{"a":`, value.MaxDepth) + "{}", 5*int64(value.MaxDepth) - 1, "nested"},
		{strings.Repeat("[", 1_000_000), int64(value.MaxDepth), "nested more than"},
	} {
		for _, slow := range []bool{false, true} {
			r := io.Reader(strings.NewReader(c.text))
			if slow {
				r = iotest.OneByteReader(r)
			}
			d := json.NewDecoder(NewSource(r))
			d.UseNumber()
			v, err := Read(d)
			require.Nil(t, v)
			var e *Error
			require.ErrorAs(t, err, &e, "%.60q", c.text)
			require.Contains(t, err.Error(), c.reason, c.text)
			require.Equal(t, c.offset, e.Offset, "%.60q: %v", c.text, err)
		}
	}
	for _, text := range []string{`"\ud83d\ude00"`, `"\\ud800"`, `"\\\\ud800"`, `"\uD83D\uDE00\u00e9\"\\"`} {
		var want any
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		got, err := read(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
}

func TestExactRefuses(t *testing.T) {
	for _, v := range []any{
		json.Number("1e400"), []any{json.Number("18446744073709551616")}, map[string]any{"a": map[string]any{"$time": "x"}},
		nested(nil, value.MaxDepth+1), nested(map[string]any{}, value.MaxDepth+1),
	} {
		_, err := Exact(v)
		require.Error(t, err)
	}
}

// A source that fails, or ends in the middle of a character, however it is cut up.
func TestSource(t *testing.T) {
	boom := errors.New("boom")
	s := NewSource(io.MultiReader(strings.NewReader("aé\xe2\x82"), iotest.ErrReader(boom)))
	got, err := io.ReadAll(s)
	require.Equal(t, boom, err)
	require.Equal(t, "aé", string(got))
	require.EqualValues(t, 3, s.Count())

	long := strings.Repeat("é€😀\\n\\u0041\\ud83d\\ude00", 20_000)
	for _, r := range []io.Reader{strings.NewReader(long), iotest.HalfReader(strings.NewReader(long)), iotest.DataErrReader(strings.NewReader(long)), iotest.OneByteReader(strings.NewReader(long))} {
		s := NewSource(r)
		got, err := io.ReadAll(s)
		require.NoError(t, err)
		require.Equal(t, long, string(got))
		require.EqualValues(t, len(long), s.Count())
	}
	for _, bad := range []string{"\xff", "\xe2\x28", "\\udc00", "\\ud800,"} {
		s := NewSource(strings.NewReader(long + bad))
		got, err := io.ReadAll(s)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.EqualValues(t, len(long), e.Offset)
		require.Equal(t, long, string(got))
		require.Equal(t, err, Check([]byte(long+bad)))
		require.NoError(t, Check([]byte(long)))
	}
	_, err = NewSource(idle{}).Read(make([]byte, 10))
	require.Equal(t, io.ErrNoProgress, err)
	n, err := NewSource(idle{}).Read(nil)
	require.NoError(t, err)
	require.Zero(t, n)
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// Whatever is read is JSON, and is written such that it is read again as the same.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"\ud83d\ude00",null,true,{"$time":"2026-01-02T03:04:05Z"}]}`, `{"$$bytes":{"$bytes":"AP8+"}}`, `18446744073709551615`, "\"\xff\"", `{"$float":"NaN"}`, `["\ud800"]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := json.NewDecoder(NewSource(strings.NewReader(text)))
		d.UseNumber()
		v, err := Read(d)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.LessOrEqual(t, e.Offset, int64(len(text)))
			return
		}
		if _, err := d.Token(); err == io.EOF {
			require.True(t, json.Valid([]byte(text)))
		}
		out, err := Append(nil, v)
		require.NoError(t, err)
		again, err := read(string(out))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%#v", v), fmt.Sprintf("%#v", again)) // NaN is equal to itself here
		require.True(t, json.Valid(out))
	})
}
