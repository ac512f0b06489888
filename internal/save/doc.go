// Package save turns the contents of a dictionary into a stream of bytes that can be
// kept in a file, and back. It is pure: it knows neither files nor shared memory, nor
// what keys and values mean.
//
//	   0 ┌──────────────────────────────┐
//	     │ header: what it is a save of │
//	 512 ├──────────────────────────────┤
//	     │ frame 0: head │ payload      │  64 KiB of payload at most
//	     ├──────────────────────────────┤
//	     │ frame 1: head │ payload      │
//	     ├──────────────────────────────┤
//	     │ …                            │
//	     ├──────────────────────────────┤
//	     │ last frame: head │ totals    │
//	size └──────────────────────────────┘
//
// The payloads, one after the other, are a sequence of items; an item may lie across
// frames. The bytes are described in docs/FORMAT.md.
//
// # What is noticed
//
// A frame's head has a checksum of its own, which covers its number and the checksum
// of its payload, and each begins with the checksum of the header. So every bit that is
// flipped is noticed, in whichever piece it lies, as are frames that are missing, twice
// there, out of order, or of another save. The last frame says that nothing is missing
// behind what was read, and nothing may follow it: a file that was cut anywhere,
// between two frames as well, is not taken for whole. Damage is a *[errs.SaveError]
// with the offset of the piece.
//
// # Dictionaries in dictionaries
//
// Entry n of a dictionary may hold a dictionary instead of a value. Dictionaries are
// numbered in the order in which the save meets them, and follow each other in that
// order: first all entries of number 0, then those of number 1, and so on. So both
// sides go through a tree of any depth without keeping it, and what is read cannot be
// anything but a tree.
//
// # Caveats
//
//   - A [Reader] that has not returned [io.EOF] has shown what may be the beginning of
//     a damaged save: who must not act upon such a thing reads all of it first.
//   - Checksums find accidents. Whoever can write a file can make one that is whole.
package save
