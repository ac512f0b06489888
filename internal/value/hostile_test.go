package value

import (
	"bytes"
	"encoding/hex"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// hostile is what no Append makes.
var hostile = map[string]string{
	"nothing":               "",
	"half a head":           "19 01",
	"reserved head":         "1c",
	"indefinite string":     "7f 61 61 ff",
	"indefinite list":       "9f 01 ff",
	"break":                 "ff",
	"short string":          "65 61",
	"huge string":           "7b 7f ff ff ff ff ff ff ff 61",
	"huger string":          "7b ff ff ff ff ff ff ff ff 61",
	"huge list":             "9b 7f ff ff ff ff ff ff ff 01",
	"huge map":              "bb ff ff ff ff ff ff ff ff 01 01",
	"short list":            "82 01",
	"short map":             "a2 61 61 01",
	"trailing":              "01 01",
	"trailing behind text":  "61 61 01",
	"bad UTF-8":             "61 ff",
	"bad UTF-8 in a key":    "a1 61 ff 01",
	"a key twice":           "a2 61 61 01 61 61 02",
	"not a time":            "c0 61 61",
	"a tag without content": "c0",
	"long simple value":     "f8 14",
}

func unhex(t testing.TB, s string) []byte {
	raw, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return raw
}

func TestDecodeAnyHostile(t *testing.T) {
	for name, s := range hostile {
		v, err := DecodeAny(unhex(t, s))
		if name == "long simple value" { // well-formed enough to be named
			require.Error(t, err)
			continue
		}
		require.ErrorIs(t, err, errs.ErrCorrupt, name)
		require.Nil(t, v)
	}
	// Sound, but not for an any.
	for _, s := range []string{"a1 01 01", "a1 f6 01", "c1 00", "c2 41 01", "d8 63 01", "f7", "e0", "f8 ff", "3b ff ff ff ff ff ff ff ff"} {
		_, err := DecodeAny(unhex(t, s))
		require.ErrorIs(t, err, &errs.TypeError{}, s)
	}
}

// A few bytes must not make it allocate for the count that they claim.
func TestDecodeAnyAllocatesWhatItReads(t *testing.T) {
	raw := append(bytes.Repeat([]byte{0x9a, 0, 0, 0xff, 0xff}, 30), make([]byte, 1<<16)...)
	raw = append(raw, 0xff) // the damage stands at the very end
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := DecodeAny(raw)
	runtime.ReadMemStats(&after)
	require.Error(t, err)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(200*len(raw)))
}

func TestDecodeHostile(t *testing.T) {
	for name, s := range hostile {
		raw := unhex(t, s)
		damagedFor[int](t, name, raw)
		damagedFor[string](t, name, raw)
		damagedFor[[]byte](t, name, raw)
		damagedFor[float32](t, name, raw)
		damagedFor[time.Time](t, name, raw)
		damagedFor[any](t, name, raw)
		damagedFor[[]any](t, name, raw)
		damagedFor[server](t, name, raw)
		damagedFor[[]int](t, name, raw)
		damagedFor[map[string]int](t, name, raw)
		damagedFor[cbor.RawMessage](t, name, raw)
	}
	corrupt[int](t, "01 01", "19 01", "")
	corrupt[map[string]int](t, "a2 61 61 01 61 61 02", "a1 61 ff 01")
	corrupt[map[float64]int](t, "a1 f9 7e 00 01")
	corrupt[map[int]int](t, "a2 01 01 01 02")
	corrupt[server](t, "a1 61 68 61 ff", "a1 63 6e 65 77 82 01")
	corrupt[struct{ A any }](t, "a1 61 41 a2 61 61 01 61 61 02")
	// Undefined and other simple values are no numbers.
	for _, s := range []string{"f7", "e5", "f8 40"} {
		c, err := NewCodec[[]int]()
		require.NoError(t, err)
		_, err = c.Decode(append([]byte{0x81}, unhex(t, s)...))
		require.ErrorIs(t, err, &errs.TypeError{})
	}
}

func corrupt[V any](t *testing.T, hexes ...string) {
	t.Helper()
	for _, s := range hexes {
		c, err := NewCodec[V]()
		require.NoError(t, err)
		_, err = c.Decode(unhex(t, s))
		require.ErrorIs(t, err, errs.ErrCorrupt, s)
	}
}

// damagedFor: no bytes of the hostile table may become a V. That they do not
// fit V may be found before the damage is.
func damagedFor[V any](t *testing.T, name string, raw []byte) {
	t.Helper()
	c, err := NewCodec[V]()
	require.NoError(t, err)
	got, err := c.Decode(raw)
	if _, custom := any(got).(cbor.RawMessage); custom && name == "a key twice" {
		return // its own affair
	}
	require.Error(t, err, name)
	require.Zero(t, got)
	require.True(t, errors.Is(err, errs.ErrCorrupt) || errors.Is(err, &errs.TypeError{}), "%s: %v", name, err)
}
