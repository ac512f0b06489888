package replica

import "sync/atomic"

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

	flagBits = 8
)

// created is the first revision of this life of the key, as far as the overlay
// knows; whether it knows for certain says rooted.
func (v *Version) created() uint64 { return v.meta >> flagBits }

func (v *Version) setCreated(revision uint64, root uint64) {
	v.meta = v.meta&(tombstone|decoded|external) | root&rooted | revision<<flagBits
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

// decodedCopy is v with its value decoded. The encoded form is kept: whoever
// wants a copy of its own decodes it again.
func (v *Version) decodedCopy(value any) *Version {
	c := &Version{Revision: v.Revision, name: v.name, value: value, meta: v.meta | decoded, data: v.data, n: v.n}
	c.link(v.prev.Load())
	return c
}
