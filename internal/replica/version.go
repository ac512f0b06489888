package replica

import "sync/atomic"

// Version is one value of one key, as of the commit that ended at Revision.
type Version struct {
	Revision uint64
	created  uint64 // first revision of this life of the key, see rooted
	prev     atomic.Pointer[Version]
	value    any
	raw      string
	number   uint64 // what value points at, where it is a number
	flags    uint8
}

const (
	tombstone uint8 = 1 << iota // the key is absent as of Revision
	decoded                     // value is set; raw may be empty
	external                    // raw says where the encoded value stands
	rooted                      // created is known; otherwise the base may know an earlier one
)

// cut ends a chain whose older versions were let go.
var cut = new(Version)

// Encoded returns a version whose value is decoded when somebody asks. The
// string must be memory of its own.
func Encoded(revision uint64, raw string) *Version {
	return &Version{Revision: revision, raw: raw}
}

// External returns a version whose value stands elsewhere; place says where.
func External(revision uint64, place string) *Version {
	return &Version{Revision: revision, raw: place, flags: external}
}

// Decoded returns a version that holds its value, which must not be changed by
// anybody from now on.
func Decoded(revision uint64, value any) *Version {
	return &Version{Revision: revision, value: value, flags: decoded}
}

// Absent returns a version that says the key is gone.
func Absent(revision uint64) *Version {
	return &Version{Revision: revision, flags: tombstone}
}

// From returns v as what the base says of a key that was created at the given
// revision.
func (v *Version) From(created uint64) *Version {
	v.created = created
	v.flags |= rooted
	return v
}

// follow notes in v when its key was created, given the version before it, nil
// for none in the overlay.
func (v *Version) follow(s *State, k Key, old *Version) {
	switch {
	case old == nil:
		v.created = v.Revision
	case !old.live() || s.Wiped(k.Dict, old.Revision, v.Revision):
		v.created = v.Revision
		v.flags |= rooted
	default:
		v.created = old.created
		v.flags |= old.flags & rooted
	}
}

// Value is the decoded value; ok is false while it is still encoded.
func (v *Version) Value() (value any, ok bool) { return v.value, v.flags&decoded != 0 }

// Raw is the encoded value, empty where only the decoded one was kept.
func (v *Version) Raw() string { return v.raw }

// IsExternal reports whether Raw is a place.
func (v *Version) IsExternal() bool { return v.flags&external != 0 }

// live reports whether the version is a value.
func (v *Version) live() bool { return v.flags&tombstone == 0 }

// decodedCopy is v with its value decoded. The encoded form is kept: whoever
// wants a copy of its own decodes it again.
func (v *Version) decodedCopy(value any) *Version {
	c := &Version{Revision: v.Revision, created: v.created, raw: v.raw, value: value, flags: decoded | v.flags&(external|rooted)}
	c.prev.Store(v.prev.Load())
	return c
}
