package replica

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"unsafe"
)

var (
	seed   = maphash.MakeSeed()
	first  = rand.Uint64()
	second = rand.Uint64()
)

// hash is the hash of a key in this process. Keys of up to 16 bytes are hashed
// in place by the multiply-and-fold of wyhash (Wang Yi, public domain), which
// costs half of the call that longer ones take.
func hash(k Key) uint64 {
	n := len(k.Str)
	if n > 16 {
		return maphash.String(seed, k.Str) ^ k.Dict*0x9e3779b97f4a7c15
	}
	p := unsafe.Pointer(unsafe.StringData(k.Str))
	var a, b uint64
	switch {
	case n >= 8:
		a = *(*uint64)(p)
		b = *(*uint64)(unsafe.Add(p, n-8))
	case n >= 4:
		a = uint64(*(*uint32)(p))
		b = uint64(*(*uint32)(unsafe.Add(p, n-4)))
	case n > 0:
		a = uint64(*(*byte)(p))<<16 | uint64(*(*byte)(unsafe.Add(p, n/2)))<<8 | uint64(*(*byte)(unsafe.Add(p, n-1)))
	}
	hi, lo := bits.Mul64(a^first, b^second^uint64(n)<<56)
	hi, lo = bits.Mul64(hi^lo^k.Dict, 0x9e3779b97f4a7c15)
	return hi ^ lo
}
