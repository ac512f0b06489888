package shm

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// A directory that somebody is at work in without the root's lock outlives a sweep, and
// goes with the next one when its maker has let go of it.
func TestHeldDirectories(t *testing.T) {
	r := tempRoot(t)
	held, err := r.Make("held", NewID())
	require.NoError(t, err)
	require.NoError(t, held.Hold())
	again, err := held.Again()
	require.NoError(t, err)
	require.ErrorIs(t, again.Hold(), fs.ErrExist)
	left, err := r.Make("left", NewID())
	require.NoError(t, err)
	require.NoError(t, left.Close())
	require.NoError(t, r.Sweep())
	require.Len(t, entriesOf(t, r.Path()), 1)
	newSegmentIn(t, again, Control, 0, 0, 100, NewID())

	require.NoError(t, r.Publish(held, "held"))
	require.NoError(t, held.Close())
	_, err = again.Files() // wherever it is
	require.NoError(t, err)
	require.NoError(t, again.Close())
	_, err = again.Again()
	require.ErrorIs(t, err, errs.ErrClosed)

	forgotten, err := r.Make("forgotten", NewID())
	require.NoError(t, err)
	require.NoError(t, forgotten.Hold())
	require.NoError(t, r.Sweep())
	require.Len(t, entriesOf(t, r.Path()), 2)
	require.NoError(t, forgotten.Close())
	require.NoError(t, r.Sweep())
	require.Len(t, entriesOf(t, r.Path()), 1)
	require.NoError(t, os.RemoveAll(r.Path()))
}
