package value

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// AppendSmall writes what every other Append writes, or nothing, and never
// allocates.
func TestSmallValuesAreEncodedTheSameWay(t *testing.T) {
	type named int
	long, broken := strings.Repeat("s", 56), "\xff"
	for _, v := range []any{
		nil, true, false, 0, -1, 23, 24, int8(-128), int16(300), int32(-70000), int64(math.MinInt64), int64(math.MaxInt64),
		uint(7), uint8(255), uint16(65535), uint32(1 << 31), uint64(math.MaxUint64),
		float32(1.5), 0.1, math.NaN(), math.Inf(-1), "", "text", "ä€", long[:55], long[:24],
	} {
		var room [64]byte
		got, ok := AppendSmall(room[:0], v)
		require.True(t, ok, "%v", v)
		want, err := AppendAny(nil, v)
		require.NoError(t, err)
		require.Equal(t, want, got, "%T %v", v, v)
		require.Zero(t, testing.AllocsPerRun(10, func() { AppendSmall(room[:0], v) }))
	}
	for _, v := range []any{long, broken, []byte("bytes"), named(1), time.Time{}, []any{}, map[string]any{}, struct{}{}} {
		out, ok := AppendSmall(make([]byte, 0, 64), v)
		require.False(t, ok, "%v", v)
		require.Empty(t, out)
	}
	_, ok := AppendSmall(make([]byte, 60, 64), 1)
	require.False(t, ok, "there is no room")
	typed, err := NewCodec[float32]()
	require.NoError(t, err)
	want, err := typed.Append(nil, 1.1)
	require.NoError(t, err)
	got, _ := AppendSmall(make([]byte, 0, 64), float32(1.1))
	require.Equal(t, want, got)
}
