package snapshot

import "math/bits"

// Constants of the hash: the primes of wyhash. Part of the format.
const (
	hashK0 = 0xa0761d6478bd642f
	hashK1 = 0xe7037ed1a0b428db
	hashK2 = 0x8ebc6af09c88c6e3
	hashK3 = 0x589965cc75374cc3
)

// hasher hashes the keys of one layer: 64 bits from a seed, a dictionary and
// a key. Part of the format.
//
// It is built like wyhash (Wang Yi, public domain): a 64×64→128 bit
// multiplication whose halves are folded together, 16 bytes of key a time.
// Where wyhash mixes the key with known constants this takes secrets derived
// from the seed, because a key that cancels a known constant multiplies by 0
// and so collides under every seed.
type hasher struct{ a, b, c uint64 }

func newHasher(seed uint64) hasher {
	a := fold(seed^hashK0, hashK1)
	b := fold(a^hashK2, seed^hashK3)
	return hasher{a: a, b: b, c: fold(a^hashK3, b^hashK0)}
}

func (s hasher) sum(dict uint64, key string) uint64 {
	h := fold(dict^s.a, s.b^hashK1) ^ s.c
	k := key
	for len(k) > 16 {
		h = fold(load64(k, 0)^s.a, load64(k, 8)^h)
		k = k[16:]
	}
	var x, y uint64
	switch n := len(k); {
	case n >= 8:
		x, y = load64(k, 0), load64(k, n-8)
	case n >= 4:
		x, y = load32(k, 0), load32(k, n-4)
	case n > 0:
		x = uint64(k[0])<<16 | uint64(k[n>>1])<<8 | uint64(k[n-1])
	}
	return fold(s.c^uint64(len(key)), fold(x^s.a, y^h^s.b)^hashK2)
}

func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}

func load64(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load32(s string, i int) uint64 {
	s = s[i : i+4]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}
