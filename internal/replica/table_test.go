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
	v.name = newName(k)
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
		k := v.name.key()
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

// A key that is only good for the length of a call becomes the overlay's own,
// and all its versions share it.
func TestNames(t *testing.T) {
	for n := range 40 {
		want := Key{3, strings.Repeat("k", n)}
		buf := []byte(want.Str)
		k := Key{3, unsafe.String(unsafe.SliceData(buf), n)}
		r := New(&layers{8, map[Key]truth{}})
		s := r.State()
		r.Lock()
		_, err := r.Len(3) // from now on it counts
		require.NoError(t, err)
		rebase := r.Begin(s.Base)
		r.Put(k, Encoded(16, "value"))
		m := s.over.Load().get(want).name
		r.Put(k, Encoded(24, "value"))
		k.Dict = 4
		s.Promote(k, Encoded(8, "value"))
		for i := range buf {
			buf[i] = 'x' // the caller's memory is used for something else
		}
		v := s.over.Load().get(want)
		require.EqualValues(t, 24, v.Revision)
		require.Same(t, m, v.name)
		require.Same(t, m, v.prev.Load().name)
		require.Same(t, m, s.Keep(want, v, v.With("more", Plain)).name)
		require.Same(t, m, rebase.over.get(want).name)
		require.Equal(t, []Key{want}, r.counts[3].pending)
		require.Equal(t, want, m.key())
		require.Equal(t, Key{4, want.Str}, s.over.Load().get(Key{4, want.Str}).name.key())
		r.Unlock()

		require.True(t, m.is(want))
		require.False(t, m.is(Key{2, want.Str}))
		require.False(t, m.is(Key{3, want.Str + "k"}))
		for i := range n { // every byte counts
			other := []byte(want.Str)
			other[i] = 'x'
			require.False(t, m.is(Key{3, string(other)}), "byte %d of %d", i, n)
			require.False(t, m.is(Key{3, want.Str[:i]}))
		}
	}
}

func TestAVersionFitsIntoACacheLine(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(Version{}), uintptr(64))
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
