package ultradict_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

func TestGetEntry(t *testing.T) {
	dir := memoryDir(t)
	a, b := open(t, dir), open(t, dir)
	_, err := a.GetEntry("k")
	require.Equal(t, ultradict.ErrNotFound, err)
	require.NoError(t, a.Set("k", 1))
	first, err := b.GetEntry("k")
	require.NoError(t, err)
	require.Equal(t, ultradict.Entry[string, any]{Key: "k", Value: int64(1), Revision: first.Revision, Created: first.Revision}, first)
	require.NoError(t, b.Set("k", strings.Repeat("x", 100_000)))
	second, err := a.GetEntry("k")
	require.NoError(t, err)
	require.Greater(t, second.Revision, first.Revision)
	require.Equal(t, first.Created, second.Created)
	require.Len(t, second.Value, 100_000)
}

// Every conditional write, on a key that is absent, that holds a small value, and
// that holds one with a body of its own; the effect is looked at by another handle.
func TestConditionalWrites(t *testing.T) {
	for name, before := range map[string]any{"absent": nil, "small": "old", "large": strings.Repeat("o", 50_000)} {
		t.Run(name, func(t *testing.T) {
			dir := memoryDir(t)
			a, b := open(t, dir, ultradict.WithStreamSize(4<<10)), open(t, dir)
			there := before != nil
			revision := func() uint64 {
				e, err := b.GetEntry("k")
				if err != nil {
					require.ErrorIs(t, err, ultradict.ErrNotFound)
				}
				return e.Revision
			}
			start := func() uint64 {
				_, err := b.Delete("k")
				require.NoError(t, err)
				if there {
					require.NoError(t, b.Set("k", before))
				}
				return revision()
			}
			holds := func(want any) {
				t.Helper()
				got, err := b.Get("k")
				if want == nil {
					require.Equal(t, ultradict.ErrNotFound, err)
					return
				}
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
			for _, after := range []any{"new", int64(7), strings.Repeat("n", 60_000)} {
				r := start()
				_, err := a.CompareAndSet("k", r+1, after)
				require.ErrorIs(t, err, ultradict.ErrConflict)
				holds(before)
				require.Equal(t, r, revision())
				now, err := a.CompareAndSet("k", r, after)
				require.NoError(t, err)
				holds(after)
				require.Equal(t, now, revision())
				_, err = a.CompareAndSet("k", r, "again")
				require.ErrorIs(t, err, ultradict.ErrConflict)
				_, err = a.CompareAndSet("k", 0, "again")
				require.ErrorIs(t, err, ultradict.ErrConflict, "it is there")
				require.ErrorIs(t, a.CompareAndDelete("k", r), ultradict.ErrConflict)
				holds(after)
				require.NoError(t, a.CompareAndDelete("k", now))
				holds(nil)
				require.NoError(t, a.CompareAndDelete("k", 0))
				require.ErrorIs(t, a.CompareAndDelete("k", now), ultradict.ErrConflict)

				start()
				actual, stored, err := a.SetIfAbsent("k", after)
				require.NoError(t, err)
				require.Equal(t, !there, stored)
				if there {
					require.Equal(t, before, actual)
					holds(before)
				} else {
					require.Equal(t, after, actual)
					holds(after)
				}

				start()
				existed, err := a.Replace("k", after)
				require.NoError(t, err)
				require.Equal(t, there, existed)
				if there {
					holds(after)
				} else {
					holds(nil)
				}

				start()
				old, existed, err := a.Swap("k", after)
				require.NoError(t, err)
				require.Equal(t, there, existed)
				require.Equal(t, before, old)
				holds(after)

				start()
				old, existed, err = a.GetAndDelete("k")
				require.NoError(t, err)
				require.Equal(t, there, existed)
				require.Equal(t, before, old)
				holds(nil)
			}
			requireHealthy(t, dir)
		})
	}
}

// What cannot be stored, decoded or done changes nothing.
func TestConditionalWritesThatFail(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	numbers, err := ultradict.OpenMap[string, int8]("test", ultradict.WithDir(dir))
	require.NoError(t, err)
	defer func() { require.NoError(t, numbers.Close()) }()
	require.NoError(t, d.Set("k", "text"))
	before, err := d.GetEntry("k")
	require.NoError(t, err)

	_, err = d.CompareAndSet("k", before.Revision, make(chan int))
	require.ErrorAs(t, err, new(*ultradict.EncodeError))
	_, _, err = d.SetIfAbsent("new", func() {})
	require.ErrorAs(t, err, new(*ultradict.EncodeError))
	_, err = d.Replace("k", "\xff")
	require.ErrorAs(t, err, new(*ultradict.EncodeError))
	_, err = d.Replace("\xff", 1)
	require.ErrorAs(t, err, new(*ultradict.EncodeError))
	var wrong *ultradict.TypeError
	_, _, err = numbers.Swap("k", 1)
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "k", wrong.Key)
	_, _, err = numbers.GetAndDelete("k")
	require.ErrorAs(t, err, &wrong)
	_, _, err = numbers.SetIfAbsent("k", 1)
	require.ErrorAs(t, err, &wrong)
	_, err = numbers.Add("k", 1)
	require.ErrorAs(t, err, &wrong)
	_, err = d.Add("k", 1)
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "k", wrong.Key)

	after, err := d.GetEntry("k")
	require.NoError(t, err)
	require.Equal(t, before, after)
	n, err := d.Len()
	require.NoError(t, err)
	require.Equal(t, 1, n)

	reader := open(t, dir, ultradict.ReadOnly())
	_, err = reader.Add("n", 1)
	require.ErrorIs(t, err, ultradict.ErrReadOnly)
	closed := open(t, dir)
	require.NoError(t, closed.Close())
	_, err = closed.Replace("k", 1)
	require.ErrorIs(t, err, ultradict.ErrClosed)
}

func TestAdd(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	for _, c := range []struct {
		before     any
		delta, sum int64
		err        error
	}{
		{nil, 5, 5, nil},
		{int64(5), -7, -2, nil},
		{int64(5), 0, 5, nil},
		{uint64(math.MaxInt64), -1, math.MaxInt64 - 1, nil},
		{int64(math.MaxInt64), 1, 0, ultradict.ErrOverflow},
		{int64(math.MaxInt64), math.MaxInt64, 0, ultradict.ErrOverflow},
		{int64(math.MinInt64), -1, 0, ultradict.ErrOverflow},
		{int64(math.MinInt64), math.MinInt64, 0, ultradict.ErrOverflow},
		{int64(-1), math.MinInt64, 0, ultradict.ErrOverflow},
		{uint64(math.MaxUint64), -1, 0, ultradict.ErrOverflow},
		{1.0, 1, 0, &ultradict.TypeError{}},
		{true, 1, 0, &ultradict.TypeError{}},
		{"1", 1, 0, &ultradict.TypeError{}},
	} {
		_, err := d.Delete("n")
		require.NoError(t, err)
		if c.before != nil {
			require.NoError(t, d.Set("n", c.before))
		}
		sum, err := d.Add("n", c.delta)
		require.Equal(t, c.sum, sum)
		require.ErrorIs(t, err, c.err, "%v + %d", c.before, c.delta)
		got, err := d.Get("n")
		require.NoError(t, err)
		if c.err == nil {
			require.Equal(t, c.sum, got)
		} else {
			require.EqualValues(t, c.before, got)
		}
	}
}

type level uint8

// A sum has to be a value of the map's own type.
func TestAddOfTypes(t *testing.T) {
	levels, err := ultradict.OpenMap[int, level]("levels", ultradict.WithDir(memoryDir(t)))
	require.NoError(t, err)
	defer func() { require.NoError(t, levels.Close()) }()
	sum, err := levels.Add(1, 255)
	require.NoError(t, err)
	require.EqualValues(t, 255, sum)
	_, err = levels.Add(1, 1)
	require.ErrorIs(t, err, ultradict.ErrOverflow)
	_, err = levels.Add(1, -256)
	require.ErrorIs(t, err, ultradict.ErrOverflow)
	v, err := levels.Get(1)
	require.NoError(t, err)
	require.Equal(t, level(255), v)

	words, err := ultradict.OpenMap[string, string]("words", ultradict.WithDir(memoryDir(t)))
	require.NoError(t, err)
	defer func() { require.NoError(t, words.Close()) }()
	_, err = words.Add("absent", 1)
	require.ErrorIs(t, err, &ultradict.TypeError{})
	has, err := words.Has("absent")
	require.NoError(t, err)
	require.False(t, has)
}

// Conditional writes of many goroutines over two handles lose nothing.
func TestConditionalWritesTogether(t *testing.T) {
	dir := memoryDir(t)
	a, b := open(t, dir, ultradict.WithStreamSize(4<<10)), open(t, dir)
	const each = 500
	var workers sync.WaitGroup
	for w := range 8 {
		d := []*ultradict.Dict{a, b}[w%2]
		workers.Go(func() {
			for i := range each {
				if _, err := d.Add("sum", 1); err != nil {
					t.Errorf("add: %v", err)
				}
				for stored := false; !stored; {
					e, err := d.GetEntry("counter")
					next := int64(1)
					if err == nil {
						next = e.Value.(int64) + 1
					}
					_, err = d.CompareAndSet("counter", e.Revision, next)
					if stored = err == nil; !stored && !errors.Is(err, ultradict.ErrConflict) {
						t.Errorf("set: %v", err)
					}
				}
				_, stored, err := d.SetIfAbsent(fmt.Sprint("once", i), w)
				if err != nil {
					t.Errorf("set if absent: %v", err)
				}
				if stored {
					if _, err := d.Add("stored", 1); err != nil {
						t.Errorf("add: %v", err)
					}
				}
			}
		})
	}
	workers.Wait()
	for key, want := range map[string]int64{"sum": 8 * each, "counter": 8 * each, "stored": each} {
		n, err := a.Get(key)
		require.NoError(t, err)
		require.Equal(t, want, n, key)
	}
	requireHealthy(t, dir)
}

func TestRange(t *testing.T) {
	d := open(t, memoryDir(t))
	for i := range 100 {
		require.NoError(t, d.Set(fmt.Sprintf("key%02d", i), i))
	}
	keys := func(from, to string, limit int) (keys []string) {
		for e, err := range ultradict.Range(d, from, to, limit) {
			require.NoError(t, err)
			n, err := d.Get(e.Key)
			require.NoError(t, err)
			require.Equal(t, n, e.Value)
			require.NotZero(t, e.Revision)
			keys = append(keys, e.Key)
		}
		return keys
	}
	require.Equal(t, []string{"key10", "key11", "key12"}, keys("key10", "key13", 0))
	require.Equal(t, []string{"key10", "key11"}, keys("key10", "key13", 2))
	require.Equal(t, []string{"key98", "key99"}, keys("key98", "", 10))
	require.Equal(t, []string{"key00"}, keys("", "", 1))
	require.Len(t, keys("", "", 0), 100)
	require.Empty(t, keys("key50", "key50", 0))
	require.Empty(t, keys("key51", "key50", 0))
	require.Equal(t, []string{"key00", "key01"}, keys("", "key02", -1))
	for range ultradict.Range(d, "", "", 0) {
		require.NoError(t, d.Clear(), "the body may write")
		break
	}
	require.Empty(t, keys("", "", 0))

	numbers, err := ultradict.OpenMap[int, string]("numbers", ultradict.WithDir(memoryDir(t)))
	require.NoError(t, err)
	for i := -50; i < 50; i++ {
		require.NoError(t, numbers.Set(i, fmt.Sprint(i)))
	}
	var got []int
	for e, err := range ultradict.Range(numbers, -2, 0, 10) {
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(e.Key), e.Value)
		got = append(got, e.Key)
	}
	require.Equal(t, []int{-2, -1}, got)
	require.NoError(t, numbers.Close())
	for _, err := range ultradict.Range(numbers, 0, 1, 0) {
		require.ErrorIs(t, err, ultradict.ErrClosed)
	}
}
