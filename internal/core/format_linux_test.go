package core

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/lint/formatdoc"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
)

// The bytes of two records in a stream segment, annotated, as they stand in
// docs/FORMAT.md.
func TestFormatOfRecords(t *testing.T) {
	dir := t.TempDir()
	d, err := Open("dump", Config{Dir: dir, KeyKind: "string", Codec: "cbor", Values: undecoded{}})
	require.NoError(t, err)
	defer d.Close()

	require.NoError(t, d.Put(replica.Key{Str: "n"}, []byte{1}, replica.Encoded(0, "\x01")))
	_, err = d.Write(context.Background(), []record.Op{
		{Kind: record.Delete, Key: []byte("n")},
		{Kind: record.Put, Key: []byte("color"), Value: []byte("\x65green")},
	}, nil)
	require.NoError(t, err)
	require.NoError(t, d.Close())

	b, err := os.ReadFile(filepath.Join(dir, "dump", "stream-00000000-00000001"))
	require.NoError(t, err)
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("frames are in the byte order of the machine, the dump is little-endian")
	}
	at := streamsOffset
	var dump strings.Builder
	field := func(n int, note string) {
		fmt.Fprintf(&dump, "%04x  %-20s  %s\n", at, fmt.Sprintf("% x", b[at:at+n]), note)
		at += n
	}
	field(4, "length 5, kind 0")
	field(4, "check, at position 0x40000")
	field(1, "put")
	field(2, `key "n"`)
	field(2, "value, the CBOR item 1")
	field(3, "up to a multiple of 8")
	field(4, "length 17, kind 0")
	field(4, "check, at position 0x40010")
	field(1, "delete")
	field(2, `key "n"`)
	field(1, "put")
	field(6, `key "color"`)
	field(7, `value, the CBOR item "green"`)
	field(7, "up to a multiple of 8")
	require.Equal(t, 0x70, at)
	formatdoc.Contains(t, dump.String())
}
