package snapshot

import "unsafe"

// The format of a directory, asserted: each is a negative array length unless
// it holds.
type (
	_ [DirectorySize - unsafe.Sizeof(Directory{})]byte
	_ [unsafe.Sizeof(Directory{}) - DirectorySize]byte
	_ [slotsOffset - unsafe.Offsetof(Directory{}.slots)]byte
	_ [unsafe.Offsetof(Directory{}.slots) - slotsOffset]byte
	_ [slotSize - unsafe.Sizeof(directorySlot{})]byte
	_ [unsafe.Sizeof(directorySlot{}) - slotSize]byte
	_ [64 - unsafe.Offsetof(directorySlot{}.words)]byte
	_ [unsafe.Offsetof(directorySlot{}.words) - 64]byte
)
