package replica

import "unsafe"

// name is a key as an overlay keeps it. Its string stands right behind it, in
// the same piece of memory, so that comparing touches one place. It never
// changes.
type name struct {
	dict uint64
	n    uint64 // bytes of the string
}

const nameWords = unsafe.Sizeof(name{}) / 8

// newName returns the name of a key, which need only live as long as the call.
func newName(k Key) *name {
	n := len(k.Str)
	memory := make([]uint64, int(nameWords)+max(1, (n+7)/8)) // an empty string has a place too
	m := (*name)(unsafe.Pointer(unsafe.SliceData(memory)))
	m.dict, m.n = k.Dict, uint64(n)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&memory[nameWords])), n), k.Str)
	return m
}

// str is the string of the key.
func (m *name) str() string {
	return unsafe.String((*byte)(unsafe.Add(unsafe.Pointer(m), unsafe.Sizeof(*m))), m.n)
}

func (m *name) key() Key { return Key{m.dict, m.str()} }

// is reports whether m is the name of k. Short keys are compared in place: a
// call would cost more than that.
func (m *name) is(k Key) bool {
	n := len(k.Str)
	if m.n != uint64(n) || m.dict != k.Dict {
		return false
	}
	p, q := unsafe.Add(unsafe.Pointer(m), unsafe.Sizeof(*m)), unsafe.Pointer(unsafe.StringData(k.Str))
	if n >= 8 && n <= 16 {
		return *(*uint64)(p) == *(*uint64)(q) && *(*uint64)(unsafe.Add(p, n-8)) == *(*uint64)(unsafe.Add(q, n-8))
	}
	return m.str() == k.Str
}
