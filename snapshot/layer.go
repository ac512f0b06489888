package snapshot

import (
	"fmt"
	"iter"
	"runtime"

	"github.com/ultradict/go/internal/errs"
)

// Layer is an immutable table, read in place. It is made by [Open]; its
// methods may be called by any number of goroutines at once.
type Layer struct {
	data  []byte // exactly the layer; may be a mapping
	owner any    // what keeps data readable
	name  string

	from, to            uint64
	entries, tombstones uint64
	size                uint64
	dicts, externals    uint64
	buckets             uint64
	probes              uint64
	externalCRC         uint32
	hash                hasher
	at                  layout

	cached []dictEntry // all of the dictionary headers, if they are few and whole
	tagged tagged
}

// cacheLimit is how many dictionary headers a layer may have to keep private
// copies of them: 2.5 KiB at most, which spares nearly every look-up in a
// [Stack] a checksum a layer.
const cacheLimit = 64

// Open returns the layer that data holds; data begins with the [Reserved]
// bytes and may be longer than the layer. It costs the same for any number of
// entries. The name appears in errors. The owner is kept reachable as long as
// the layer is, so that whoever unmaps data can do so when owner is collected.
//
// Errors: [errs.ErrVersion], or a *[errs.CorruptError].
func Open(data []byte, name string, owner any) (*Layer, error) {
	l := &Layer{data: data, owner: owner, name: name}
	err := l.readHeader()
	if err == nil {
		l.cacheDicts()
	}
	runtime.KeepAlive(owner)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// cacheDicts leaves damage to be found, and said, by whoever needs the header.
func (l *Layer) cacheDicts() {
	if l.dicts > cacheLimit {
		return
	}
	cached := make([]dictEntry, l.dicts)
	for i := range cached {
		if l.readDict(&cached[i], uint64(i)) != nil || i > 0 && cached[i].Dict <= cached[i-1].Dict {
			return
		}
	}
	l.cached = cached
}

// readHeader validates magic, version, checksum, then what they protect.
func (l *Layer) readHeader() error {
	if len(l.data) < headerEnd {
		return l.corrupt(uint64(len(l.data)), "shorter than the header of a layer")
	}
	var h [headerEnd]byte
	copy(h[Reserved:], l.data[Reserved:])
	if string(h[offMagic:offVersion]) != magic {
		return l.corrupt(offMagic, "not a layer")
	}
	if v := h[offVersion]; v != version {
		return fmt.Errorf("open layer %s: format version %q instead of %q: %w", l.name, v, version, errs.ErrVersion)
	}
	if checksum(0, h[Reserved:offHeaderCRC]) != le.Uint32(h[offHeaderCRC:]) {
		return l.corrupt(offHeaderCRC, "checksum of the layer header")
	}
	l.from, l.to = le.Uint64(h[offFrom:]), le.Uint64(h[offTo:])
	l.entries, l.tombstones = le.Uint64(h[offEntries:]), le.Uint64(h[offTombstones:])
	l.size = le.Uint64(h[offSize:])
	l.dicts, l.externals = le.Uint64(h[offDicts:]), le.Uint64(h[offExternals:])
	l.buckets = le.Uint64(h[offBuckets:])
	l.probes = uint64(le.Uint32(h[offProbes:]))
	l.externalCRC = le.Uint32(h[offExternalCRC:])
	l.hash = newHasher(le.Uint64(h[offSeed:]))

	if l.size > uint64(len(l.data)) || l.size > maxSize || l.size < headerEnd {
		return l.corrupt(offSize, fmt.Sprintf("size %d of a layer in %d bytes", l.size, len(l.data)))
	}
	if l.from > l.to {
		return l.corrupt(offFrom, "begins after its end")
	}
	if l.dicts > l.size/dictSize || l.externals > l.size/8 || l.buckets > l.size/bucketSize {
		return l.corrupt(offDicts, "counts larger than the layer")
	}
	if l.at = layoutOf(l.dicts, l.externals, l.buckets); l.at.entries > l.size {
		return l.corrupt(offDicts, "sections larger than the layer")
	}
	if l.entries > (l.size-l.at.entries)/entryHead || l.tombstones > l.entries {
		return l.corrupt(offEntries, "number of entries")
	}
	if l.entries > 0 && (l.buckets == 0 || l.dicts == 0) {
		return l.corrupt(offBuckets, "entries without an index")
	}
	if l.probes > maxProbes || l.probes > l.buckets {
		return l.corrupt(offProbes, "number of probes")
	}
	l.data = l.data[:l.size:l.size]
	return nil
}

// Name returns the name given to [Open].
func (l *Layer) Name() string { return l.name }

// From returns the position after which the layer begins.
func (l *Layer) From() uint64 { return l.from }

// To returns the position as of which the layer ends.
func (l *Layer) To() uint64 { return l.to }

// Len returns the number of entries, tombstones included.
func (l *Layer) Len() int { return int(l.entries) }

// Tombstones returns the number of tombstones among the entries.
func (l *Layer) Tombstones() int { return int(l.tombstones) }

// Size returns the size of the layer in bytes, with the reserved ones.
func (l *Layer) Size() int64 { return int64(l.size) }

// Externals returns the ids of everything outside the layer that its entries
// refer to, ascending, each once. Error: *[errs.CorruptError].
func (l *Layer) Externals() ([]uint64, error) {
	raw := make([]byte, l.externals*8)
	copy(raw, l.data[l.at.externals:])
	runtime.KeepAlive(l)
	if checksum(place(l.externals), raw) != l.externalCRC {
		return nil, l.corrupt(l.at.externals, "checksum of the externals")
	}
	ids := make([]uint64, l.externals)
	for i := range ids {
		ids[i] = le.Uint64(raw[i*8:])
	}
	return ids, nil
}

// Header is what a layer says of a dictionary as a whole.
type Header struct {
	Dict    uint64 // which one it is about
	Horizon uint64 // what has a revision up to this one is absent in the layers beneath; 0 for none
	Live    uint64 // live entries of the dictionary, in all layers, as of this one's end
	Entries uint64 // entries of the dictionary in this layer, tombstones included; set by readers only
}

// dictEntry is a header with the place of the entries.
type dictEntry struct {
	Header
	first uint64 // offset of the first entry in the layer
}

// Header returns the header of a dictionary, if the layer has one. It costs a
// binary search over the layer's headers and does not allocate. Error:
// *[errs.CorruptError].
func (l *Layer) Header(dict uint64) (Header, bool, error) {
	d, ok, err := l.findDict(dict)
	runtime.KeepAlive(l)
	return d.Header, ok, err
}

// Headers yields the headers of all dictionaries that the layer touches,
// ascending by dictionary. A *[errs.CorruptError] is the last thing yielded.
func (l *Layer) Headers() iter.Seq2[Header, error] {
	return func(yield func(Header, error) bool) {
		defer runtime.KeepAlive(l)
		for i := range l.dicts {
			var d dictEntry
			err := l.readDict(&d, i)
			if !yield(d.Header, err) || err != nil {
				return
			}
		}
	}
}

// findDict looks a header up. Each one met on the way is verified, so that
// damage cannot lead the search astray.
func (l *Layer) findDict(dict uint64) (d dictEntry, ok bool, err error) {
	if l.cached != nil {
		if i, ok := l.cachedDict(dict); ok {
			return l.cached[i], true, nil
		}
		return dictEntry{}, false, nil
	}
	low, high := uint64(0), l.dicts
	for low < high {
		mid := low + (high-low)/2
		if err := l.readDict(&d, mid); err != nil {
			return dictEntry{}, false, err
		}
		switch {
		case d.Dict == dict:
			return d, true, nil
		case d.Dict < dict:
			low = mid + 1
		default:
			high = mid
		}
	}
	return dictEntry{}, false, nil
}

// cachedDict finds a header among the private copies.
func (l *Layer) cachedDict(dict uint64) (int, bool) {
	low, high := 0, len(l.cached)
	for low < high {
		mid := int(uint(low+high) / 2)
		if l.cached[mid].Dict < dict {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < len(l.cached) && l.cached[low].Dict == dict
}

// readDict reads dictionary header i, which must exist.
func (l *Layer) readDict(d *dictEntry, i uint64) error {
	at := headerEnd + i*dictSize
	raw := [dictSize]byte(l.data[at : at+dictSize])
	if checksum(place(i), raw[:dictCRC]) != le.Uint32(raw[dictCRC:]) {
		*d = dictEntry{}
		return l.corrupt(at, "checksum of a dictionary header")
	}
	d.Dict, d.Horizon, d.Live = le.Uint64(raw[dictID:]), le.Uint64(raw[dictHorizon:]), le.Uint64(raw[dictLive:])
	d.Entries, d.first = le.Uint64(raw[dictEntries:]), le.Uint64(raw[dictOffset:])
	if d.Entries > l.entries {
		*d = dictEntry{}
		return l.corrupt(at, "number of entries of a dictionary")
	}
	return nil
}

// disordered is the error for a dictionary header i that does not come after
// the one before; without it forged headers could make an iteration endless.
func (l *Layer) disordered(i uint64) error {
	return l.corrupt(headerEnd+i*dictSize, "dictionary headers out of order")
}
