package locks

import "unsafe"

// The layouts are part of the format: these lines do not compile if one changes.
var (
	_ [64]byte = [unsafe.Sizeof(Word{})]byte{}
	_ [0]byte  = [unsafe.Offsetof(Word{}.state)]byte{}
	_ [8]byte  = [unsafe.Offsetof(Word{}.claim)]byte{}
	_ [16]byte = [unsafe.Offsetof(Word{}.seen)]byte{}
	_ [24]byte = [unsafe.Offsetof(Word{}.takeovers)]byte{}
	_ [32]byte = [unsafe.Offsetof(Word{}.waits)]byte{}

	_ [fileSize]byte = [unsafe.Sizeof(contents{})]byte{}
	_ [0]byte        = [unsafe.Offsetof(contents{}.header)]byte{}
	_ [64]byte       = [unsafe.Offsetof(contents{}.words)]byte{}
	_ [512]byte      = [unsafe.Offsetof(contents{}.peers)]byte{}
)

// lay lays the structure of a lock file over its mapping, which begins at a
// page and therefore is aligned.
func lay(mem []byte) *contents {
	_ = mem[fileSize-1]
	return (*contents)(unsafe.Pointer(&mem[0]))
}
