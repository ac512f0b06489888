package ultradict_test

import (
	"math/rand/v2"
	"os"
	"strconv"
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

// seeded returns a source of randomness that is said in the log and can be had
// again by ULTRADICT_SEED.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("ULTRADICT_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("ULTRADICT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
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
