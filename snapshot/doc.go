// Package snapshot keeps key-value tables as immutable layers that are read in
// place, from shared memory or from any other []byte.
//
// A [Layer] is a hash table in a file: what changed between two positions of
// some history. A [Stack] is one base layer and a few deltas over it, and
// together they are the picture as of the end of the newest. Layers are made
// by a [Builder], folded together by a [Merge], and the list of those in force
// is published to other processes in a [Directory]. [Pick] says which to merge
// next.
//
//	position  0 ─────────────────────────▶ 900 ────▶ 960 ─▶ 990
//	          ┌───────────────────────────┐┌────────┐┌──────┐
//	          │ base                      ││ delta  ││ delta│   Find: newest first
//	          └───────────────────────────┘└────────┘└──────┘
//
// The package knows nothing of files, locks or histories: it reads and fills
// []byte, and positions are numbers that grow.
//
// # Entries, tombstones, horizons
//
// An entry is identified by its dictionary and its key; a layer has at most
// one of each. A tombstone is an entry that says: deleted. A dictionary that
// was cleared as a whole has a horizon in its [Header] instead: everything of
// it with a revision at or below the horizon is absent from the layers
// beneath. In a layer's own range both have been applied already: an entry
// that stands in a layer is not covered by that layer's horizon.
//
// # The format of a layer
//
// All integers are little-endian and unsigned. "crc" is CRC-32C (Castagnoli)
// as computed by hash/crc32.Update, begun with the stated value instead of 0,
// so that a piece that is whole but in the wrong place does not verify.
// Reserved bytes are zero. Sections follow each other without gaps other than
// the stated alignment, so that their offsets follow from the counts.
//
//	   0 ┌──────────────────────────────────────────────┐
//	     │ reserved for the caller (file header)        │
//	  64 ├──────────────────────────────────────────────┤
//	     │ layer header, 128 bytes                      │
//	 192 ├──────────────────────────────────────────────┤
//	     │ dictionary headers, 48 bytes each, ascending │
//	     ├──────────────────────────────────────────────┤
//	     │ externals, 8 bytes each, ascending           │
//	     ├───────────────────────── aligned to 64 bytes ┤
//	     │ index: buckets of 64 bytes                   │
//	     ├──────────────────────────────────────────────┤
//	     │ entries, aligned to 8 bytes, by dictionary   │
//	size └──────────────────────────────────────────────┘
//
// Layer header:
//
//	 64  8  magic "UDLAYER1", the last byte being the version
//	 72  8  from: the layer holds what changed after this position
//	 80  8  to: … up to and with this one
//	 88  8  number of entries
//	 96  8  number of tombstones among them
//	104  8  seed of the hash
//	112  8  size of the layer in bytes, with the reserved ones
//	120  8  number of dictionary headers
//	128  8  number of externals
//	136  8  number of buckets
//	144  4  probes: no entry lies more than so many buckets behind its own
//	148  4  crc of the externals, begun with their number
//	152 36  reserved
//	188  4  crc of bytes 64 to 187, begun with 0
//
// Dictionary header i:
//
//	 0  8  dictionary
//	 8  8  horizon; 0 for none
//	16  8  live entries of the dictionary as of the layer's end
//	24  8  number of its entries in this layer, tombstones counted
//	32  8  offset of the first of them in the layer; they are contiguous
//	40  4  reserved
//	44  4  crc of the 44 bytes before, begun with i
//
// Bucket b:
//
//	0  4  crc of bytes 4 to 63, begun with b
//	4  1  number of slots in use, at most 7
//	5  1  flags: 1 = full when something more was to go here; look in b+1 too
//	6  2  reserved
//	8 56  slots: tag in the upper 16 bits, offset of the entry / 8 in the others
//
// With h = hash(seed, dictionary, key), an entry belongs into bucket
// ⌊h · buckets / 2⁶⁴⌋ or, that being full, into the next one with room (the
// first follows the last); its tag is the lower 16 bits of h. The hash is
// described at its function; it is part of the format.
//
// Entry at offset o:
//
//	 0  4  crc of the rest of the entry but its padding, begun with o / 8
//	 4  2  length of the key
//	 6  2  flags: 1 tombstone, 2 has a dictionary, 4 has an external, 8 and 16 the
//	       caller's marks
//	 8  4  length of the value, below 2³¹
//	12  4  reserved
//	16  8  revision
//	24  8  created
//	    8  dictionary, if flagged; otherwise it is 0
//	    8  external, if flagged; otherwise there is none
//	       key, value, zeros up to a multiple of 8
//
// # Damage
//
// Whatever is read from a layer is bounds-checked, copied and verified before
// it is believed, every time: the memory may belong to several processes, one
// of which may be broken. Damage gives a *errs.CorruptError with the name of
// the layer and the offset in it. It never gives a wrong value or a false "not
// found", never a panic, an endless loop, or an allocation larger than the
// layer. The checksums find accidents; who forges them can of course change
// what a layer says, but gains no more than that.
//
// Two things are copied once, verified, and believed from then on: the headers
// of dictionaries if there are few, and of a small layer that is asked often the
// tags of its index. They can say nothing that the layer did not say when they
// were copied.
//
// # Caveats
//
// A file that is cut short while it is mapped is beyond this package: the
// access faults. A [Builder] trusts its caller not to add the same key twice.
// A layer's mapping lives as long as its [Layer] is reachable; what methods
// return are copies, apart from the values seen during an iteration, which are
// overwritten by the next step.
package snapshot
