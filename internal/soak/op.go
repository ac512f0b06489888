package main

import (
	"encoding/binary"
	"fmt"
)

// kind is what an operation does. Each is one record in the dictionary.
type kind uint8

const (
	setOp     kind = iota + 1 // Set of keys[0]
	deleteOp                  // Delete of keys[0]
	computeOp                 // Compute on keys[0], which looks at what is there
	dropOp                    // Compute that drops keys[0]
	updateOp                  // Update: sets keys[0] and keys[1], deletes keys[2], writes both of a shared pair
	addOp                     // Update: adds one to a shared sum, and notes its number in the slot's own key
	countOp                   // Compute: adds one to the slot's part of a shared tally
	kinds     = countOp
)

func (k kind) String() string {
	names := [...]string{"nothing", "set", "delete", "compute", "drop", "update", "add", "count"}
	return names[min(int(k), len(names)-1)]
}

// op is one operation of a slot. What it writes follows from it.
type op struct {
	n     uint64 // its number, never used twice by a slot
	kind  kind
	keys  [3]uint8 // of the slot's own keys, all different
	which uint8    // pair, sum or tally
	size  uint32   // of the value of keys[0], in bytes
}

// phase says what a line of the journal is about.
type phase uint8

const (
	intended phase = iota + 1 // the operation comes next
	acked                     // it has returned nil
	refused                   // it has returned a *LockError, so nothing has changed; of value, the owner's PID
	read                      // as many reads as value says
)

func (p phase) String() string {
	names := [...]string{"nothing", "intended", "acknowledged", "refused", "read"}
	return names[min(int(p), len(names)-1)]
}

// entrySize divides the size of a page, so that no line of the journal is cut in two
// by a death between two pages.
const entrySize = 32

// line is a line of the journal.
type line struct {
	phase phase
	op    op
	value uint64
}

func (l line) String() string {
	return fmt.Sprintf("%v %v %d keys %v which %d size %d value %d", l.phase, l.op.kind, l.op.n, l.op.keys, l.op.which, l.op.size, l.value)
}

func (l line) encode() []byte {
	b := make([]byte, entrySize)
	binary.LittleEndian.PutUint64(b, l.op.n)
	binary.LittleEndian.PutUint64(b[8:], l.value)
	binary.LittleEndian.PutUint32(b[16:], l.op.size)
	b[20], b[21], b[22] = byte(l.phase), byte(l.op.kind), l.op.which
	copy(b[23:], l.op.keys[:])
	return b
}

func decodeLine(b []byte) line {
	return line{
		phase: phase(b[20]),
		value: binary.LittleEndian.Uint64(b[8:]),
		op: op{
			n: binary.LittleEndian.Uint64(b), kind: kind(b[21]), which: b[22],
			keys: [3]uint8(b[23:26]), size: binary.LittleEndian.Uint32(b[16:]),
		},
	}
}
