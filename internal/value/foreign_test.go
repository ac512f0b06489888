package value

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

func TestForeign(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536} {
		data := bytes.Repeat([]byte{0xff}, n)
		raw, err := AppendForeign([]byte("before"), data)
		require.NoError(t, err)
		require.Equal(t, "before", string(raw[:6]))
		got, err := Foreign(raw[6:])
		require.NoError(t, err)
		require.Equal(t, data, got)
		_, err = AppendAny(nil, data)
		require.NoError(t, err)
		as, err := DecodeAny(raw[6:])
		require.NoError(t, err)
		require.Equal(t, data, as, "one item of the format")
		for cut := range min(n, 10) {
			_, err := Foreign(raw[6 : len(raw)-cut-1])
			require.ErrorIs(t, err, errs.ErrCorrupt)
		}
	}
	empty, err := AppendForeign(nil, nil)
	require.NoError(t, err)
	require.NotEmpty(t, empty, "what is empty is told from what is not there")
	for name, s := range hostile {
		_, err := Foreign(unhex(t, s))
		require.ErrorIs(t, err, errs.ErrCorrupt, name)
	}
	for _, s := range []string{"01", "20", "61 61", "f6", "fb 00 00 00 00 00 00 00 00", "80", "a0", "c0 41 01", "41 01 01", "42 01", "5b ff ff ff ff ff ff ff ff 01", "5f 41 01 ff"} {
		_, err := Foreign(unhex(t, s))
		require.ErrorIs(t, err, errs.ErrCorrupt, s)
	}
}

func TestForeignTooLong(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector touches the memory")
	}
	dst := []byte("kept")
	out, err := AppendForeign(dst, make([]byte, MaxLen+1)) // never touched
	var un *Unencodable
	require.ErrorAs(t, err, &un)
	require.Equal(t, "kept", string(out))
}
