package ultradict

import "github.com/ultradict/go/internal/errs"

// The errors of this package. All answer [errors.Is], however deeply wrapped;
// those that exist in the standard library are the standard library's own.
var (
	ErrNotFound      = errs.ErrNotFound      // the key is absent; returned bare
	ErrClosed        = errs.ErrClosed        // the handle was closed; the same as os.ErrClosed
	ErrRemoved       = errs.ErrRemoved       // the dictionary was removed, by whatever process
	ErrExists        = errs.ErrExists        // CreateOnly, and it exists; the same as fs.ErrExist
	ErrNotExist      = errs.ErrNotExist      // AttachOnly or Remove, and it does not exist; the same as fs.ErrNotExist
	ErrCorrupt       = errs.ErrCorrupt       // shared memory, or a save, is damaged; see CorruptError and SaveError for where
	ErrVersion       = errs.ErrVersion       // written by an incompatible version, or with another byte order
	ErrNoSpace       = errs.ErrNoSpace       // the file system, WithMaxBytes, the memory cgroup or a table is full
	ErrReadOnly      = errs.ErrReadOnly      // a write through a handle opened with ReadOnly
	ErrConflict      = errs.ErrConflict      // the revision is not the expected one
	ErrOverflow      = errs.ErrOverflow      // integer arithmetic left its range
	ErrTxDone        = errs.ErrTxDone        // a Tx or View was used after its function returned
	ErrViewLost      = errs.ErrViewLost      // a view of a read-only handle fell too far behind
	ErrInvalidOption = errs.ErrInvalidOption // an option makes no sense, or contradicts another or the dictionary
	ErrInvalidName   = errs.ErrInvalidName   // a dictionary, or a lock, cannot have that name
	ErrNotHeld       = errs.ErrNotHeld       // Unlock of a lock that was given back before
)

// LockError says that a lock stayed with another owner until the caller's time
// was up. It matches os.ErrDeadlineExceeded.
type LockError = errs.LockError

// CorruptError says which bytes in shared memory are damaged. It matches
// [ErrCorrupt].
type CorruptError = errs.CorruptError

// TypeError says that a stored value, or key, is not of the type asked for.
type TypeError = errs.TypeError

// EncodeError says that a key or value cannot be stored, or written as JSON,
// because it could not be read back. Nothing was changed.
type EncodeError = errs.EncodeError

// SaveError says that a file is no whole save: which bytes of it are damaged, or where it
// ends too early. Nothing of it was used. It matches [ErrCorrupt], and is a
// *[CorruptError] by errors.As.
type SaveError = errs.SaveError

// SaveMismatchError says that a save is whole, and that of a dictionary of another kind.
// Nothing of it was used. It matches [ErrInvalidOption].
type SaveMismatchError = errs.SaveMismatchError

// JSONError says where JSON given to [Map.ReadJSON] or [Map.ReadNDJSON] is not what it
// must be. Nothing was changed.
type JSONError = errs.JSONError
