package shm

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		name Name
		text string
	}{
		{Name{Kind: Control}, "control"},
		{Name{Stream, 0x1f, 2}, "stream-0000001f-00000002"},
		{Name{Layer, 0, 0}, "layer-00000000-00000000"},
		{Name{Body, math.MaxUint32, 0xabcdef01}, "body-ffffffff-abcdef01"},
	} {
		require.Equal(t, c.text, c.name.String())
		back, err := ParseName(c.text)
		require.NoError(t, err)
		require.Equal(t, c.name, back)
		require.Equal(t, c.name, NameOf(c.name.Kind, c.name.ID64()))
	}
	require.Equal(t, uint64(0x0000001f_00000002), Name{Stream, 0x1f, 2}.ID64())
	require.Equal(t, "kind(9)", Kind(9).String())
	require.Equal(t, "kind(0)", Kind(0).String())
}

func TestParseNameRefuses(t *testing.T) {
	for _, s := range []string{
		"", "-", "--", "control-", "control-00000000-00000000", "stream", "stream-", "stream-1-2",
		"stream-0000001F-00000002", "stream-0000001f-0000000g", "stream-+000001f-00000002",
		"stream-0000001f-00000002-", "stream-0000001f-00000002-00000000", ".stream-0000001f-00000002",
		"Stream-0000001f-00000002", "other-0000001f-00000002", "-0000001f-00000002",
	} {
		_, err := ParseName(s)
		require.Error(t, err, "%q", s)
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("control")
	f.Add("stream-0000001f-00000002")
	f.Add("layer-0_000001-+0000001")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseName(s); err == nil && n.String() != s {
			t.Fatalf("%q was read as %q", s, n.String())
		}
	})
}

func TestCheckName(t *testing.T) {
	for _, good := range []string{"a", "workers", "a b", "ключ", "a.b", "-", "$HOME", strings.Repeat("x", 200)} {
		require.NoError(t, CheckName(good), "%q", good)
	}
	for bad, why := range map[string]string{
		"":                       "empty",
		".":                      "dot",
		"..":                     "dot",
		".hidden":                "dot",
		"a/b":                    "slash",
		"/":                      "slash",
		"a\x00b":                 "control character",
		"a\nb":                   "control character",
		"\u0085":                 "control character",
		"\xff":                   "UTF-8",
		strings.Repeat("x", 201): "longer",
	} {
		err := CheckName(bad)
		require.ErrorIs(t, err, errs.ErrInvalidName, "%q", bad)
		require.ErrorContains(t, err, why)
	}
}

func TestIDs(t *testing.T) {
	id := NewID()
	require.False(t, id.IsZero())
	require.True(t, ID{}.IsZero())
	require.NotEqual(t, id, NewID())
	back, err := ParseID(id.String())
	require.NoError(t, err)
	require.Equal(t, id, back)
	for _, s := range []string{"", "00", strings.Repeat("g", 32), strings.Repeat("A", 32), strings.Repeat("0", 33)} {
		_, err := ParseID(s)
		require.Error(t, err, "%q", s)
	}
}

func TestDotted(t *testing.T) {
	id := NewID()
	for _, name := range []string{"a", "a.b", strings.Repeat("x", maxName)} {
		entry := dotted(name, id)
		require.True(t, isDotted(entry), entry)
		require.LessOrEqual(t, len(entry), 255)
	}
	for _, entry := range []string{
		"", ".", "..", "...", ".ssh", ".a.b", "a." + id.String(), ".." + id.String(), "." + id.String(),
		".a." + strings.ToUpper(id.String()) + "F", ".a." + id.String() + "0", "..a." + id.String(),
	} {
		require.False(t, isDotted(entry), "%q", entry)
	}
}

func TestBootID(t *testing.T) {
	id, err := parseUUID("01234567-89ab-cdef-0123-456789abcdef\n")
	require.NoError(t, err)
	require.Equal(t, [16]byte{1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}, id)
	for _, s := range []string{"", "0123", strings.Repeat("0", 34), strings.Repeat("z", 32)} {
		_, err := parseUUID(s)
		require.Error(t, err, "%q", s)
	}
}
