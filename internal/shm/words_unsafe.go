package shm

import "unsafe"

// At lays a T over b at offset off, so that its fields are the shared words
// themselves. It returns false if the T would not lie inside b, is empty, or
// would be misaligned.
//
// T must have a layout that does not depend on the compiler's whim
// (structs.HostLayout, fixed widths) and hold no Go pointer: the garbage
// collector does not look into mapped memory. If b lies in a [Segment], the
// pointer must not outlive the Segment, as no slice may.
func At[T any](b []byte, off int) (*T, bool) {
	var t T
	size := unsafe.Sizeof(t)
	if size == 0 || off < 0 || off > len(b) || uintptr(len(b)-off) < size {
		return nil, false
	}
	p := unsafe.Pointer(&b[off])
	if uintptr(p)%unsafe.Alignof(t) != 0 {
		return nil, false
	}
	return (*T)(p), true
}

// bytes returns the memory of the header itself.
func (h *Header) bytes() []byte {
	return (*[HeaderSize]byte)(unsafe.Pointer(h))[:]
}

// The layout of Header is part of the format: these lines do not compile if it
// changes.
const (
	_ = -(unsafe.Sizeof(Header{}) ^ HeaderSize)
	_ = -(unsafe.Offsetof(Header{}.Version) ^ 8)
	_ = -(unsafe.Offsetof(Header{}.Order) ^ 12)
	_ = -(unsafe.Offsetof(Header{}.Kind) ^ 16)
	_ = -(unsafe.Offsetof(Header{}.Checksum) ^ 20)
	_ = -(unsafe.Offsetof(Header{}.Instance) ^ 24)
	_ = -(unsafe.Offsetof(Header{}.Size) ^ 40)
	_ = -(unsafe.Offsetof(Header{}.Creator) ^ 48)
	_ = -(unsafe.Offsetof(Header{}.Seq) ^ 52)
	_ = -(unsafe.Offsetof(Header{}.Reserved) ^ 56)
)
