package snapshot

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// tag makes the tags of a layer at once. It reports whether there are any.
func (l *Layer) tag() bool {
	l.tagged.asked.Store(int64(l.buckets))
	l.ask()
	return l.tagged.made.Load()
}

// Tags rule out what is not there, nearly always, and never what is.
func TestTags(t *testing.T) {
	for _, n := range []int{1, 7, 8, 100, 3000, 40_000} {
		b := NewBuilder(0, 9)
		key := func(i int) (uint64, string) { return uint64(i % 3), fmt.Sprint("key ", i) }
		for i := range n {
			dict, key := key(i)
			b.SetHeader(Header{Dict: dict})
			require.NoError(t, b.Add(Entry{Dict: dict, Key: key, Revision: 1, Tombstone: i%5 == 0}))
		}
		data := make([]byte, b.Size())
		require.NoError(t, b.Build(data, nil))
		l := open(t, data)
		require.True(t, l.tag())
		kept, absent := 0, 0
		for i := range 2 * n {
			dict, key := key(i)
			e, ok, err := l.Find(dict, key, nil)
			require.NoError(t, err)
			require.Equal(t, i < n, ok, "%d of %d", i, n)
			require.Equal(t, i < n && i%5 == 0, e.Tombstone)
			has, err := l.has(dict, key)
			require.NoError(t, err)
			require.Equal(t, ok, has)
			if sum := l.hash.sum(dict, key); !ok {
				absent++
				if !l.tagged.lack(sum, l.probes) {
					kept++
				}
			}
		}
		require.LessOrEqual(t, kept, 2+absent/1000, "of %d", absent)
	}
}

// The comparison of all lanes at once says what one of each would say.
func TestTagLanes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	some := []uint64{0, 1, 2, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff}
	for range 50_000 {
		var b [bucketSize]byte
		b[bucketCount] = byte(rnd.IntN(bucketSlots + 1))
		b[bucketFlags] = byte(rnd.IntN(2))
		want := some[rnd.IntN(len(some))]
		there := b[bucketCount] == 0 && want == 0 // said of an empty bucket
		for slot := range int(b[bucketCount]) {
			tag := some[rnd.IntN(len(some))]
			there = there || tag == want
			le.PutUint64(b[bucketFirst+8*slot:], tag<<tagShift|rnd.Uint64N(1<<tagShift))
		}
		l := &Layer{buckets: 2, probes: 1}
		l.tagged.tags = tags{bucketTags(&b), {lane << 4, lane<<4 - 1<<52}}
		l.tagged.made.Store(true)
		sum := want // its bucket is the first
		second := b[bucketFlags] != 0 && want == 1<<4
		require.Equal(t, !there && !second, l.tagged.lack(sum, l.probes), "%x in % x", want, b)
	}
}

// A layer without buckets, and one with too many.
func TestTagsOfNone(t *testing.T) {
	l := open(t, build(t, 3, 3, nil, nil))
	for i := range 100 {
		_, ok, err := l.Find(0, fmt.Sprint(i), nil)
		require.NoError(t, err)
		require.False(t, ok)
	}
	require.False(t, l.tagged.made.Load())
	l = open(t, large(t, 1000))
	l.buckets = tagLimit + 1
	for range tagLimit {
		l.ask()
	}
	require.False(t, l.tagged.made.Load())
}

// Whatever byte is damaged, before the tags are made or after it: what is found
// is right and what is not found is not there.
func TestTagsOfDamaged(t *testing.T) {
	headers, entries := sample()
	for i := range 12 {
		entries = append(entries, Entry{Dict: 7, Key: fmt.Sprint("more", i), Revision: 170, Value: []byte("v")})
	}
	data := build(t, 100, 200, headers, entries)
	whole := open(t, bytes.Clone(data))
	check := func(l *Layer) {
		for _, e := range append(entries, Entry{Key: "z"}, Entry{Dict: 8, Key: "a"}) {
			got, ok, err := l.Find(e.Dict, e.Key, nil)
			if err != nil {
				continue
			}
			want, there, err := whole.Find(e.Dict, e.Key, nil)
			require.NoError(t, err)
			require.Equal(t, there, ok)
			require.True(t, same(want, got))
		}
	}
	without := 0
	for at := Reserved; at < len(data); at++ {
		for _, x := range []byte{1, 0xff} {
			early := open(t, data)
			require.True(t, early.tag())
			data[at] ^= x
			check(early)
			if late, err := Open(data, "layer", nil); err == nil {
				if !late.tag() {
					without++
				}
				check(late)
			}
			data[at] ^= x
		}
	}
	require.Equal(t, int(whole.buckets)*bucketSize*2, without, "damage of the index went unnoticed")
}

// Many ask a layer at once, and one of them makes its tags.
func TestTagsAtOnce(t *testing.T) {
	l := open(t, large(t, 5000))
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 5000 {
				key := fmt.Sprintf("key-%06d", i+g%2*5000)
				if _, ok, err := l.Find(0, key, nil); err != nil || ok != (g%2 == 0) {
					t.Errorf("%s: %v %v", key, ok, err)
				}
			}
		})
	}
	all.Wait()
	require.True(t, l.tagged.made.Load())
}
