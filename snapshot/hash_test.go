package snapshot

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var goldenHashes = []uint64{
	0x4fafa972c87d4dbb, 0x9857997043a98102, 0xf1fd07d80a0b9721, 0xbaa36f1cbdd7a2b4, 0x20d983dbc5f615ea,
	0xcbd4803a3dd27ab5, 0x94e69f7f1f67b7ed, 0xb34b68cb203e029e, 0xa77fd830afd51a28, 0xd6289115889d26a0,
	0x90f195950f3b7a82, 0xd920ddbb6eeb6839, 0x947387a41749c5b8, 0x1a89f9e7bae7a439,
}

// The hash is part of the format: the same everywhere, for ever.
func TestHashGolden(t *testing.T) {
	const text = "the quick brown fox jumps over the lazy dog, twice."
	var got []uint64
	for _, n := range []int{0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 32, 33, 51} {
		got = append(got, newHasher(42).sum(uint64(n%2), text[:n]))
	}
	require.Equal(t, goldenHashes, got)
}

// One bit changed anywhere in key, dictionary or seed changes half the bits.
func TestHashAvalanche(t *testing.T) {
	for n := range 50 {
		key := []byte(strings.Repeat("\x00", n))
		var changed, trials int
		flip := func(a, b uint64) {
			changed += bits.OnesCount64(a ^ b)
			trials++
			require.Greater(t, bits.OnesCount64(a^b), 8)
		}
		h := newHasher(7)
		was := h.sum(0, string(key))
		for i := range key {
			for bit := range 8 {
				key[i] ^= 1 << bit
				flip(was, h.sum(0, string(key)))
				key[i] ^= 1 << bit
			}
		}
		for bit := range 64 {
			flip(was, h.sum(1<<bit, string(key)))
			flip(was, newHasher(7^1<<bit).sum(0, string(key)))
		}
		require.InDelta(t, 32, float64(changed)/float64(trials), 2)
	}
}

// Keys that collide under one seed do not under another.
func TestHashSeed(t *testing.T) {
	a, b := newHasher(1), newHasher(2)
	const mask = 1<<16 - 1
	slots := map[uint64]string{}
	pairs, both := 0, 0
	for i := range 10_000 {
		key := fmt.Sprint("key ", i)
		at := a.sum(0, key) & mask
		if other, ok := slots[at]; ok {
			pairs++
			if b.sum(0, key)&mask == b.sum(0, other)&mask {
				both++
			}
		}
		slots[at] = key
	}
	require.Greater(t, pairs, 300)
	require.Less(t, both, 5)
}
