package snapshot

import (
	"bytes"
	"fmt"
	"maps"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// oneKey is a layer that says one thing of one key.
func oneKey(t testing.TB, from, to, dict uint64, key string) *Layer {
	return open(t, build(t, from, to, []Header{{Dict: dict, Live: 1}}, []Entry{{Dict: dict, Key: key, Revision: to}}))
}

// Keys of one tag, in one row of cells, are told apart; so are dictionaries.
func TestSaidCollisions(t *testing.T) {
	const n = 4
	layers := []*Layer{oneKey(t, 0, 1, 0, "oldest")}
	for i := range n {
		layers = append(layers, oneKey(t, uint64(i+1), uint64(i+2), 7, fmt.Sprint("before ", i)))
	}
	s := newSaid(layers, saidEntries)
	require.Equal(t, 1, s.first)
	// The keys are chosen for the hash, so the layers come after the table.
	cell := func(key string) (uint64, uint16) {
		sum := s.hash.sum(7, key)
		at, _ := bits.Mul64(sum, uint64(len(s.cells)))
		return at, uint16(sum)
	}
	keys := []string{"key 0"}
	at, tag := cell(keys[0])
	for i := 1; len(keys) <= n; i++ {
		key := fmt.Sprint("key ", i)
		if a, b := cell(key); a == at && b == tag {
			keys = append(keys, key)
		}
	}
	for i := n; i > 0; i-- {
		key := keys[i-1]
		layers[i] = oneKey(t, uint64(i), uint64(i+1), 7, key)
		h := head{dict: 7, offset: layers[i].at.entries}
		over, err := s.again(i, &h, key)
		require.NoError(t, err)
		require.False(t, over, "%s was not said yet", key)
	}
	for i, key := range keys {
		over, err := s.again(0, &head{dict: 7}, key)
		require.NoError(t, err)
		require.Equal(t, i < n, over, key)
		over, err = s.again(0, &head{dict: 8}, key)
		require.NoError(t, err)
		require.False(t, over, "of another dictionary")
	}
	_, err := s.again(1, &head{dict: 7}, "more than there were")
	require.ErrorIs(t, err, errs.ErrCorrupt)

	// Damage of any of them is no "not said".
	l := layers[n]
	l.data[l.at.entries+entryHead+8] ^= 1 // the key
	_, err = s.again(0, &head{dict: 7}, keys[n-1])
	require.ErrorIs(t, err, errs.ErrCorrupt)
	_, err = s.again(0, &head{dict: 7}, keys[n])
	require.ErrorIs(t, err, errs.ErrCorrupt)
}

// Hundreds of layers, more than are remembered, of several dictionaries with
// tombstones and horizons, merged in two steps and in one, give what maps give.
func TestMergeMany(t *testing.T) {
	for _, count := range []int{2, 30, 255, 256, 257, 400} {
		rnd := rand.New(rand.NewPCG(uint64(count), 5))
		live := map[uint64]map[string]uint64{1: {}, 2: {}, 1 << 40: {}}
		dicts := []uint64{1, 2, 1 << 40}
		var s Stack
		for i := range count {
			from := uint64(i * 100)
			b := NewBuilder(from, from+100)
			for _, dict := range dicts {
				h := Header{Dict: dict}
				if rnd.IntN(count) < 2 {
					h.Horizon = from + 1
					clear(live[dict])
				}
				for range rnd.IntN(40) {
					key := fmt.Sprint(rnd.IntN(500))
					e := Entry{Dict: dict, Key: key, Revision: from + 2, Tombstone: rnd.IntN(3) == 0}
					if l := b.list; len(l) > 0 && contains(l, dict, key) {
						continue
					}
					require.NoError(t, b.Add(e))
					if delete(live[dict], key); !e.Tombstone {
						live[dict][key] = e.Revision
					}
				}
				h.Live = uint64(len(live[dict]))
				b.SetHeader(h)
			}
			data := make([]byte, b.Size())
			require.NoError(t, b.Build(data, nil))
			s.Layers = append(s.Layers, open(t, data))
		}
		merge := func(layers []*Layer, base bool) *Layer {
			m, err := PlanMerge(layers, base, nil)
			require.NoError(t, err)
			m.seed = 1
			data := make([]byte, m.Size())
			require.NoError(t, m.Build(data, nil))
			return open(t, data)
		}
		one := merge(s.Layers, true)
		two := merge([]*Layer{s.Layers[0], merge(s.Layers[1:], false)}, true)
		require.True(t, bytes.Equal(one.data, two.data), "%d layers", count)
		for dict, want := range live {
			got := map[string]uint64{}
			for e, err := range one.AllOf(dict) {
				require.NoError(t, err)
				require.False(t, e.Tombstone)
				got[e.Key] = e.Revision
			}
			require.True(t, maps.Equal(want, got), "dictionary %d of %d layers", dict, count)
			for i := range 500 {
				key := fmt.Sprint(i)
				e, ok, err := s.Find(dict, key, nil)
				require.NoError(t, err)
				require.Equal(t, want[key], e.Revision)
				require.Equal(t, want[key] > 0, ok)
			}
		}
	}
}

func contains(list []Entry, dict uint64, key string) bool {
	for _, e := range list {
		if e.Dict == dict && e.Key == key {
			return true
		}
	}
	return false
}
