package replica

import (
	"reflect"
	"unsafe"
)

// Beside puts values of type V right behind their versions, in one piece of memory:
// whoever reads one touches neighbours. The interface value points there, see [Box].
// The zero Beside is of no use to anybody.
type Beside[V any] struct{ word unsafe.Pointer }

// beside is a version with the value that it holds.
type beside[V any] struct {
	Version
	v V
}

// NewBeside returns a usable Beside only if V is a struct of some size: smaller ones may
// stand in the interface itself.
func NewBeside[V any]() Beside[V] {
	t := reflect.TypeFor[V]()
	if t.Kind() != reflect.Struct || t.Size() <= 2*unsafe.Sizeof(uintptr(0)) {
		return Beside[V]{}
	}
	var zero V
	boxed := any(zero)
	return Beside[V]{word: (*eface)(unsafe.Pointer(&boxed)).word}
}

// Usable reports whether the methods may be called.
func (b Beside[V]) Usable() bool { return b.word != nil }

// With is [Version.With].
func (b Beside[V]) With(v *Version, value V, as Form) *Version {
	c := &beside[V]{v: value}
	c.become(v, as)
	e := eface{word: b.word, data: unsafe.Pointer(&c.v)}
	c.value = *(*any)(unsafe.Pointer(&e))
	return &c.Version
}

// Value is where the value of a version stands that is decoded, nil if it is no V. A
// type assertion would copy it once more on the way to whoever wants it.
func (b Beside[V]) Value(v *Version) *V {
	e := (*eface)(unsafe.Pointer(&v.value))
	if e.word != b.word || v.meta&decoded == 0 {
		return nil
	}
	return (*V)(e.data)
}
