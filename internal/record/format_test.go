package record

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/lint/formatdoc"
)

// What stands here is described in docs/FORMAT.md: the test fails when one of
// the two changes without the other.
func TestFormatOfReferences(t *testing.T) {
	formatdoc.Fields(t, "record.Ref", RefSize,
		formatdoc.Field{Name: "Body", Offset: 0, Size: 8},
		formatdoc.Field{Name: "Size", Offset: 8, Size: 8},
		formatdoc.Field{Name: "Table", Offset: 16, Size: 8},
		formatdoc.Field{Name: "Sum", Offset: 24, Size: 4})
	b := AppendRef(nil, Ref{Body: 1, Size: 1000, Table: 3, Sum: 4})
	require.Len(t, b, RefSize)
	require.EqualValues(t, 1, binary.LittleEndian.Uint64(b))
	require.EqualValues(t, 1000, binary.LittleEndian.Uint64(b[8:]))
	require.EqualValues(t, 3, binary.LittleEndian.Uint64(b[16:]))
	require.EqualValues(t, 4, binary.LittleEndian.Uint32(b[24:]))
	require.Zero(t, binary.LittleEndian.Uint32(b[28:]))
}
