package snapshot

import (
	"hash/crc32"
	"unsafe"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum continues a CRC-32C over p. The start of a piece is its place
// instead of 0, see [place].
//
// crc32 calls the machine's implementation through a variable, which makes
// the compiler move every argument to the heap; none of them keeps it.
func checksum(crc uint32, p []byte) uint32 {
	if len(p) == 0 {
		return crc
	}
	return crc32.Update(crc, castagnoli, unsafe.Slice((*byte)(noescape(unsafe.Pointer(unsafe.SliceData(p)))), len(p)))
}

// checksumString is checksum of a string.
func checksumString(crc uint32, s string) uint32 {
	return checksum(crc, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// place is the value a checksum begins with: the number of a bucket or a
// header, the offset of an entry. Part of the format.
func place(n uint64) uint32 { return uint32(n) ^ uint32(n>>32) }

// view returns b as a string without a copy, for a call that does not keep it
// while b does not change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// noescape hides a pointer from escape analysis; whoever is called with it
// must not keep it. Not inlined, and nosplit, so that the stack cannot move
// while the address is held as a number.
//
//go:noinline
//go:nosplit
func noescape(p unsafe.Pointer) unsafe.Pointer {
	x := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&x))
}
