package peers

import "unsafe"

// The layout is part of the format: these lines do not compile if it changes.
var (
	_ [64]byte           = [unsafe.Sizeof(Entry{})]byte{}
	_ [64 + 64*2048]byte = [unsafe.Sizeof(Section{})]byte{}

	_ [0]byte  = [unsafe.Offsetof(Section{}.next)]byte{}
	_ [64]byte = [unsafe.Offsetof(Section{}.table)]byte{}

	_ [0]byte  = [unsafe.Offsetof(Entry{}.id)]byte{}
	_ [4]byte  = [unsafe.Offsetof(Entry{}.ready)]byte{}
	_ [8]byte  = [unsafe.Offsetof(Entry{}.pid)]byte{}
	_ [12]byte = [unsafe.Offsetof(Entry{}.namespace)]byte{}
	_ [16]byte = [unsafe.Offsetof(Entry{}.start)]byte{}
	_ [24]byte = [unsafe.Offsetof(Entry{}.joined)]byte{}
	_ [32]byte = [unsafe.Offsetof(Entry{}.Applied)]byte{}
	_ [40]byte = [unsafe.Offsetof(Entry{}.Pin)]byte{}
	_ [48]byte = [unsafe.Offsetof(Entry{}.Commits)]byte{}
	_ [56]byte = [unsafe.Offsetof(Entry{}.PinFrom)]byte{}
)
