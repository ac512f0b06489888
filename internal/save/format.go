package save

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

var le = binary.LittleEndian

// The header; part of the format. Every later version keeps the magic, the version,
// the checksum and the size: so a save of another version is told from a damaged one.
const (
	magic      = "ULTRSAVE"
	version    = 1
	headerSize = 512

	atMagic    = 0
	atVersion  = 8
	atChecksum = 12
	atInstance = 16
	atRevision = 32
	atSaved    = 40
	atFlags    = 48
	atCodec    = 56
	atKeyKind  = 88
	atReserved = 288

	codecSize   = atKeyKind - atCodec
	keyKindSize = atReserved - atKeyKind

	flagPartial = 1
)

// A frame; part of the format.
const (
	frameHead = 24
	maxFrame  = 64 << 10

	atCheck    = 0
	atKind     = 4
	atLength   = 8
	atSum      = 12
	atSequence = 16

	kindData = 1
	kindEnd  = 2
)

// What the last frame holds; part of the format.
const (
	endSize = 40

	atEntries = 0
	atDicts   = 8
	atFrames  = 16
	atBytes   = 24
	atTotal   = 32
)

// The first byte of an item; part of the format.
const (
	itemValue  = 1 // an entry with a value
	itemNested = 2 // an entry with a dictionary
	itemDict   = 3 // the entries of the next dictionary follow
	itemKinds  = 0x0f
	hasExpiry  = 0x10 // of an entry: it has a deadline
)

// Limits; part of the format.
const (
	maxKey   = 1<<16 - 1 // bytes of an encoded key
	maxKind  = keyKindSize
	maxValue = 1 << 30 // bytes of an encoded value
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is CRC-32C, begun with another checksum.
func sum(begin uint32, b []byte) uint32 { return crc32.Update(begin, castagnoli, b) }

// Header says what a save is of.
type Header struct {
	Codec    string   // how values are encoded
	KeyKind  string   // of dictionary 0
	Instance [16]byte // of the dictionary that was saved
	Revision uint64   // the position that it shows
	Saved    int64    // when, Unix time in nanoseconds
	Partial  bool     // only some keys were to be saved: of others it says nothing
}

func (h *Header) encode() []byte {
	b := make([]byte, headerSize)
	copy(b[atMagic:], magic)
	le.PutUint32(b[atVersion:], version)
	copy(b[atInstance:], h.Instance[:])
	le.PutUint64(b[atRevision:], h.Revision)
	le.PutUint64(b[atSaved:], uint64(h.Saved))
	if h.Partial {
		le.PutUint64(b[atFlags:], flagPartial)
	}
	copy(b[atCodec:], h.Codec)
	copy(b[atKeyKind:], h.KeyKind)
	le.PutUint32(b[atChecksum:], headerSum(b))
	return b
}

// headerSum is the checksum of a header, that of the field for it taken for zero.
func headerSum(b []byte) uint32 {
	crc := sum(0, b[:atChecksum])
	crc = sum(crc, make([]byte, 4))
	return sum(crc, b[atChecksum+4:headerSize])
}

func (h *Header) decode(b []byte) {
	copy(h.Instance[:], b[atInstance:])
	h.Revision = le.Uint64(b[atRevision:])
	h.Saved = int64(le.Uint64(b[atSaved:]))
	h.Partial = le.Uint64(b[atFlags:])&flagPartial != 0
	h.Codec = text(b[atCodec:atKeyKind])
	h.KeyKind = text(b[atKeyKind:atReserved])
}

// text is the string in a zero-padded field.
func text(field []byte) string {
	s, _, _ := bytes.Cut(field, []byte{0})
	return string(s)
}

// Entry is one entry of a dictionary.
type Entry struct {
	In       uint64 // number of the dictionary that it is an entry of; set by the Reader
	Key      []byte // encoded
	Value    []byte // encoded; nothing if it holds a dictionary
	Deadline int64  // when its time is up, Unix time in nanoseconds; 0 for never
	KeyKind  string // kind of the keys of the dictionary that it holds, "" if it holds a value
	Nested   uint64 // number of that dictionary; set by Reader and Writer
}

// Totals are what the last frame says.
type Totals struct {
	Entries uint64 // of all dictionaries
	Dicts   uint64 // dictionaries, number 0 included
	Frames  uint64 // without the last
	Bytes   uint64 // of their payloads
	total   uint32 // checksum of their checksums
}

func (t *Totals) encode() []byte {
	b := make([]byte, endSize)
	le.PutUint64(b[atEntries:], t.Entries)
	le.PutUint64(b[atDicts:], t.Dicts)
	le.PutUint64(b[atFrames:], t.Frames)
	le.PutUint64(b[atBytes:], t.Bytes)
	le.PutUint32(b[atTotal:], t.total)
	return b
}

// count adds a frame with that head.
func (t *Totals) count(head []byte) {
	t.Frames++
	t.Bytes += uint64(le.Uint32(head[atLength:]))
	t.total = sum(t.total, head[atSum:atSequence])
}
