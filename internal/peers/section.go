package peers

import (
	"structs"

	"github.com/ultradict/go/internal/failpoint"
)

// These are part of the format.
const (
	// Slots is how many participants of one control segment can live at once.
	Slots = 2048

	// MaxID is the last id there is; the top bit of a lock word is not an id's.
	MaxID = 1<<31 - 1

	// Base is the byte of the control file that read-only participants share;
	// participant id has byte Base+id. The bytes lie behind the end of any
	// control file: locks need no bytes to be there.
	Base int64 = 1 << 32

	// selfTestByte is locked by SelfTest only.
	selfTestByte int64 = Base - 1
)

// Section is the part of the control segment that belongs to this package. Its
// zero value is valid: nobody has joined. It is used by any number of
// processes at once and never copied.
type Section struct {
	_     structs.HostLayout
	next  failpoint.Uint32 // the last id given out
	_     [60]byte
	table [Slots]Entry
}

// Entry is what a participant tells about itself: one cache line, written by
// its owner and read by anybody.
//
// A slot is claimed by a CAS on id, then filled, then marked as filled by
// ready. Dying at any point leaves a slot whose id is dead, and that is free.
type Entry struct {
	_         structs.HostLayout
	id        failpoint.Uint32 // owner of the slot; 0 free
	ready     failpoint.Uint32 // equal to id once the fields below are the owner's
	pid       failpoint.Uint32 // process id in its own PID namespace
	namespace failpoint.Uint32 // inode of that PID namespace; 0 unknown
	start     failpoint.Uint64 // start of the process, clock ticks since boot; 0 unknown
	joined    failpoint.Int64  // Unix time, nanoseconds

	// Applied is the position that the participant's replica has reached.
	Applied failpoint.Uint64

	// PinFrom and Pin are the lowest and the highest position that its open Views
	// look at; PinFrom counts only while Pin is not 0. Pin is 2⁶⁴−1 while one
	// is about to choose; 0 for none.
	Pin failpoint.Uint64

	// Commits counts what the participants that had this slot have committed,
	// one after the other: it is never reset, so that no crash can lose or
	// double a figure. Owners only ever add to it.
	Commits failpoint.Uint64

	PinFrom failpoint.Uint64 // see Pin
}
