package snapshot

import (
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
	formatdoc.Struct(t, "snapshot.Directory", Directory{})
	formatdoc.Struct(t, "snapshot.directorySlot", directorySlot{})
	formatdoc.Fields(t, "snapshot.header", headerEnd, fields{
		{Name: "magic", Offset: offMagic, Size: offVersion - offMagic},
		{Name: "version", Offset: offVersion, Size: 1},
		{Name: "from", Offset: offFrom, Size: 8},
		{Name: "to", Offset: offTo, Size: 8},
		{Name: "entries", Offset: offEntries, Size: 8},
		{Name: "tombstones", Offset: offTombstones, Size: 8},
		{Name: "seed", Offset: offSeed, Size: 8},
		{Name: "size", Offset: offSize, Size: 8},
		{Name: "dicts", Offset: offDicts, Size: 8},
		{Name: "externals", Offset: offExternals, Size: 8},
		{Name: "buckets", Offset: offBuckets, Size: 8},
		{Name: "probes", Offset: offProbes, Size: 4},
		{Name: "externalCRC", Offset: offExternalCRC, Size: 4},
		{Name: "headerCRC", Offset: offHeaderCRC, Size: 4},
	}...)
	formatdoc.Fields(t, "snapshot.dict", dictSize, fields{
		{Name: "dict", Offset: dictID, Size: 8},
		{Name: "horizon", Offset: dictHorizon, Size: 8},
		{Name: "live", Offset: dictLive, Size: 8},
		{Name: "entries", Offset: dictEntries, Size: 8},
		{Name: "offset", Offset: dictOffset, Size: 8},
		{Name: "crc", Offset: dictCRC, Size: 4},
	}...)
	formatdoc.Fields(t, "snapshot.bucket", bucketSize, fields{
		{Name: "crc", Offset: bucketCRC, Size: 4},
		{Name: "count", Offset: bucketCount, Size: 1},
		{Name: "flags", Offset: bucketFlags, Size: 1},
		{Name: "slots", Offset: bucketFirst, Size: bucketSlots * 8},
	}...)
	formatdoc.Fields(t, "snapshot.entry", entryHead, fields{
		{Name: "crc", Offset: entryCRC, Size: 4},
		{Name: "keyLen", Offset: entryKeyLen, Size: 2},
		{Name: "flags", Offset: entryFlags, Size: 2},
		{Name: "valueLen", Offset: entryValueLen, Size: 4},
		{Name: "revision", Offset: entryRevision, Size: 8},
		{Name: "created", Offset: entryCreated, Size: 8},
	}...)
}

func TestFormatOfListedLayers(t *testing.T) {
	names := []string{"ID", "From", "To", "Entries", "Tombstones", "Live", "Bytes", "Created"}
	list := make(fields, len(names))
	for i, name := range names {
		list[i] = formatdoc.Field{Name: name, Offset: uint64(i) * 8, Size: 8}
	}
	formatdoc.Fields(t, "snapshot.Listed", listedWords*8, list...)
	var words [listedWords]uint64
	l := Listed{ID: 1, From: 2, To: 3, Entries: 4, Tombstones: 5, Live: 6, Bytes: 7, Created: 8}
	l.store(words[:])
	require.Equal(t, [listedWords]uint64{1, 2, 3, 4, 5, 6, 7, 8}, words)
}

// The annotated layer of the golden test stands in the document as well.
func TestFormatDump(t *testing.T) {
	golden, err := os.ReadFile("testdata/layer.golden")
	require.NoError(t, err)
	begin := strings.Index(string(golden), "0040  ")
	require.Positive(t, begin)
	formatdoc.Contains(t, string(golden[begin:]))
}
