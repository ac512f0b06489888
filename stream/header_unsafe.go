package stream

import "unsafe"

// The layout of a Header, checked by the compiler; part of the format.
var (
	_ = [1]struct{}{}[unsafe.Offsetof(Header{}.head)]
	_ = [1]struct{}{}[unsafe.Offsetof(Header{}.written)-8]
	_ = [1]struct{}{}[unsafe.Offsetof(Header{}.tail)-64]
	_ = [1]struct{}{}[unsafe.Offsetof(Header{}.floor)-72]
	_ = [1]struct{}{}[unsafe.Offsetof(Header{}.bell)-128]
	_ = [1]struct{}{}[unsafe.Offsetof(Header{}.slots)-192]
	_ = [1]struct{}{}[unsafe.Offsetof(slot{}.segment)-8]
	_ = [1]struct{}{}[unsafe.Sizeof(slot{})-16]
	_ = [1]struct{}{}[unsafe.Sizeof(Header{})-HeaderSize]
)
