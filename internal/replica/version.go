package replica

import (
	"encoding/binary"
	"sync/atomic"
)

// Version is one value of one key, as of the commit that ended at Revision. It
// fills a cache line; all versions of a key share its name.
type Version struct {
	Revision uint64
	name     *name // nil outside of overlays
	value    any
	meta     uint64 // flags in the low byte; above it, see created
	prev     atomic.Pointer[Version]
	data     *byte  // the encoded value, n bytes
	n        uint64 // where data is nil, what value points at: a number
}

// The flags of a version.
const (
	tombstone uint64 = 1 << iota // the key is absent as of Revision
	decoded                      // value is set; there may be no encoded one
	external                     // the encoded value is a place: it says where the encoded value stands
	rooted                       // created is known; otherwise the base may know an earlier one
	gap                          // not a version: those from Revision on were let go
	typed                        // value is of a type that one handle has chosen, see Form
	nested                       // the encoded value is the number of a dictionary
	expiring                     // the encoded value begins with a deadline

	flagBits = 8
	kept     = tombstone | decoded | external | typed | nested | expiring
)

// Form says for whom a value was decoded. Handles of one nested dictionary may have
// different types.
type Form uint64

// The forms of values.
const (
	Plain Form = Form(decoded)         // as everybody sees it; in the root dictionary: as its handle does
	Typed Form = Form(decoded | typed) // as a handle with a type of its own does, which has to look
)

// Ready reports whether the value is decoded in a form, and is neither a dictionary nor
// one whose time may be up.
func (v *Version) Ready(as Form) bool {
	return v.meta&(decoded|typed|nested|expiring) == uint64(as)
}

// In reports whether the value is decoded in a form.
func (v *Version) In(form Form) bool { return v.meta&(decoded|typed) == uint64(form) }

// deadlineSize is the size in bytes of the deadline before an encoded value.
const deadlineSize = 8

// Expiring returns a version whose time is up at a deadline, a number other than 0. raw
// need only live as long as the call.
func Expiring(revision uint64, deadline int64, raw []byte) *Version {
	b := make([]byte, 0, deadlineSize+len(raw))
	b = append(binary.LittleEndian.AppendUint64(b, uint64(deadline)), raw...)
	return Deadlined(revision, b)
}

// Deadlined is Expiring of bytes that begin with the deadline, as a layer keeps
// them. They are the version's from now on.
func Deadlined(revision uint64, stored []byte) *Version {
	v := Encoded(revision, stringOf(stored))
	v.meta |= expiring
	return v
}

// Nested returns a version that is a dictionary; raw is its encoded number.
func Nested(revision uint64, raw string) *Version {
	v := Encoded(revision, raw)
	v.meta |= nested
	return v
}

// AsExternal makes v, which nobody can reach yet, one whose encoded value is a place.
func (v *Version) AsExternal() *Version {
	v.meta |= external
	return v
}

// IsNested reports whether Raw is the number of a dictionary.
func (v *Version) IsNested() bool { return v.meta&nested != 0 }

// Deadline is when the version's time is up, 0 for never.
func (v *Version) Deadline() int64 {
	if v.meta&expiring == 0 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64([]byte(v.stored()[:deadlineSize])))
}

// created is the first revision of this life of the key, as far as the overlay
// knows; whether it knows for certain says rooted.
func (v *Version) created() uint64 { return v.meta >> flagBits }

func (v *Version) setCreated(revision uint64, root uint64) {
	v.meta = v.meta&kept | root&rooted | revision<<flagBits
}

// cut ends a chain whose older versions were let go.
var cut = &Version{meta: gap}

// lost reports whether v is no version but says that the one that was looked
// for was let go.
func (v *Version) lost() bool { return v.meta&gap != 0 }

// Encoded returns a version whose value is decoded when somebody asks. The
// string must be memory of its own.
func Encoded(revision uint64, raw string) *Version {
	v := &Version{Revision: revision}
	v.setRaw(raw)
	return v
}

// External returns a version whose value stands elsewhere; place says where.
func External(revision uint64, place string) *Version {
	v := &Version{Revision: revision, meta: external}
	v.setRaw(place)
	return v
}

// Decoded returns a version that holds its value, which must not be changed by
// anybody from now on.
func Decoded(revision uint64, value any) *Version {
	return &Version{Revision: revision, value: value, meta: decoded}
}

// Absent returns a version that says the key is gone.
func Absent(revision uint64) *Version {
	return &Version{Revision: revision, meta: tombstone}
}

// From returns v as what the base says of a key that was created at the given
// revision.
func (v *Version) From(created uint64) *Version {
	v.setCreated(created, rooted)
	return v
}

// follow notes in v when its key was created, given the version before it, nil
// for none in the overlay.
func (v *Version) follow(s *State, k Key, old *Version) {
	switch {
	case old == nil:
		v.setCreated(v.Revision, 0)
	case !old.live() || s.Wiped(k.Dict, old.Revision, v.Revision):
		v.setCreated(v.Revision, rooted)
	default:
		v.setCreated(old.created(), old.meta)
	}
}

// Value is the decoded value; ok is false while it is still encoded.
func (v *Version) Value() (value any, ok bool) { return v.value, v.meta&decoded != 0 }

// IsExternal reports whether Raw is a place.
func (v *Version) IsExternal() bool { return v.meta&external != 0 }

// live reports whether the version is a value.
func (v *Version) live() bool { return v.meta&tombstone == 0 }

// With is v with its value decoded. The encoded form is kept: whoever
// wants a copy of its own decodes it again.
func (v *Version) With(value any, as Form) *Version {
	c := &Version{}
	c.become(v, as)
	c.value = value
	return c
}

// become makes c, which nobody can reach yet, what v is, but for the value.
func (c *Version) become(v *Version, as Form) {
	c.Revision, c.name, c.meta, c.data, c.n = v.Revision, v.name, v.meta&^typed|uint64(as), v.data, v.n
	c.link(v.prev.Load())
}
