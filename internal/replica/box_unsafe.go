package replica

import "unsafe"

// Box puts numbers of type V into versions without a further allocation: the
// interface value points into the version itself. That is sound because
// interface values are immutable, versions are too, and the collector keeps a
// whole object alive for a pointer into it.
type Box[V any] struct{ word unsafe.Pointer }

// eface is how the runtime lays out an empty interface.
type eface struct{ word, data unsafe.Pointer }

// NewBox returns the box of V, which must be a boolean, an integer or a
// floating-point type, so without pointers and of at most eight bytes.
func NewBox[V any]() Box[V] {
	var zero V
	boxed := any(zero)
	return Box[V]{word: (*eface)(unsafe.Pointer(&boxed)).word}
}

// Decoded is [Decoded] for a number.
func (b Box[V]) Decoded(revision uint64, n V) *Version {
	v := &Version{Revision: revision, meta: decoded}
	*(*V)(unsafe.Pointer(&v.n)) = n
	e := eface{word: b.word, data: unsafe.Pointer(&v.n)}
	v.value = *(*any)(unsafe.Pointer(&e))
	return v
}
