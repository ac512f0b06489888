package core

import "unsafe"

// controlSize is the size of a control segment in bytes; part of the format.
const controlSize = int64(unsafe.Sizeof(control{}))

// Where the sections of a control segment begin.
const (
	atLock     = int64(unsafe.Offsetof(control{}.lock))
	atRetry    = int64(unsafe.Offsetof(control{}.retry))
	atWork     = int64(unsafe.Offsetof(control{}.work))
	atMerge    = atWork + int64(unsafe.Offsetof(work{}.merge))
	atFull     = atWork + int64(unsafe.Offsetof(work{}.full))
	atTimed    = atWork + int64(unsafe.Offsetof(work{}.timed))
	atExpiry   = atWork + int64(unsafe.Offsetof(work{}.expiry))
	atSaving   = atWork + int64(unsafe.Offsetof(work{}.saving))
	atPeers    = int64(unsafe.Offsetof(control{}.peers))
	atStream   = int64(unsafe.Offsetof(control{}.stream))
	atSnapshot = int64(unsafe.Offsetof(control{}.snapshot))
)

// The layout is part of the format: what is asserted here holds on every
// architecture.
var (
	_ [0]struct{} = [unsafe.Sizeof(identity{}) - identitySize]struct{}{}
	_ [0]struct{} = [unsafe.Sizeof(work{}) - 192]struct{}{}
	_ [0]struct{} = [unsafe.Sizeof(saving{}) - 48]struct{}{}
	_ [0]struct{} = [unsafe.Offsetof(control{}.lock) - 1024]struct{}{}
	_ [0]struct{} = [unsafe.Offsetof(control{}.stream) % 64]struct{}{}
	_ [0]struct{} = [unsafe.Offsetof(control{}.snapshot) % 64]struct{}{}
)
