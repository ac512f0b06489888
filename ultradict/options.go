package ultradict

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/stream"
)

// Option changes how a dictionary is opened, removed, listed or checked. Options are
// checked together, whatever their order.
type Option func(*options)

type options struct {
	core.Config
	create, attach bool
	check          core.CheckOptions
	codec          *userCodec // nil: CBOR
	problems       []error
}

func (o *options) refuse(format string, args ...any) {
	o.problems = append(o.problems, fmt.Errorf(format+": %w", append(args, ErrInvalidOption)...))
}

// WithDir puts the dictionary below a directory other than the default one,
// which is $ULTRADICT_DIR or else /dev/shm/ultradict-<uid>. The directory must
// be the user's own, and nobody else may be able to write to it; it is made
// (0700) if only its last element is missing. Put it on a tmpfs: elsewhere
// everything works, more slowly, and without any promise beyond the death of
// processes.
func WithDir(dir string) Option {
	return func(o *options) {
		if dir == "" {
			o.refuse("directory is empty")
		}
		o.Dir = dir
	}
}

// WithMode sets the permission bits of the dictionary's files, 0600 by default.
// With 0660 the directory's group may attach and write; with 0640 it may attach
// [ReadOnly]. Nobody else can ever be let in.
func WithMode(mode fs.FileMode) Option {
	return func(o *options) {
		if mode&^0o660 != 0 || mode&0o600 != 0o600 {
			o.refuse("mode %v: must be 0600, 0640 or 0660", mode)
		}
		o.Mode = mode
	}
}

// WithStreamSize sets the size of the stream at rest in bytes, 1 MiB by
// default, 4 KiB at least and 64 MiB at most; it is rounded up. A larger stream
// makes rollovers rarer. It counts only where the dictionary is created.
func WithStreamSize(bytes int) Option {
	return func(o *options) {
		if bytes < 2*stream.MinChunk || bytes > 4*stream.MaxChunk {
			o.refuse("stream size of %d bytes: must be from %d to %d", bytes, 2*stream.MinChunk, 4*stream.MaxChunk)
			return
		}
		o.StreamSize = bytes
	}
}

// WithMaxBytes bounds the shared memory of the dictionary, in bytes: writes
// that would need more return [ErrNoSpace]. It counts only where the dictionary
// is created. Two processes that grow it at the same moment may exceed the
// bound by one segment.
func WithMaxBytes(bytes int64) Option {
	return func(o *options) {
		if bytes < 1<<20 {
			o.refuse("limit of %d bytes: must be at least 1 MiB", bytes)
		}
		o.MaxBytes = bytes
	}
}

// WithLockTimeout sets how long a write waits for the lock, 5 s by default. The
// lock is held for less than a microsecond a write: this is how long others
// wait for a process that was stopped in the middle of it.
func WithLockTimeout(d time.Duration) Option {
	return func(o *options) {
		if d <= 0 {
			o.refuse("lock timeout of %v: must be positive", d)
		}
		o.LockTimeout = d
	}
}

// WithPersistence keeps saves of the dictionary in a directory, so that it comes back after
// the machine was rebooted. Of all handles with this option one saves: every so often, if
// anything was committed since the last save. When it dies another one goes on at once;
// when its process is stopped, after three times every, but 1 s at least and 10 s at most.
// It also saves when it is closed, so that nothing is lost by an orderly end. The two
// newest saves are kept.
//
// What is lost when the machine goes down is what was committed in the last every, a
// quarter of every more (1 s at most), and the time that a save takes. The death of
// processes loses nothing: what they have written is in memory, and whoever opens the
// dictionary next goes on saving it.
//
// [Open] of a name that is not in memory restores its newest save that is whole before
// anybody sees the dictionary: nobody finds it empty. Saves that are damaged are renamed
// *.damaged, with a warning to the logger; if none is whole, Open fails with a
// *[SaveError] and leaves them as they are. A save with another kind of keys or another
// codec is a *[SaveMismatchError]. With [CreateOnly] a dictionary that is saved exists;
// with [AttachOnly] as well, and is restored. Entries whose time was up meanwhile stay
// away. A save that is larger than [WithMaxBytes] is restored all the same, and the
// dictionary is full then.
//
// If the name is in memory and does not descend from the newest save, because somebody
// created it without this option, Open refuses with [ErrInvalidOption] rather than to
// replace a save that was never restored. All handles must name the same directory. It
// is made (0700) if only its last element is missing, and trusted by the same rules as
// that of [WithDir]; saves have the mode of the dictionary's files. Put it on a disk.
//
// [Remove] without this option frees the memory only, and the next Open with it restores
// the newest save; with this option it removes the saves as well, whatever every is. A
// [ReadOnly] handle neither saves nor restores.
func WithPersistence(dir string, every time.Duration) Option {
	return func(o *options) {
		if dir == "" {
			o.refuse("directory of saves is empty")
		}
		if every <= 0 {
			o.refuse("saving every %v: must be positive", every)
		}
		o.Saves = &core.Saves{Dir: dir, Every: every}
	}
}

// WithLogger sets where background work reports what goes wrong without being
// anybody's call. By default it is silent.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) {
		if l == nil {
			o.refuse("logger is nil")
		}
		o.Logger = l
	}
}

// WithRecurse has a map[string]any that is stored become a nested dictionary, and the
// maps in it as well, so that parts of it can be changed one by one. It binds the
// creator; where the dictionary exists and does not do that, Open fails.
func WithRecurse() Option { return func(o *options) { o.Recurse = true } }

// CreateOnly makes Open fail with [ErrExists] where the dictionary exists.
func CreateOnly() Option { return func(o *options) { o.create = true } }

// AttachOnly makes Open fail with [ErrNotExist] where the dictionary does not
// exist.
func AttachOnly() Option { return func(o *options) { o.attach = true } }

// ReadOnly maps the dictionary so that this process cannot change a byte of
// it. It implies [AttachOnly]. A view of such a handle cannot keep what it sees
// from being freed: after a while it may end with [ErrViewLost].
func ReadOnly() Option { return func(o *options) { o.ReadOnly = true } }

// WithRepair lets [Check] finish what dead processes have left half done and
// remove what they have left behind. It counts for nothing else.
func WithRepair() Option { return func(o *options) { o.check.Repair = true } }

// WithProgress has [Check] call a function now and then, with the bytes that
// were checked and those that there are, roughly. Its error ends the check, and
// is what Check returns. It counts for nothing else.
func WithProgress(fn func(checked, total int64) error) Option {
	return func(o *options) {
		if fn == nil {
			o.refuse("progress function is nil")
		}
		o.check.Progress = fn
	}
}

func configure(opts []Option) (core.Config, error) {
	o, err := gather(opts)
	return o.Config, err
}

// gather applies the options and checks them together.
func gather(opts []Option) (*options, error) {
	var o options
	for _, opt := range opts {
		if opt == nil {
			o.refuse("option is nil")
			continue
		}
		opt(&o)
	}
	switch {
	case o.create && o.attach:
		o.refuse("CreateOnly and AttachOnly exclude each other")
	case o.create && o.ReadOnly:
		o.refuse("CreateOnly and ReadOnly exclude each other")
	case o.MaxBytes > 0 && !o.attach && int64(cmp.Or(o.StreamSize, core.DefaultStreamSize)) > o.MaxBytes/2:
		o.refuse("a stream of %d bytes leaves no room below a limit of %d", cmp.Or(o.StreamSize, core.DefaultStreamSize), o.MaxBytes)
	case o.create:
		o.Access = core.Create
	case o.attach || o.ReadOnly:
		o.Access = core.Attach
	}
	return &o, errors.Join(o.problems...)
}
