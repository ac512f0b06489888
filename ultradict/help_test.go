package ultradict_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// pause lets background work go on; nothing is asserted about how far it gets.
func pause() { time.Sleep(150 * time.Millisecond) }

// memoryDir is a directory of the test's own in memory, where that is to be
// had: what the product is made for, and much faster than a disk.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ultradict-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// requireHealthy checks everything of the dictionary "test" below dir that can be
// checked, whoever uses it.
func requireHealthy(t testing.TB, dir string, opts ...ultradict.Option) ultradict.Report {
	t.Helper()
	r, err := ultradict.Check("test", append([]ultradict.Option{ultradict.WithDir(dir)}, opts...)...)
	require.NoError(t, err)
	require.True(t, r.OK(), "%v", r)
	return r
}
