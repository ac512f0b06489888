package snapshot

import (
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// layersFor returns a list that can be told from every other: n % 25 layers
// whose fields follow from n.
func layersFor(n uint64) []Listed {
	layers := make([]Listed, n%(MaxLayers+1))
	for i := range layers {
		k := n*100 + uint64(i)
		layers[i] = Listed{
			ID: k, From: k, To: k + 1, Entries: n, Tombstones: n * 2, Live: n * 3, Bytes: n * 4, Created: -int64(n),
		}
	}
	return layers
}

func TestDirectory(t *testing.T) {
	var d Directory
	list, err := d.Read()
	require.NoError(t, err)
	require.Empty(t, list.Layers)
	require.Zero(t, list.Position())

	for n := range uint64(100) {
		before := list
		require.NoError(t, d.Publish(list.Sequence, layersFor(n)))
		list, err = d.Read()
		require.NoError(t, err)
		require.Equal(t, layersFor(n), list.Layers)
		require.Equal(t, list.Sequence, d.Sequence())
		require.Greater(t, list.Sequence, before.Sequence)
		require.ErrorIs(t, d.Publish(before.Sequence, layersFor(n+1)), errs.ErrConflict)
		again, err := d.Read()
		require.NoError(t, err)
		require.Equal(t, list, again, "a refused list has left a trace")
	}
	require.ErrorIs(t, d.Publish(list.Sequence, make([]Listed, MaxLayers+1)), errs.ErrNoSpace)
	require.EqualValues(t, 99*4*(99%25), list.Bytes())
	require.Zero(t, testing.AllocsPerRun(10, func() {
		if d.Publish(d.Sequence(), list.Layers) != nil {
			t.Error("publish failed")
		}
	}))
}

func TestDirectoryRefusesDisorder(t *testing.T) {
	for _, layers := range [][]Listed{{{From: 2, To: 1}}, {{From: 0, To: 5}, {From: 6, To: 7}}} {
		var d Directory
		require.NoError(t, d.Publish(0, layers))
		_, err := d.Read()
		require.ErrorIs(t, err, errs.ErrCorrupt)
	}
}

// Whatever byte is changed: the right list or an error.
func TestDirectoryDamage(t *testing.T) {
	for _, publications := range []uint64{0, 1, 4, 5} {
		var d Directory
		for n := range publications {
			require.NoError(t, d.Publish(d.Sequence(), layersFor(n+2)))
		}
		want, err := d.Read()
		require.NoError(t, err)
		raw := unsafe.Slice((*byte)(unsafe.Pointer(&d)), DirectorySize)
		caught := 0
		for at := range raw {
			for x := 1; x < 256; x++ {
				if at >= 16 && x&(x-1) != 0 {
					continue // all ways for the sequence word, single bits for the rest
				}
				raw[at] ^= byte(x)
				got, err := d.Read()
				if err != nil {
					var c *errs.CorruptError
					require.ErrorAs(t, err, &c)
					require.Equal(t, at < 8, c.Offset == 0, "byte %d: %v", at, err)
					caught++
				} else if at < 8 || len(got.Layers) != len(want.Layers) || len(got.Layers) > 0 && got.Layers[0] != want.Layers[0] {
					require.Fail(t, "a wrong list", "byte %d ^ %#x: %+v", at, x, got)
				}
				raw[at] ^= byte(x)
			}
		}
		require.GreaterOrEqual(t, caught, 255*8+8*(8+8*listedWords*len(want.Layers)))
	}
}

// A publisher that died while it filled the spare slot has done no harm.
func TestDirectoryAbandoned(t *testing.T) {
	var d Directory
	for n := range uint64(10) {
		list, err := d.Read()
		require.NoError(t, err)
		spare := &d.slots[(list.Sequence>>sequenceShift+1)&1]
		for i := range spare.words {
			spare.words[i].Store(n * 77)
		}
		spare.sum.Store(n)
		again, err := d.Read()
		require.NoError(t, err)
		require.Equal(t, list, again)
		require.NoError(t, d.Publish(list.Sequence, layersFor(n)))
	}
}

func TestDirectoryConcurrent(t *testing.T) {
	const lists = 3000
	var d Directory
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			var last uint64
			for !done.Load() {
				list, err := d.Read()
				if err != nil {
					t.Error(err)
					return
				}
				n := list.Sequence >> sequenceShift
				if n < last {
					t.Errorf("list %d after %d", n, last)
					return
				}
				last = n
				if n > 0 && !equalListed(list.Layers, layersFor(n)) {
					t.Errorf("list %d is %v", n, list.Layers)
					return
				}
			}
		})
	}
	for n := range uint64(lists) {
		if err := d.Publish(d.Sequence(), layersFor(n+1)); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	wg.Wait()
}

func equalListed(a, b []Listed) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestReplace(t *testing.T) {
	list := List{Layers: []Listed{{ID: 1}, {ID: 2}, {ID: 3}, {ID: 4}}}
	by := Listed{ID: 9}
	layers, ok := list.Replace([]Listed{{ID: 2}, {ID: 3}}, by)
	require.True(t, ok)
	require.Equal(t, []Listed{{ID: 1}, {ID: 9}, {ID: 4}}, layers)
	layers, ok = list.Replace(list.Layers, by)
	require.True(t, ok)
	require.Equal(t, []Listed{by}, layers)
	for _, old := range [][]Listed{nil, {{ID: 5}}, {{ID: 2}, {ID: 4}}, {{ID: 4}, {ID: 5}}, {{ID: 3}, {ID: 2}}} {
		_, ok = list.Replace(old, by)
		require.False(t, ok, "%v", old)
	}
	require.Len(t, list.Layers, 4)
}
