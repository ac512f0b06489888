package snapshot

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// build returns the bytes of a layer with seed 1.
func build(t testing.TB, from, to uint64, headers []Header, entries []Entry) []byte {
	t.Helper()
	b := NewBuilder(from, to)
	b.SetSeed(1)
	for _, h := range headers {
		b.SetHeader(h)
	}
	for _, e := range entries {
		require.NoError(t, b.Add(e))
	}
	data := bytes.Repeat([]byte{0xee}, int(b.Size())) // Build clears what it must
	require.NoError(t, b.Build(data, nil))
	return data
}

func open(t testing.TB, data []byte) *Layer {
	t.Helper()
	l, err := Open(data, "layer", nil)
	require.NoError(t, err)
	return l
}

func clone(e Entry) Entry {
	e.Value = bytes.Clone(e.Value)
	return e
}

// sample is a layer of everything: three dictionaries, one of them empty.
func sample() ([]Header, []Entry) {
	return []Header{{Dict: 0, Live: 12}, {Dict: 7, Horizon: 150, Live: 1}, {Dict: 9, Horizon: 180}},
		[]Entry{
			{Key: "", Revision: 101, Created: 101, Value: []byte("empty key")},
			{Key: "a", Revision: 102, Created: 90, Value: []byte("first")},
			{Dict: 7, Key: "a", Revision: 160, Created: 160, Value: []byte("other a"), External: 1<<32 | 5},
			{Key: "b", Revision: 103, Created: 103, Tombstone: true},
			{Key: "c", Revision: 104, Created: 104},
			{Key: strings.Repeat("long", 20), Revision: 105, Created: 105, Value: bytes.Repeat([]byte("v"), 99)},
			{Dict: 7, Key: "b", Revision: 161, Created: 2, Tombstone: true, Value: []byte("dropped"), External: 3},
			{Key: "x", Revision: 106, Created: 106, Value: []byte{0}, External: 4, Marks: 3},
			{Key: "y", Revision: 107, Created: 106, Value: []byte{1}, External: 4, Marks: 2},
		}
}

func TestLayer(t *testing.T) {
	headers, entries := sample()
	data := build(t, 100, 200, headers, entries)
	l := open(t, data)
	require.Equal(t, bytes.Repeat([]byte{0xee}, Reserved), data[:Reserved], "reserved bytes were written")
	require.Equal(t, "layer", l.Name())
	require.EqualValues(t, 100, l.From())
	require.EqualValues(t, 200, l.To())
	require.Equal(t, len(entries), l.Len())
	require.Equal(t, 2, l.Tombstones())
	require.EqualValues(t, len(data), l.Size())

	for _, e := range entries {
		e = e.stored()
		got, ok, err := l.Find(e.Dict, e.Key, nil)
		require.NoError(t, err)
		require.True(t, ok, "%d %q", e.Dict, e.Key)
		require.Equal(t, string(e.Value), string(got.Value))
		got.Value, e.Value = nil, nil
		require.Equal(t, e, got)
	}
	for _, miss := range []Entry{{Key: "z"}, {Dict: 7, Key: "x"}, {Dict: 8, Key: "a"}, {Dict: 9, Key: ""}, {Key: "A"}} {
		_, ok, err := l.Find(miss.Dict, miss.Key, nil)
		require.NoError(t, err)
		require.False(t, ok, "%d %q", miss.Dict, miss.Key)
	}

	var seen []string
	for e, err := range l.All() {
		require.NoError(t, err)
		seen = append(seen, fmt.Sprintf("%d:%.4s", e.Dict, e.Key))
	}
	require.Equal(t, []string{"0:", "0:a", "0:b", "0:c", "0:long", "0:x", "0:y", "7:a", "7:b"}, seen)
	seen = nil
	for e, err := range l.AllOf(7) {
		require.NoError(t, err)
		seen = append(seen, e.Key)
	}
	require.Equal(t, []string{"a", "b"}, seen)
	for range l.AllOf(8) {
		t.Fatal("an entry of a dictionary that is not there")
	}

	var got []Header
	for h, err := range l.Headers() {
		require.NoError(t, err)
		got = append(got, h)
		one, ok, err := l.Header(h.Dict)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, h, one)
	}
	headers[0].Entries, headers[1].Entries = 7, 2
	require.Equal(t, headers, got)
	_, ok, err := l.Header(8)
	require.NoError(t, err)
	require.False(t, ok)

	ids, err := l.Externals()
	require.NoError(t, err)
	require.Equal(t, []uint64{4, 1<<32 | 5}, ids)
}

func TestLayerEmpty(t *testing.T) {
	l := open(t, build(t, 3, 3, nil, nil))
	_, ok, err := l.Find(0, "a", nil)
	require.NoError(t, err)
	require.False(t, ok)
	for range l.All() {
		t.Fatal("an entry of an empty layer")
	}
	ids, err := l.Externals()
	require.NoError(t, err)
	require.Empty(t, ids)
}

func TestLayerLimits(t *testing.T) {
	big := Entry{Key: strings.Repeat("k", MaxKey), Value: bytes.Repeat([]byte("v"), 1<<20), Revision: 1}
	l := open(t, build(t, 0, 1, []Header{{Live: 1}}, []Entry{big}))
	got, ok, err := l.Find(0, big.Key, nil)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, big, got)

	b := NewBuilder(0, 1)
	require.ErrorIs(t, b.Add(Entry{Key: big.Key + "k"}), errs.ErrNoSpace)
	require.Zero(t, b.Len())
}

func TestBuilderRefusesMisuse(t *testing.T) {
	b := NewBuilder(0, 1)
	require.NoError(t, b.Add(Entry{Dict: 3, Key: "a"}))
	require.ErrorContains(t, b.Build(make([]byte, b.Size()), nil), "no header")
	b.SetHeader(Header{Dict: 3, Live: 1})
	require.ErrorContains(t, b.Build(make([]byte, b.Size()-1), nil), "bytes for a layer")
	require.NoError(t, b.Build(make([]byte, b.Size()), nil))

	b = NewBuilder(0, 1)
	b.SetHeader(Header{})
	for range 10_000 {
		require.NoError(t, b.Add(Entry{Key: "the same"}))
	}
	require.ErrorContains(t, b.Build(make([]byte, b.Size()), nil), "added twice")

	b = NewBuilder(0, 1)
	b.SetHeader(Header{})
	for i := range 10_000 {
		require.NoError(t, b.Add(Entry{Key: fmt.Sprint(i)}))
	}
	calls := 0
	require.ErrorIs(t, b.Build(make([]byte, b.Size()), func() error { calls++; return errs.ErrRemoved }), errs.ErrRemoved)
	require.Equal(t, 1, calls)
}

// A builder may be added to after it was asked for its size, or built.
func TestBuilderGoesOn(t *testing.T) {
	b := NewBuilder(0, 9)
	b.SetSeed(1)
	b.SetHeader(Header{Live: 3})
	var list []Entry
	for i, key := range []string{"c", "a", "b"} {
		e := Entry{Key: key, Revision: uint64(i), External: uint64(3 - i), Value: []byte(key)}
		list = append(list, e)
		require.NoError(t, b.Add(e))
		require.NoError(t, b.Build(make([]byte, b.Size()), nil))
	}
	data := make([]byte, b.Size())
	require.NoError(t, b.Build(data, nil))
	want := build(t, 0, 9, []Header{{Live: 3}}, list)
	require.Equal(t, want[Reserved:], data[Reserved:], "equal contents, order and seed give equal bytes")
	ids, err := open(t, data).Externals()
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 2, 3}, ids)
}

func TestFindAllocations(t *testing.T) {
	l := open(t, large(t, 1000))
	buf := make([]byte, 0, 64)
	keys := []string{"key-000007", "key-000999", "absent"}
	s := Stack{Layers: []*Layer{l, l}} // adjacent or not does not matter here
	for want, buf := range map[int][]byte{0: buf, 1: nil} {
		require.EqualValues(t, want, testing.AllocsPerRun(100, func() { _, _, _ = l.Find(0, keys[0], buf) }))
		require.EqualValues(t, want, testing.AllocsPerRun(100, func() { _, _, _ = s.Find(0, keys[1], buf) }))
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _, _ = l.Find(0, keys[2], nil) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _, _ = s.Find(0, keys[2], nil) }))
}

// large builds a layer of n keys "key-%06d".
func large(t testing.TB, n int) []byte {
	b := NewBuilder(0, uint64(n))
	b.SetHeader(Header{Live: uint64(n)})
	for i := range n {
		key := fmt.Sprintf("key-%06d", i)
		require.NoError(t, b.Add(Entry{Key: key, Revision: uint64(i), Created: uint64(i), Value: []byte("value of " + key)}))
	}
	data := make([]byte, b.Size())
	require.NoError(t, b.Build(data, nil))
	return data
}

func TestLayerLarge(t *testing.T) {
	const n = 50_000
	l := open(t, large(t, n))
	require.Less(t, l.probes, uint64(20))
	for i := range n {
		key := fmt.Sprintf("key-%06d", i)
		e, ok, err := l.Find(0, key, nil)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "value of "+key, string(e.Value))
		_, ok, err = l.Find(0, key+"!", nil)
		require.NoError(t, err)
		require.False(t, ok)
	}
}

// The owner lives as long as the layer, and no longer.
func TestOwner(t *testing.T) {
	type mapping struct{ data []byte }
	owner := &mapping{large(t, 10)}
	released := make(chan struct{})
	runtime.AddCleanup(owner, func(c chan struct{}) { close(c) }, released)
	l, err := Open(owner.data, "layer", owner)
	require.NoError(t, err)
	owner = nil
	for range 3 {
		runtime.GC()
	}
	select {
	case <-released:
		require.Fail(t, "released while a layer reads it")
	default:
	}
	_, ok, err := l.Find(0, "key-000007", nil)
	require.NoError(t, err)
	require.True(t, ok)
	l = nil
	for range 1000 {
		runtime.GC()
		select {
		case <-released:
			return
		default:
			runtime.Gosched()
		}
	}
	require.Fail(t, "never released")
}

func TestBuilderResetForgetsEverything(t *testing.T) {
	b := NewBuilder(1, 2)
	b.SetSeed(7)
	require.NoError(t, b.Add(Entry{Dict: 3, Key: "old", Revision: 2, Created: 2, External: 9}))
	b.SetHeader(Header{Dict: 3, Live: 1})
	b.Reset(2, 3)
	b.SetSeed(7)
	require.NoError(t, b.Add(Entry{Key: "new", Revision: 3, Created: 3, Value: []byte("v")}))
	b.SetHeader(Header{Live: 1})
	again := make([]byte, b.Size())
	require.NoError(t, b.Build(again, nil))

	fresh := NewBuilder(2, 3)
	fresh.SetSeed(7)
	require.NoError(t, fresh.Add(Entry{Key: "new", Revision: 3, Created: 3, Value: []byte("v")}))
	fresh.SetHeader(Header{Live: 1})
	want := make([]byte, fresh.Size())
	require.NoError(t, fresh.Build(want, nil))
	require.Equal(t, want, again)
}
