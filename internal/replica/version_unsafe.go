package replica

import "unsafe"

func (v *Version) setRaw(raw string) {
	v.data, v.n = unsafe.StringData(raw), uint64(len(raw))
}

// Raw is the encoded value, empty where only the decoded one was kept.
func (v *Version) Raw() string {
	if v.meta&expiring != 0 {
		return v.stored()[deadlineSize:]
	}
	return v.stored()
}

// stored is the encoded value with its deadline, if it has one.
func (v *Version) stored() string {
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

// stringOf is b as a string: nobody changes it any more.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
