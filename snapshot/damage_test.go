package snapshot

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// truth is what an undamaged layer answers.
type truth struct {
	entries   []Entry // in file order
	misses    []Entry
	headers   []Header
	externals []uint64
}

func truthOf(t testing.TB, data []byte, misses ...Entry) truth {
	l := open(t, data)
	tr := truth{misses: misses}
	for e, err := range l.All() {
		require.NoError(t, err)
		tr.entries = append(tr.entries, clone(e))
	}
	for h, err := range l.Headers() {
		require.NoError(t, err)
		tr.headers = append(tr.headers, h)
	}
	var err error
	tr.externals, err = l.Externals()
	require.NoError(t, err)
	return tr
}

func same(a, b Entry) bool {
	return bytes.Equal(a.Value, b.Value) && a.Dict == b.Dict && a.Key == b.Key && a.Revision == b.Revision &&
		a.Created == b.Created && a.External == b.External && a.Tombstone == b.Tombstone
}

// check asks everything of damaged bytes: each answer must be the truth or a
// typed error. It returns the number of errors.
func (tr truth) check(t testing.TB, data []byte) (damaged int) {
	bad := func(err error) bool {
		if err == nil {
			return false
		}
		damaged++
		var c *errs.CorruptError
		if errors.As(err, &c) {
			require.Equal(t, "layer", c.Segment)
			require.GreaterOrEqual(t, c.Offset, int64(0))
			require.LessOrEqual(t, c.Offset, int64(len(data)))
		} else {
			require.ErrorIs(t, err, errs.ErrVersion)
		}
		return true
	}
	l, err := Open(data, "layer", nil)
	if bad(err) {
		return damaged
	}
	for _, want := range tr.entries {
		got, ok, err := l.Find(want.Dict, want.Key, nil)
		if !bad(err) && (!ok || !same(got, want)) {
			require.Fail(t, "wrong answer", "%v %+v for %+v", ok, got, want)
		}
		ok, err = l.has(want.Dict, want.Key)
		if !bad(err) && !ok {
			require.Fail(t, "wrong answer", "not there: %+v", want)
		}
	}
	for _, miss := range tr.misses {
		_, ok, err := l.Find(miss.Dict, miss.Key, nil)
		if !bad(err) && ok {
			require.Fail(t, "found what is not there", "%+v", miss)
		}
	}
	i := 0
	for e, err := range l.All() {
		if !bad(err) && (i >= len(tr.entries) || !same(e, tr.entries[i])) {
			require.Fail(t, "wrong entry", "%d: %+v", i, e)
		}
		if err != nil {
			i = len(tr.entries)
			break
		}
		i++
	}
	require.Equal(t, len(tr.entries), i, "All stopped early without an error")
	i = 0
	for h, err := range l.Headers() {
		if bad(err) {
			i = len(tr.headers)
			break
		}
		if i >= len(tr.headers) || h != tr.headers[i] {
			require.Fail(t, "wrong header", "%d: %+v", i, h)
		}
		i++
	}
	require.Equal(t, len(tr.headers), i)
	for _, want := range tr.headers {
		h, ok, err := l.Header(want.Dict)
		if !bad(err) && (!ok || h != want) {
			require.Fail(t, "wrong header", "%v %+v", ok, h)
		}
	}
	if ids, err := l.Externals(); !bad(err) && !slices.Equal(ids, tr.externals) {
		require.Fail(t, "wrong externals", "%v", ids)
	}
	return damaged
}

// Every byte of a layer, changed in every way.
func TestDamageEveryByte(t *testing.T) {
	headers, entries := sample()
	data := build(t, 100, 200, headers, entries)
	tr := truthOf(t, data, Entry{Key: "z"}, Entry{Dict: 7, Key: "x"}, Entry{Dict: 8, Key: "a"}, Entry{Dict: 9})
	require.Zero(t, tr.check(t, data))
	l := open(t, data)

	harmless := 0 // the reserved bytes of the caller, alignment, padding
	for at := range data {
		found := false
		for x := 1; x < 256; x++ {
			if at >= int(l.at.entries) && x&(x-1) != 0 && x != 0xff {
				continue // in entries: single bits, and all
			}
			data[at] ^= byte(x)
			if tr.check(t, data) > 0 {
				found = true
			} else if at >= Reserved && at < headerEnd {
				require.Fail(t, "damage of the header went unnoticed", "byte %d ^ %#x", at, x)
			}
			data[at] ^= byte(x)
		}
		if !found {
			harmless++
		}
	}
	require.Less(t, harmless, Reserved+63+8*len(entries))
}

// Whole stretches gone: zeroed, filled, exchanged, cut off.
func TestDamageStretches(t *testing.T) {
	data := large(t, 300)
	tr := truthOf(t, data, Entry{Key: "absent"}, Entry{Key: "key-000300"})
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		bad := bytes.Clone(data)
		at := Reserved + rnd.IntN(len(bad)-Reserved)
		n := min(1<<rnd.IntN(12), len(bad)-at)
		switch rnd.IntN(4) {
		case 0:
			clear(bad[at : at+n])
		case 1:
			for i := range bad[at : at+n] {
				bad[at+i] = byte(rnd.Uint32())
			}
		case 2: // one bucket or entry in the place of another, whole
			from := rnd.IntN(len(bad)-n) &^ 7
			copy(bad[at&^7:], data[from:from+n])
		case 3:
			bad = bad[:at]
			require.NotZero(t, tr.check(t, bad))
			continue
		}
		tr.check(t, bad)
	}
	buckets := bytes.Clone(data)
	l := open(t, data)
	copy(buckets[l.at.index:], data[l.at.index+bucketSize:l.at.index+2*bucketSize])
	require.NotZero(t, tr.check(t, buckets), "a bucket in the place of another")
}

// seal makes the checksums right again, as somebody with bad intentions would.
func seal(data []byte) {
	if len(data) < headerEnd {
		return
	}
	copy(data[offMagic:], "UDLAYER1")
	le.PutUint32(data[offHeaderCRC:], checksum(0, data[Reserved:offHeaderCRC]))
	l, err := Open(data, "", nil)
	if err != nil {
		return
	}
	for i := range l.dicts {
		b := data[headerEnd+i*dictSize:][:dictSize]
		le.PutUint32(b[dictCRC:], checksum(place(i), b[:dictCRC]))
	}
	for i := range l.buckets {
		b := data[l.at.index+i*bucketSize:][:bucketSize]
		le.PutUint32(b, checksum(place(i), b[4:]))
	}
	var h head
	for at := l.at.entries; at+entryHead <= l.size; at += h.size {
		if l.readHead(&h, at) != nil {
			return
		}
		le.PutUint32(data[at:], checksum(place(at/8), data[at+4:h.end]))
	}
}

// A dictionary's header that leads to the entries of another.
func TestForgedHeader(t *testing.T) {
	headers, entries := sample()
	data := build(t, 100, 200, headers, entries)
	copy(data[headerEnd+dictSize+dictOffset:], data[headerEnd+dictOffset:][:8])
	seal(data)
	for _, err := range open(t, data).AllOf(7) {
		require.ErrorIs(t, err, errs.ErrCorrupt)
		require.ErrorContains(t, err, "another dictionary")
		return
	}
	require.Fail(t, "nothing yielded")
}

func FuzzLayer(f *testing.F) {
	headers, entries := sample()
	f.Add(build(f, 100, 200, headers, entries), true)
	f.Add(build(f, 100, 200, headers, entries), false)
	f.Add(build(f, 1, 2, nil, nil), true)
	f.Add(large(f, 20), true)
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		data = bytes.Clone(data) // it is the fuzzer's
		if sealed {
			seal(data)
		}
		l, err := Open(data, "layer", nil)
		if err != nil {
			require.True(t, errors.Is(err, errs.ErrCorrupt) || errors.Is(err, errs.ErrVersion))
			return
		}
		typed := func(err error) {
			if err != nil {
				require.ErrorIs(t, err, errs.ErrCorrupt)
			}
		}
		n := 0
		for e, err := range l.All() {
			typed(err)
			if n++; n < 100 {
				_, _, err = l.Find(e.Dict, e.Key, nil)
				typed(err)
			}
		}
		for _, key := range []string{"", "a", "key-000007"} {
			_, _, err := l.Find(7, key, nil)
			typed(err)
		}
		for range l.Headers() {
			n++
		}
		require.LessOrEqual(t, n, len(data), "more than can be in it")
		_, err = l.Externals()
		typed(err)
		s := Stack{Layers: []*Layer{l, l}}
		for _, err := range s.All(0) {
			typed(err)
		}
		// A merge of it fails, or gives a whole layer.
		m, err := PlanMerge([]*Layer{l}, false, nil)
		if err != nil {
			require.ErrorIs(t, err, errs.ErrCorrupt)
			return
		}
		require.LessOrEqual(t, m.Size(), int64(2*len(data)+4096))
		dst := make([]byte, m.Size())
		if m.Build(dst, nil) == nil {
			for _, err := range open(t, dst).All() {
				require.NoError(t, err)
			}
		}
	})
}
