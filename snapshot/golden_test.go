package snapshot

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bytes of a tiny layer, annotated. A difference means that the format
// has changed, and with it the version.
func TestGolden(t *testing.T) {
	data := build(t, 0x1000, 0x1234,
		[]Header{{Dict: 0, Live: 2}, {Dict: 0x77, Horizon: 0x1100, Live: 1}},
		[]Entry{
			{Key: "color", Revision: 0x1010, Created: 0x800, Value: []byte("green")},
			{Key: "gone", Revision: 0x1020, Created: 0x810, Tombstone: true},
			{Dict: 0x77, Key: "big", Revision: 0x1200, Created: 0x1200, External: 0x100000002, Value: []byte("ref")},
		})
	got := annotate(t, data)
	const file = "testdata/layer.golden"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func annotate(t *testing.T, data []byte) string {
	var out strings.Builder
	at := 0
	field := func(n int, format string, args ...any) {
		note := fmt.Sprintf(format, args...)
		for first := true; n > 0; first = false {
			k := min(n, 16)
			line := fmt.Sprintf("%04x  %-47s  %s", at, fmt.Sprintf("% x", data[at:at+k]), note)
			if !first {
				line = fmt.Sprintf("%04x  % x", at, data[at:at+k])
			}
			out.WriteString(strings.TrimRight(line, " ") + "\n")
			at, n = at+k, n-k
		}
	}
	l := open(t, data)
	field(Reserved, "reserved for the caller")
	field(8, "magic and version")
	for _, name := range []string{"from", "to", "entries", "tombstones", "seed", "size", "dictionary headers", "externals", "buckets"} {
		field(8, "%s", name)
	}
	field(4, "probes")
	field(4, "crc of the externals")
	field(36, "reserved")
	field(4, "crc of the header")
	for i := range l.dicts {
		for _, name := range []string{"dictionary", "horizon", "live", "entries", "first entry"} {
			field(8, "dictionary header %d: %s", i, name)
		}
		field(4, "reserved")
		field(4, "crc")
	}
	for i := range l.externals {
		field(8, "external %d", i)
	}
	field(int(l.at.index)-at, "alignment")
	for i := range l.buckets {
		field(4, "bucket %d: crc", i)
		field(4, "count, flags, reserved")
		for range bucketSlots {
			field(8, "slot: offset / 8, tag")
		}
	}
	for at < len(data) {
		var h head
		require.NoError(t, l.readHead(&h, uint64(at)))
		field(4, "entry: crc")
		field(2, "key length")
		field(2, "flags")
		field(4, "value length")
		field(4, "reserved")
		field(8, "revision")
		field(8, "created")
		if h.flags&flagDict != 0 {
			field(8, "dictionary")
		}
		if h.flags&flagExternal != 0 {
			field(8, "external")
		}
		field(int(h.valueAt-h.keyAt), "key")
		field(int(h.end-h.valueAt), "value")
		field(int(h.offset+h.size-h.end), "padding")
	}
	return out.String()
}
