package replica

import (
	"strings"
	"unsafe"
)

// name gives a version its key, which need only live as long as the call. A
// long key is shared with the version before it, if there is one.
func (v *Version) name(k Key, before *Version) {
	v.dict = k.Dict
	switch {
	case len(k.Str) <= len(v.short):
		copy(v.short[:], k.Str)
		v.key = unsafe.String(&v.short[0], len(k.Str))
	case before != nil:
		v.key = before.key
	default:
		v.key = strings.Clone(k.Str)
	}
}

func (v *Version) setRaw(raw string) {
	v.data, v.n = unsafe.StringData(raw), uint64(len(raw))
}

// Raw is the encoded value, empty where only the decoded one was kept.
func (v *Version) Raw() string {
	if v.data == nil {
		return ""
	}
	return unsafe.String(v.data, v.n)
}

// link sets the version before v, which nobody can reach yet: a plain store
// does, and costs a tenth of an atomic one.
func (v *Version) link(before *Version) {
	*(**Version)(unsafe.Pointer(&v.prev)) = before
}
