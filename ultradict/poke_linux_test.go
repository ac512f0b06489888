package ultradict_test

import "unsafe"

// storeAt stores a byte at an address.
func storeAt(address uintptr) {
	p := *(**byte)(unsafe.Pointer(&address))
	*p = 1
}
