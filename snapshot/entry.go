package snapshot

import "github.com/ultradict/go/internal/errs"

// Entry is what a layer says of one key of one dictionary.
type Entry struct {
	Dict      uint64 // dictionary; (Dict, Key) is the identity
	Key       string // at most [MaxKey] bytes
	Revision  uint64 // position at which it came to be
	Created   uint64 // position at which the key came to be
	External  uint64 // if not 0: id of something outside the layer that the value refers to
	Tombstone bool   // the key was deleted; then there is no Value, no External and no Marks
	Marks     uint8  // two bits that mean what the caller wants them to
	Value     []byte // at most [MaxValue] bytes
}

// head is the private copy of the fixed part of a stored entry, with its
// lengths checked against the layer. Nothing in it is to be believed before
// its checksum has been.
type head struct {
	raw      [entryHeadMax]byte
	offset   uint64 // in the layer
	size     uint64 // of the entry with its padding
	keyAt    uint64 // offset of the key in the layer
	valueAt  uint64
	end      uint64 // end of the value
	revision uint64
	created  uint64
	dict     uint64
	external uint64
	rawLen   int
	flags    uint16
}

// readHead copies the head of the entry at offset out of the layer.
func (l *Layer) readHead(h *head, offset uint64) error {
	if offset < l.at.entries || offset > l.size-entryHead || offset%entryAlignment != 0 {
		return l.corrupt(min(offset, l.size), "an entry lies outside its section")
	}
	*(*[entryHead]byte)(h.raw[:]) = [entryHead]byte(l.data[offset : offset+entryHead])
	n := uint64(entryHead)
	h.flags = le.Uint16(h.raw[entryFlags:])
	if h.flags&(flagDict|flagExternal) != 0 {
		if h.flags&flagDict != 0 {
			n += 8
		}
		if h.flags&flagExternal != 0 {
			n += 8
		}
		if offset > l.size-n {
			return l.corrupt(offset, "an entry reaches beyond the layer")
		}
		copy(h.raw[entryHead:n], l.data[offset+entryHead:])
	}
	h.offset = offset
	h.rawLen = int(n)
	h.keyAt = offset + n
	h.valueAt = h.keyAt + uint64(le.Uint16(h.raw[entryKeyLen:]))
	h.end = h.valueAt + uint64(le.Uint32(h.raw[entryValueLen:]))
	h.size = alignUp(h.end-offset, entryAlignment)
	if h.size > l.size-offset {
		return l.corrupt(offset, "an entry reaches beyond the layer")
	}
	h.revision = le.Uint64(h.raw[entryRevision:])
	h.created = le.Uint64(h.raw[entryCreated:])
	h.dict, h.external = 0, 0
	p := h.raw[entryHead:n]
	if h.flags&flagDict != 0 {
		h.dict = le.Uint64(p)
		p = p[8:]
	}
	if h.flags&flagExternal != 0 {
		h.external = le.Uint64(p)
	}
	return nil
}

// verify checks a head with the key and the value that belong to it.
func (l *Layer) verify(h *head, key string, value []byte) error {
	crc := checksum(place(h.offset/entryAlignment), h.raw[entryCRC+4:h.rawLen])
	crc = checksum(checksumString(crc, key), value)
	if crc != le.Uint32(h.raw[entryCRC:]) {
		return l.corrupt(h.offset, "checksum of an entry")
	}
	if h.flags&^flagsKnown != 0 {
		return l.corrupt(h.offset, "flags of an entry")
	}
	return nil
}

// entry is the head as the caller sees it.
func (h *head) entry(key string, value []byte) Entry {
	return Entry{
		Dict: h.dict, Key: key, Revision: h.revision, Created: h.created,
		External: h.external, Tombstone: h.flags&flagTombstone != 0,
		Marks: uint8(h.flags & flagMarks >> marksShift), Value: value,
	}
}

// stored returns the entry as it is kept: a tombstone carries nothing.
func (e Entry) stored() Entry {
	if e.Tombstone {
		e.Value, e.External, e.Marks = nil, 0, 0
	}
	return e
}

// sizes returns the length of the fixed part and of the whole entry.
func (e *Entry) sizes() (fixed, whole uint64) {
	fixed = entryHead
	if e.Dict != 0 {
		fixed += 8
	}
	if e.External != 0 {
		fixed += 8
	}
	return fixed, alignUp(fixed+uint64(len(e.Key))+uint64(len(e.Value)), entryAlignment)
}

// put writes the entry into dst, which is to lie at offset in its layer and
// has the size that [Entry.sizes] gave.
func (e *Entry) put(dst []byte, fixed, offset uint64) {
	flags := uint16(e.Marks) << marksShift & flagMarks
	if e.Tombstone {
		flags |= flagTombstone
	}
	le.PutUint16(dst[entryKeyLen:], uint16(len(e.Key)))
	le.PutUint32(dst[entryValueLen:], uint32(len(e.Value)))
	le.PutUint32(dst[entryValueLen+4:], 0)
	le.PutUint64(dst[entryRevision:], e.Revision)
	le.PutUint64(dst[entryCreated:], e.Created)
	at := entryHead
	if e.Dict != 0 {
		flags |= flagDict
		le.PutUint64(dst[at:], e.Dict)
		at += 8
	}
	if e.External != 0 {
		flags |= flagExternal
		le.PutUint64(dst[at:], e.External)
	}
	le.PutUint16(dst[entryFlags:], flags)
	n := fixed
	n += uint64(copy(dst[n:], e.Key))
	n += uint64(copy(dst[n:], e.Value))
	clear(dst[n:])
	le.PutUint32(dst[entryCRC:], checksum(place(offset/entryAlignment), dst[entryCRC+4:n]))
}

func (l *Layer) corrupt(offset uint64, reason string) error {
	return &errs.CorruptError{Segment: l.name, Offset: int64(offset), Reason: reason}
}
