package replica

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func named(k Key, revision uint64) *Version {
	v := Encoded(revision, fmt.Sprint(revision))
	v.name(k, nil)
	return v
}

func TestTable(t *testing.T) {
	keys := []Key{{0, ""}, {1, ""}, {0, "\x00"}, {0, strings.Repeat("a", 32)}, {0, strings.Repeat("a", 33)}, {7, strings.Repeat("a", 33)}}
	for i := range 2000 {
		keys = append(keys, key(i), Key{Dict: 9, Str: key(i).Str})
	}
	table := newTable(0)
	require.Nil(t, table.get(keys[0]))
	for i, k := range keys {
		if table.full() {
			table = table.grown()
			require.False(t, table.full())
		}
		v := named(k, uint64(i+1))
		requireAdd(t, table, v, nil)
		requireAdd(t, table, named(k, 99), v) // what is there stays
		require.Same(t, v, table.get(k))
		if i%3 == 0 {
			require.True(t, table.put(named(k, uint64(i+1_000_000))))
		}
	}
	require.EqualValues(t, len(keys), table.used.Load())
	seen := map[Key]bool{}
	table.each(func(v *Version) bool {
		k := Key{v.dict, v.key}
		require.False(t, seen[k])
		seen[k] = true
		return true
	})
	require.Len(t, seen, len(keys))
	for i, k := range keys {
		want := uint64(i + 1)
		if i%3 == 0 {
			want += 999_999
		}
		require.Equal(t, want, table.get(k).Revision)
		require.Nil(t, table.get(Key{Dict: k.Dict + 100, Str: k.Str}))
	}
}

// Presized tables need not grow.
func TestTableHasRoomForWhatItWasMadeFor(t *testing.T) {
	for _, n := range []int{0, 1, 100, 170, 171, 1000, 65536} {
		table := newTable(n)
		for i := range n {
			require.False(t, table.full(), "%d of %d", i, n)
			requireAdd(t, table, named(key(i), 1), nil)
		}
	}
}

// A search ends only at an empty cell: there must be one, however many readers
// promote at the same moment.
func TestTableNeverFillsUp(t *testing.T) {
	full := newTable(0)
	for i := range 2 * smallest {
		full.add(named(key(i), 1))
	}
	require.Less(t, int(full.used.Load()), len(full.cells))
	require.Nil(t, full.get(Key{Str: "absent"}))
	require.NotNil(t, full.get(key(0)))
	require.True(t, full.put(named(key(0), 2)), "a key that is there needs no room")

	r := New(&layers{8, map[Key]truth{}})
	s := r.State()
	var start, done sync.WaitGroup
	start.Add(1)
	for g := range 2 * smallest {
		done.Go(func() {
			start.Wait()
			s.Promote(key(g), Encoded(1, ""))
		})
	}
	start.Done()
	done.Wait()
	table := s.over.Load()
	require.Less(t, int(table.used.Load()), len(table.cells))
	_, result := s.Find(Key{Str: "absent"}, 8)
	require.Equal(t, Below, result)
}

func TestNamesOfVersions(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 33, 1000} {
		buf := []byte(strings.Repeat("k", n))
		v := Encoded(1, "value")
		v.name(Key{3, unsafe.String(unsafe.SliceData(buf), n)}, nil)
		for i := range buf {
			buf[i] = 'x' // the caller's memory is used for something else
		}
		require.Equal(t, strings.Repeat("k", n), v.key)
		w := Decoded(2, "other")
		w.name(Key{3, v.key}, v)
		require.Equal(t, v.key, w.key)
		c := w.decodedCopy("more")
		require.Equal(t, v.key, c.key)
		require.Equal(t, uint64(3), c.dict)
		if n > 0 && n <= 32 {
			require.NotSame(t, unsafe.StringData(v.key), unsafe.StringData(w.key), "one does not keep the other alive")
			require.NotSame(t, unsafe.StringData(w.key), unsafe.StringData(c.key))
		}
	}
}

func TestBoxes(t *testing.T) {
	box := func(v *Version) any {
		x, ok := v.Value()
		require.True(t, ok)
		require.Equal(t, "", v.Raw())
		require.Equal(t, uint64(5), v.Revision)
		return x
	}
	require.Equal(t, int64(-1), box(NewBox[int64]().Decoded(5, -1)))
	require.Equal(t, uint8(255), box(NewBox[uint8]().Decoded(5, 255)))
	require.Equal(t, int32(-7), box(NewBox[int32]().Decoded(5, -7)))
	require.Equal(t, 1.5, box(NewBox[float64]().Decoded(5, 1.5)))
	require.Equal(t, float32(1.5), box(NewBox[float32]().Decoded(5, 1.5)))
	require.Equal(t, true, box(NewBox[bool]().Decoded(5, true)))
	require.Equal(t, false, box(NewBox[bool]().Decoded(5, false)))
	require.Equal(t, "", Encoded(1, "").Raw())
}

// requireAdd adds v and expects to find what is there.
func requireAdd(t *testing.T, table *table, v, there *Version) {
	t.Helper()
	present, ok := table.add(v)
	require.True(t, ok)
	require.Same(t, there, present)
}

// However many add at once, an empty cell is left, where a search ends.
func TestTableThatNobodyGrowsRefuses(t *testing.T) {
	table := newTable(0)
	added := 0
	for i := range 2 * len(table.cells) {
		if _, ok := table.add(named(Key{Str: fmt.Sprint(i)}, 1)); ok {
			added++
		}
	}
	require.Equal(t, len(table.cells)/8*7, added)
	require.Nil(t, table.get(Key{Str: "absent"}))
}
