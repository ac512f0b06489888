package snapshot

import (
	"encoding/binary"
	"math"
)

// Sizes and limits. Part of the format.
const (
	Reserved = 64               // bytes at the start of a layer that belong to the caller, never read or written here
	MaxKey   = 1<<16 - 1        // longest key in bytes
	MaxValue = math.MaxInt32    // longest value in bytes
	maxSize  = (1<<48 - 1) << 3 // largest layer in bytes: an offset has 48 bits and counts 8 bytes
)

// The layer header. Part of the format.
const (
	magic   = "UDLAYER"
	version = '1'

	offMagic       = 64
	offVersion     = 71
	offFrom        = 72
	offTo          = 80
	offEntries     = 88
	offTombstones  = 96
	offSeed        = 104
	offSize        = 112
	offDicts       = 120
	offExternals   = 128
	offBuckets     = 136
	offProbes      = 144
	offExternalCRC = 148
	offHeaderCRC   = 188
	headerEnd      = 192
)

// A dictionary header. Part of the format.
const (
	dictSize    = 48
	dictID      = 0
	dictHorizon = 8
	dictLive    = 16
	dictEntries = 24
	dictOffset  = 32
	dictCRC     = 44
)

// A bucket of the index. Part of the format.
const (
	bucketSize     = 64
	bucketSlots    = 7
	bucketCRC      = 0
	bucketCount    = 4
	bucketFlags    = 5
	bucketFirst    = 8
	bucketOverflow = 1 // flag: an entry went past this bucket because it was full
	tagShift       = 48
	offsetMask     = 1<<tagShift - 1
	maxProbes      = 255 // longest way past full buckets that a layer may have
)

// An entry. Part of the format.
const (
	entryCRC       = 0
	entryKeyLen    = 4
	entryFlags     = 6
	entryValueLen  = 8
	entryRevision  = 16
	entryCreated   = 24
	entryHead      = 32 // without the optional fields
	entryHeadMax   = 48 // with both
	flagTombstone  = 1
	flagDict       = 2
	flagExternal   = 4
	flagMarks      = 24 // the caller's, see Entry.Marks
	marksShift     = 3
	flagsKnown     = 31
	entryAlignment = 8
)

var le = binary.LittleEndian

// layout is where the sections of a layer begin.
type layout struct {
	externals, index, entries uint64
}

// layoutOf places the sections. The counts must have been bounded, each
// section by maxSize, so that nothing overflows.
func layoutOf(dicts, externals, buckets uint64) layout {
	var p layout
	p.externals = headerEnd + dicts*dictSize
	p.index = alignUp(p.externals+externals*8, bucketSize)
	p.entries = p.index + buckets*bucketSize
	return p
}

// bucketsFor returns the size of an index: 4.5 of 7 slots in use on average,
// at which a lookup visits hardly more than one bucket.
func bucketsFor(entries uint64) uint64 { return (entries*2 + 8) / 9 }

func alignUp(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }
