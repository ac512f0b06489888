package core

import (
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/stream"
)

// reader reads values as undecoded leaves them.
var reader = &Reader{undecoded{}, replica.Plain}

// testConfig is for handles whose values are their encodings.
func testConfig(dir string) Config {
	return Config{Dir: dir, StreamSize: 4 << 10, KeyKind: "string", Codec: "raw", Values: undecoded{}}
}

// openDict opens a dictionary that the test closes, at the latest when it ends.
func openDict(t testing.TB, cfg Config) *Dict {
	t.Helper()
	d, err := Open("test", cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// seeded returns a source of randomness that is said in the log and can be had
// again by ULTRADICT_SEED.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := new(maphash.Hash).Sum64()
	if s := os.Getenv("ULTRADICT_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	t.Logf("ULTRADICT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func at(key string) replica.Key { return replica.Key{Str: key} }

func putOp(key, value string) record.Op {
	return record.Op{Kind: record.Put, Key: []byte(key), Value: []byte(value)}
}

func deleteOp(key string) record.Op { return record.Op{Kind: record.Delete, Key: []byte(key)} }

func clearOp() record.Op { return record.Op{Kind: record.Clear} }

// missed reports whether background work of another came first.
func missed(err error) bool {
	return errors.Is(err, errs.ErrConflict) || errors.Is(err, stream.ErrLapped)
}

// rolloverNow publishes a layer, whether one is due or not.
func rolloverNow(t testing.TB, d *Dict) {
	t.Helper()
	if err := d.foldOnce(); !missed(err) {
		require.NoError(t, err)
	}
}

// mergeNow merges layers, if there is anything to merge.
func mergeNow(t testing.TB, d *Dict) {
	t.Helper()
	if err := d.mergeOnce(); !missed(err) {
		require.NoError(t, err)
	}
}

// sweepNow removes what nobody needs.
func sweepNow(t testing.TB, d *Dict) {
	t.Helper()
	if _, err := d.sweep(); !missed(err) {
		require.NoError(t, err)
	}
}

// adoptNow moves a replica on to the newest layers, whether it is worth it or
// not. While the layers are copied, between does what it likes.
func adoptNow(t testing.TB, d *Dict, between func()) {
	t.Helper()
	_, err := d.Sync()
	require.NoError(t, err)
	b, err := d.openBase()
	require.NoError(t, err)
	d.rep.Lock()
	err = d.advance(b.position)
	if err != nil || d.rep.State().Base.Position() > b.position {
		d.rep.Unlock()
		require.NoError(t, err)
		return
	}
	rebase := d.rep.Begin(b)
	d.rep.Unlock()
	if between != nil {
		between()
	}
	rebase.Copy()
	d.rep.Lock()
	defer d.rep.Unlock()
	rebase.Finish()
}

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
