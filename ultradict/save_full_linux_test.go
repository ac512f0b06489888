package ultradict_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

func fifo(t testing.TB, path string) {
	t.Helper()
	require.NoError(t, syscall.Mkfifo(path, 0o600))
}

// heapInUse is the memory in bytes that is reachable.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A disk that fills up while it is saved: an error, the file before stays, nothing else
// is left, and it works again when there is room.
func TestFullDiskWhileSaving(t *testing.T) {
	disk, dir := smallFileSystem(t, "1M"), memoryDir(t)
	files := filepath.Join(disk, "saves")
	require.NoError(t, os.Mkdir(files, 0o700))
	file := filepath.Join(files, "f")
	d := open(t, dir, ultradict.WithPersistence(files, 10*time.Millisecond))
	require.NoError(t, d.Set("x", "small"))
	require.NoError(t, d.Save(t.Context(), file))
	require.Eventually(t, func() bool { return len(saves(t, files)) > 0 }, 10*time.Second, time.Millisecond)
	before := saves(t, files)
	require.NoError(t, d.Set("large", strings.Repeat("l", 2<<20)))
	require.ErrorIs(t, d.Save(t.Context(), file), ultradict.ErrNoSpace)
	pause()
	for _, path := range append(before, file) {
		_, err := ultradict.CheckSave(path)
		require.NoError(t, err)
	}
	require.Equal(t, before, saves(t, files))
	err := d.Restore(t.Context(), file)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"x": "small"}, held(t, d))
	require.Eventually(t, func() bool {
		st, err := d.Status()
		require.NoError(t, err)
		return st.Unsaved == 0
	}, 10*time.Second, time.Millisecond)
	require.NotEqual(t, before, saves(t, files))
	leftover, err := filepath.Glob(filepath.Join(files, ".*"))
	require.NoError(t, err)
	require.Empty(t, leftover)

	// Closing says that the last save could not be made, and closes.
	closing, err := ultradict.Open("other", ultradict.WithDir(dir), ultradict.WithPersistence(files, time.Hour))
	require.NoError(t, err)
	require.NoError(t, closing.Set("large", strings.Repeat("l", 2<<20)))
	require.ErrorIs(t, closing.Close(), ultradict.ErrNoSpace)
	require.ErrorIs(t, closing.Set("x", 1), ultradict.ErrClosed)
}
