package core

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/record"
)

// A ring that has grown and is left alone returns to its size at rest, and
// everybody still reads what is there.
func TestShrinkBringsTheRingBack(t *testing.T) {
	cfg := testConfig(t.TempDir())
	a, b := openDict(t, cfg), openDict(t, cfg)
	_ = a.folding.take(context.Background()) // nobody folds, so the ring grows
	_ = b.folding.take(context.Background())
	for i := 0; a.str.Size() < 8*a.str.Capacity(); i++ {
		_, err := a.Write(context.Background(), []record.Op{putOp(fmt.Sprint("k", i%50), "value")}, nil)
		require.NoError(t, err)
		require.Less(t, i, 100_000, "the ring does not grow")
	}
	a.folding.give()
	b.folding.give()
	for a.str.Head()-a.str.Floor() >= a.due {
		rolloverNow(t, a)
	}
	a.shrink()
	require.LessOrEqual(t, a.str.Size(), 2*a.str.Capacity())
	_, err := b.Sync()
	require.NoError(t, err)
	n, err := b.Len(0)
	require.NoError(t, err)
	require.Equal(t, 50, n)
}
