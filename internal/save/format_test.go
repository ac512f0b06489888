package save

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/lint/formatdoc"
)

type fields = []formatdoc.Field

// What stands here is described in docs/FORMAT.md: these tests fail when one of
// the two changes without the other.
func TestFormatDocument(t *testing.T) {
	formatdoc.Fields(t, "save.header", headerSize, fields{
		{Name: "magic", Offset: atMagic, Size: uint64(len(magic))},
		{Name: "version", Offset: atVersion, Size: 4},
		{Name: "checksum", Offset: atChecksum, Size: 4},
		{Name: "instance", Offset: atInstance, Size: 16},
		{Name: "revision", Offset: atRevision, Size: 8},
		{Name: "saved", Offset: atSaved, Size: 8},
		{Name: "flags", Offset: atFlags, Size: 8},
		{Name: "codec", Offset: atCodec, Size: codecSize},
		{Name: "keyKind", Offset: atKeyKind, Size: keyKindSize},
	}...)
	formatdoc.Fields(t, "save.frame", frameHead, fields{
		{Name: "check", Offset: atCheck, Size: 4},
		{Name: "kind", Offset: atKind, Size: 4},
		{Name: "length", Offset: atLength, Size: 4},
		{Name: "sum", Offset: atSum, Size: 4},
		{Name: "sequence", Offset: atSequence, Size: 8},
	}...)
	formatdoc.Fields(t, "save.end", endSize, fields{
		{Name: "entries", Offset: atEntries, Size: 8},
		{Name: "dictionaries", Offset: atDicts, Size: 8},
		{Name: "frames", Offset: atFrames, Size: 8},
		{Name: "bytes", Offset: atBytes, Size: 8},
		{Name: "total", Offset: atTotal, Size: 4},
	}...)
}

// golden is what the dump is a save of.
func golden() *node {
	return &node{kind: "string", entries: []leaf{
		{key: "color", value: "\x65green"},
		{key: "soon", value: "\x01", deadline: 1700000000999999999},
		{key: "sub", dict: &node{kind: "int", entries: []leaf{{key: "\x80\x00\x00\x00\x00\x00\x00\x07", value: "\x02"}}}},
	}}
}

// The bytes of a tiny save, annotated. A difference means that the format has changed,
// and with it the version. The same dump stands in the document.
func TestGolden(t *testing.T) {
	const file = "testdata/save.golden"
	got := annotate(t, write(t, header, golden()))
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
	formatdoc.Contains(t, got)
}

func annotate(t *testing.T, b []byte) string {
	var out strings.Builder
	at := 0
	field := func(n int, note string) {
		hex := fmt.Sprintf("% x", b[at:at+min(n, 12)])
		if n > 12 {
			hex += " …"
		}
		fmt.Fprintf(&out, "%04x  %-37s  %s\n", at, hex, note)
		at += n
	}
	field(8, "magic")
	field(4, "version")
	field(4, "crc of the header")
	field(16, "instance")
	field(8, "revision")
	field(8, "when it was saved")
	field(8, "flags")
	field(32, "codec")
	field(200, "kind of keys")
	field(224, "reserved")
	head := func(kind string) {
		field(4, "crc of the head")
		field(4, "kind: "+kind)
		field(4, "length")
		field(4, "crc of the payload")
		field(8, "number of the frame")
	}
	head("payload")
	field(1, "entry with a value")
	field(6, `key "color"`)
	field(7, `value, the CBOR item "green"`)
	field(1, "entry with a value and a deadline")
	field(5, `key "soon"`)
	field(8, "deadline")
	field(2, "value, the CBOR item 1")
	field(1, "entry with a dictionary")
	field(4, `key "sub"`)
	field(1, "number of the dictionary")
	field(4, "kind of its keys")
	field(2, "dictionary 1 begins")
	field(1, "entry with a value")
	field(9, "key 7")
	field(2, "value, the CBOR item 2")
	head("end")
	field(8, "entries")
	field(8, "dictionaries")
	field(8, "frames")
	field(8, "bytes of payload")
	field(4, "crc of all crcs of payloads")
	field(4, "reserved")
	require.Len(t, b, at)
	return out.String()
}
