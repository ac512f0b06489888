package ultradict

import "unsafe"

// stringOf is a key of a string type as a string. The caller has checked that
// K is one.
func stringOf[K comparable](key *K) string { return *(*string)(unsafe.Pointer(key)) }

// keyOf is the reverse, likewise.
func keyOf[K comparable](s string) K { return *(*K)(unsafe.Pointer(&s)) }
