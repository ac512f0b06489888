package core

import "unsafe"

// controlSize is the size of a control segment in bytes; part of the format.
const controlSize = int64(unsafe.Sizeof(control{}))

// The layout is part of the format: what is asserted here holds on every
// architecture.
var (
	_ [0]struct{} = [unsafe.Sizeof(identity{}) - identitySize]struct{}{}
	_ [0]struct{} = [unsafe.Sizeof(work{}) - 192]struct{}{}
	_ [0]struct{} = [unsafe.Offsetof(control{}.lock) - 1024]struct{}{}
	_ [0]struct{} = [unsafe.Offsetof(control{}.stream) % 64]struct{}{}
	_ [0]struct{} = [unsafe.Offsetof(control{}.snapshot) % 64]struct{}{}
)
