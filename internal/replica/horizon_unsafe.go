package replica

import "unsafe"

// A horizon says that everything in a dictionary that is older is absent. It is an
// entry of the overlay, so that views see it from its position on, and it goes where
// newer layers have taken its place. The entry belongs to a dictionary that does not
// exist; its key is the number of the one that was cleared.

// horizonOf is the key of the horizon of a dictionary. It lives as long as *dict.
func horizonOf(dict *uint64) Key {
	return Key{Dict: none, Str: unsafe.String((*byte)(unsafe.Pointer(dict)), 8)}
}
