// Package errs holds the errors that every package of the module returns and
// that package ultradict exports under its own name: one definition each, so
// that errors.Is and errors.As give the same answer wherever an error began.
package errs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// The sentinels. Those that exist in the standard library are the standard
// library's own.
var (
	ErrClosed   = os.ErrClosed
	ErrExists   = fs.ErrExist
	ErrNotExist = fs.ErrNotExist

	ErrNotFound      = errors.New("ultradict: key not found")
	ErrRemoved       = errors.New("ultradict: dictionary was removed")
	ErrCorrupt       = errors.New("ultradict: shared memory is damaged")
	ErrVersion       = errors.New("ultradict: written by an incompatible version")
	ErrNoSpace       = errors.New("ultradict: no space")
	ErrReadOnly      = errors.New("ultradict: handle is read-only")
	ErrConflict      = errors.New("ultradict: revision conflict")
	ErrOverflow      = errors.New("ultradict: integer overflow")
	ErrTxDone        = errors.New("ultradict: transaction used after its function returned")
	ErrInvalidOption = errors.New("ultradict: invalid option")
	ErrViewLost      = errors.New("ultradict: a read-only view fell too far behind")
	ErrInvalidName   = errors.New("ultradict: invalid name")
	ErrNotHeld       = errors.New("ultradict: lock is not held")
)

// LockError says that a lock stayed with another owner until the caller's
// time was up. It matches [os.ErrDeadlineExceeded].
type LockError struct {
	OwnerPID int           // process that holds the lock; 0 where it cannot be told
	Held     time.Duration // how long that owner has been seen to hold it
}

func (e *LockError) Error() string {
	if e.OwnerPID == 0 {
		return fmt.Sprintf("ultradict: lock not acquired: its owner has held it for %v", e.Held.Round(time.Millisecond))
	}
	return fmt.Sprintf("ultradict: lock not acquired: process %d has held it for %v; it may be stopped", e.OwnerPID, e.Held.Round(time.Millisecond))
}

// Is reports whether target is a *LockError, or the standard library's word
// for a deadline that passed.
func (e *LockError) Is(target error) bool {
	_, same := target.(*LockError)
	return same || target == os.ErrDeadlineExceeded
}

// CorruptError says that bytes in shared memory are not what they must be,
// and where. It matches [ErrCorrupt].
type CorruptError struct {
	Segment string // file name of the segment, within the dictionary's directory
	Offset  int64  // byte offset in the segment; for the stream, in its chunk
	Reason  string // what was found
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("ultradict: segment %s is damaged at offset %d: %s", e.Segment, e.Offset, e.Reason)
}

// Is reports whether target is [ErrCorrupt] or a *CorruptError.
func (e *CorruptError) Is(target error) bool {
	_, same := target.(*CorruptError)
	return same || target == ErrCorrupt
}

// TypeError says that what is stored under a key is not of the type that was
// asked for.
type TypeError struct {
	Key    any    // the key; nil where the value did not come from a dictionary
	Want   string // the Go type asked for
	Reason string // what is stored instead, or why it does not fit
	Err    error  // what a codec of the user's own, or encoding/json, returned; nil otherwise
}

func (e *TypeError) Error() string {
	if e.Key == nil {
		return fmt.Sprintf("ultradict: value is not %s: %s", e.Want, e.Reason)
	}
	return fmt.Sprintf("ultradict: value of key %q is not %s: %s", fmt.Sprint(e.Key), e.Want, e.Reason)
}

// Unwrap returns Err.
func (e *TypeError) Unwrap() error { return e.Err }

// Is reports whether target is a *TypeError.
func (e *TypeError) Is(target error) bool {
	_, same := target.(*TypeError)
	return same
}

// EncodeError says that a key or a value cannot be stored, or written as JSON,
// because it could not be read back. Nothing was changed.
type EncodeError struct {
	Key    any    // the key under which it was to be stored, or is
	Reason string // which part, and why it could not be read back
	Err    error  // what a codec of the user's own, or encoding/json, returned; nil otherwise
}

func (e *EncodeError) Error() string {
	return fmt.Sprintf("ultradict: cannot encode value of key %q: %s", fmt.Sprint(e.Key), e.Reason)
}

// Unwrap returns Err.
func (e *EncodeError) Unwrap() error { return e.Err }

// Is reports whether target is an *EncodeError.
func (e *EncodeError) Is(target error) bool {
	_, same := target.(*EncodeError)
	return same
}

// SaveError says that a file is no whole save, and where it is not. It matches
// [ErrCorrupt], and is a *[CorruptError] by errors.As.
type SaveError struct {
	Path   string // of the file, as it was given
	Offset int64  // in bytes, where the piece begins that is damaged; or where the file ends
	Reason string // what was found
}

func (e *SaveError) Error() string {
	return fmt.Sprintf("ultradict: save %s is damaged at offset %d: %s", e.Path, e.Offset, e.Reason)
}

// Is reports whether target is a *SaveError.
func (e *SaveError) Is(target error) bool {
	_, same := target.(*SaveError)
	return same
}

// Unwrap returns the damage as a *[CorruptError], whose segment is the file.
func (e *SaveError) Unwrap() error {
	return &CorruptError{Segment: e.Path, Offset: e.Offset, Reason: e.Reason}
}

// SaveMismatchError says that a save is whole, and of another kind of dictionary. It
// matches [ErrInvalidOption].
type SaveMismatchError struct {
	Path  string // of the file, as it was given
	What  string // what differs: "codec" or "key kind"
	Saved string // what the save has
	Want  string // what the dictionary, or the handle, has
}

func (e *SaveMismatchError) Error() string {
	return fmt.Sprintf("ultradict: save %s has the %s %q, the dictionary %q", e.Path, e.What, e.Saved, e.Want)
}

// Is reports whether target is [ErrInvalidOption] or a *SaveMismatchError.
func (e *SaveMismatchError) Is(target error) bool {
	_, same := target.(*SaveMismatchError)
	return same || target == ErrInvalidOption
}

// JSONError says that JSON that was to be imported is not what it must be, and where.
// Nothing was changed.
type JSONError struct {
	Offset int64  // bytes of the input in front of what is wrong; space, a colon or a comma may follow first
	Line   int    // of the input, from 1; 0 where its lines mean nothing
	Key    any    // of the entry, nil where it is not known, or is itself what is wrong
	Reason string // what is wrong
	Err    error  // what it comes from: a *TypeError, an *EncodeError, an error of encoding/json; may be nil
}

func (e *JSONError) Error() string {
	place := fmt.Sprintf("offset %d", e.Offset)
	if e.Line > 0 {
		place = fmt.Sprintf("line %d, ", e.Line) + place
	}
	if e.Key != nil {
		place += fmt.Sprintf(", key %q", fmt.Sprint(e.Key))
	}
	return fmt.Sprintf("ultradict: JSON at %s: %s", place, e.Reason)
}

// Unwrap returns Err.
func (e *JSONError) Unwrap() error { return e.Err }

// Is reports whether target is a *JSONError.
func (e *JSONError) Is(target error) bool {
	_, same := target.(*JSONError)
	return same
}
