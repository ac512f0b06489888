package snapshot

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func bytesList(sizes ...uint64) List {
	var l List
	for _, s := range sizes {
		l.Layers = append(l.Layers, Listed{Bytes: s})
	}
	return l
}

func TestPick(t *testing.T) {
	const k, m = 1 << 10, 1 << 20
	for _, c := range []struct {
		name  string
		list  List
		i, j  int
		merge bool
	}{
		{"nothing", List{}, 0, 0, false},
		{"a base", bytesList(m), 0, 0, false},
		{"a small delta", bytesList(m, k), 0, 0, false},
		{"a delta half the base", bytesList(16*m, 8*m), 0, 2, true},
		{"deltas half the base", bytesList(16*m, 4*m, 2*m, 2*m), 0, 4, true},
		{"a delta nearly as large as a small base", bytesList(m, m-1), 0, 0, false},
		{"a delta of 1 MiB over a small base", bytesList(m, m), 0, 2, true},
		{"three of a tier", bytesList(100*m, k, k, k), 0, 0, false},
		{"four of a tier", bytesList(100*m, k, k, k, k), 1, 5, true},
		{"four of the lowest tier", bytesList(100*m, m, m, m, k, k, k, k), 4, 8, true},
		{"four of a higher tier, with what is newer", bytesList(100*m, 4*m, m, m, m, m, k, k), 2, 8, true},
		{"smaller ones between count as high", bytesList(100*m, m, k, m, m, k), 1, 6, true},
		{"half deleted", List{Layers: []Listed{{Bytes: m, Live: 100}, {Bytes: k, Live: 49}}}, 0, 2, true},
		{"less than half deleted", List{Layers: []Listed{{Bytes: m, Live: 100}, {Bytes: k, Live: 50}}}, 0, 0, false},
	} {
		i, j, base, ok := Pick(c.list)
		require.Equal(t, c.merge, ok, c.name)
		require.Equal(t, []int{c.i, c.j}, []int{i, j}, c.name)
		require.Equal(t, ok && i == 0, base, c.name)
	}
}

// A list as full as it can be gets shorter, whatever the sizes.
func TestPickNearlyFull(t *testing.T) {
	var l List
	for i := range MaxLayers {
		l.Layers = append(l.Layers, Listed{Bytes: 1 << (60 - 2*i)})
	}
	for n := len(l.Layers); n > nearlyFull; n = len(l.Layers) {
		i, j, base, ok := Pick(l)
		require.True(t, ok)
		require.False(t, base)
		require.GreaterOrEqual(t, i, 1)
		require.Less(t, i+1, j)
		l = bytesList(sizesOf(l, i, j)...)
		require.Less(t, len(l.Layers), n)
	}
}

func sizesOf(l List, i, j int) (sizes []uint64) {
	for k, x := range l.Layers {
		switch {
		case k < i || k >= j:
			sizes = append(sizes, x.Bytes)
		case k == i:
			sizes = append(sizes, sumBytes(l.Layers[i:j]))
		}
	}
	return sizes
}

// simulated is a stack of layers that are only counted: key → size of its
// value, or tombstone.
type simulated struct {
	layers    []map[int]int
	list      List
	live      map[int]int
	published uint64
	copied    uint64
	longest   int
	worst     float64 // layers' bytes / (live bytes + allowance)
}

const (
	dead     = -1
	overhead = 64 // of an entry, with its key and its share of the index
)

func weigh(m map[int]int) (n uint64) {
	for _, size := range m {
		n += overhead + uint64(max(size, 0))
	}
	return n
}

func (s *simulated) listed(m map[int]int) Listed {
	return Listed{Bytes: 256 + weigh(m), Live: uint64(len(s.live)), Entries: uint64(len(m))}
}

func (s *simulated) publish(delta map[int]int) {
	for k, v := range delta {
		if v == dead {
			delete(s.live, k)
		} else {
			s.live[k] = v
		}
	}
	s.layers = append(s.layers, delta)
	s.list.Layers = append(s.list.Layers, s.listed(delta))
	s.published += s.list.Layers[len(s.layers)-1].Bytes
	s.longest = max(s.longest, len(s.layers))
	for {
		i, j, base, ok := Pick(s.list)
		if !ok {
			break
		}
		sum := map[int]int{}
		for _, m := range s.layers[i:j] {
			for k, v := range m {
				sum[k] = v
				if base && v == dead {
					delete(sum, k)
				}
			}
		}
		one := s.listed(sum)
		s.copied += one.Bytes
		s.layers = append(append(append([]map[int]int{}, s.layers[:i]...), sum), s.layers[j:]...)
		s.list.Layers = append(append(append([]Listed{}, s.list.Layers[:i]...), one), s.list.Layers[j:]...)
	}
	const allowance = slack
	s.worst = max(s.worst, float64(s.list.Bytes())/float64(weigh(s.live)+allowance))
}

// The promises of Pick: how much is copied, how long the list gets, how much
// room it takes, under unlike loads.
func TestPickSimulation(t *testing.T) {
	const rounds = 2000
	for _, c := range []struct {
		name   string
		first  int     // keys in the base
		size   int     // of their values
		copies float64 // bound of bytes copied per byte published
		delta  func(rnd *rand.Rand, n int, d map[int]int)
	}{
		{"only new keys", 0, 0, 9, func(rnd *rand.Rand, n int, d map[int]int) {
			for i := range 20 {
				d[n*20+i] = 40
			}
		}},
		{"a small dictionary overwritten for ever", 100, 40, 3, func(rnd *rand.Rand, n int, d map[int]int) {
			for range 200 {
				d[rnd.IntN(100)] = 40
			}
		}},
		{"one key overwritten", 20_000, 40, 9, func(rnd *rand.Rand, n int, d map[int]int) { d[7] = 40 }},
		{"some keys of many overwritten", 20_000, 100, 9, func(rnd *rand.Rand, n int, d map[int]int) {
			for range 50 {
				d[rnd.IntN(500)] = 100
			}
		}},
		{"all keys overwritten", 20_000, 100, 9, func(rnd *rand.Rand, n int, d map[int]int) {
			for range 50 {
				d[rnd.IntN(20_000)] = 100
			}
		}},
		{"come and go", 1000, 100, 9, func(rnd *rand.Rand, n int, d map[int]int) {
			for i := range 20 {
				d[1000+n*20+i] = 50
				if n > 0 {
					d[1000+n*20+i-20] = dead
				}
			}
		}},
		{"nearly all deleted, large values", 20_000, 1000, 30, func(rnd *rand.Rand, n int, d map[int]int) {
			for i := range 10 {
				d[n*10+i] = dead
			}
		}},
		{"deltas of every size", 20_000, 100, 9, func(rnd *rand.Rand, n int, d map[int]int) {
			for range 1 << rnd.IntN(9) {
				d[rnd.IntN(40_000)] = 100
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, 1))
			s := &simulated{live: map[int]int{}}
			base := map[int]int{}
			for k := range c.first {
				base[k] = c.size
			}
			s.publish(base)
			s.published = 0
			for n := range rounds {
				d := map[int]int{}
				c.delta(rnd, n, d)
				s.publish(d)
			}
			amplification := float64(s.copied) / float64(s.published)
			t.Logf("%.1f bytes copied per byte published, at most %d layers, at most %.2f × the live bytes", amplification, s.longest, s.worst)
			require.LessOrEqual(t, s.longest, MaxLayers)
			require.Less(t, amplification, c.copies)
			require.Less(t, s.worst, 3.0)
		})
	}
}
