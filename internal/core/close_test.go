package core

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/peers"
)

// A view that outlives its handle must not touch the entry that the handle had:
// it may be another participant's by now.
func TestViewOutlivesHandle(t *testing.T) {
	cfg := testConfig(t.TempDir())
	a := openDict(t, cfg)
	h, err := Open("test", cfg)
	require.NoError(t, err)
	v, err := h.View()
	require.NoError(t, err)
	require.NoError(t, h.Close())
	var other *Dict // with the same entry
	for range peers.Slots {
		other, err = Open("test", cfg)
		require.NoError(t, err)
		if other.peer.Entry() == nil || other.peer.ID()%peers.Slots == h.peer.ID()%peers.Slots {
			break
		}
		require.NoError(t, other.Close())
	}
	defer other.Close()
	kept, err := other.View()
	require.NoError(t, err)
	defer kept.Close()
	require.NotEmpty(t, a.pins())
	v.Close()
	require.NotEmpty(t, a.pins(), "another participant's pin is gone")
}

func TestViewOfClosedHandle(t *testing.T) {
	h, err := Open("test", testConfig(t.TempDir()))
	require.NoError(t, err)
	require.NoError(t, h.Close())
	h.peer.Entry().Pin.Store(77) // somebody else's by now
	_, err = h.View()
	require.ErrorIs(t, err, errs.ErrClosed)
	require.EqualValues(t, 77, h.peer.Entry().Pin.Load())
}

// What a closed handle cannot measure is no reason to refuse the others' values.
func TestMeasureAfterClose(t *testing.T) {
	cfg := testConfig(t.TempDir())
	a := openDict(t, cfg)
	b, err := Open("test", cfg)
	require.NoError(t, err)
	require.NoError(t, b.Close())
	b.measure()
	require.Zero(t, a.control.work.full.Load())
}
