package record

import (
	"hash/crc32"
	"unsafe"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum is the checksum of records, tables and values: CRC-32C.
//
// The compiler cannot see that the library keeps nothing of b, since it calls
// its implementations through variables: hidden from it, b may stand on the
// stack.
func Sum(b []byte) uint32 {
	p := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	hidden := *(*unsafe.Pointer)(unsafe.Pointer(&p))
	return crc32.Update(0, castagnoli, unsafe.Slice((*byte)(hidden), len(b)))
}
