package ultradict

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/value"
)

// SaveOption says what [Map.Save] and [Map.Restore] are about.
type SaveOption func(*saving)

type saving struct {
	core.SaveOptions
	keys     []any
	prefix   bool
	problems []error
}

func (s *saving) refuse(format string, args ...any) {
	s.problems = append(s.problems, fmt.Errorf(format+": %w", append(args, ErrInvalidOption)...))
}

// SomeKeys limits a save, or what is restored, to some keys. K must be the map's. It may
// be given more than once, and together with [KeyPrefix]: a key is meant if any of them
// says so.
func SomeKeys[K comparable](keys ...K) SaveOption {
	return func(s *saving) {
		if len(keys) == 0 {
			s.refuse("no keys are given")
		}
		for _, k := range keys {
			s.keys = append(s.keys, k)
		}
	}
}

// KeyPrefix is [SomeKeys] for the keys that begin with p. The map's keys must be strings.
func KeyPrefix(p string) SaveOption {
	return func(s *saving) {
		s.prefix = true
		s.Prefixes = append(s.Prefixes, p)
	}
}

// SaveMode sets the permission bits of the file that [Map.Save] writes, 0600 by default,
// whatever the umask. It counts for nothing else.
func SaveMode(mode fs.FileMode) SaveOption {
	return func(s *saving) {
		if mode&^fs.ModePerm != 0 || mode&0o400 == 0 {
			s.refuse("mode %v of a save: must be permission bits, and let the owner read", mode)
		}
		s.Mode = mode
	}
}

// SaveProgress has [Map.Save] and [Map.Restore] call a function now and then, with what
// was done and what there is, roughly: entries for Save, bytes of the file, which is read
// twice, for Restore. The last call has twice the same figure. An error of fn ends the
// work, and is in what the method returns. fn must not take long: views of a save keep
// memory from being freed.
func SaveProgress(fn func(done, total int64) error) SaveOption {
	return func(s *saving) {
		if fn == nil {
			s.refuse("progress function is nil")
		}
		s.Progress = fn
	}
}

// saving puts the options together.
func (m *Map[K, V]) saving(opts []SaveOption) (core.SaveOptions, error) {
	s := saving{SaveOptions: core.SaveOptions{KeyKind: m.keys.Kind(), Mode: 0o600, CheckKey: checkKey(m.keys)}}
	for _, opt := range opts {
		if opt == nil {
			s.refuse("option is nil")
			continue
		}
		opt(&s)
	}
	if s.prefix && !m.strings {
		s.refuse("keys of the kind %q have no prefixes", m.keys.Kind())
	}
	for _, k := range s.keys {
		key, ok := k.(K)
		if !ok {
			s.refuse("a key is %T, those of the map are %T", k, key)
			continue
		}
		enc, err := m.keys.Append(nil, key)
		if err != nil {
			s.problems = append(s.problems, unencodable(key, err))
		}
		s.Keys = append(s.Keys, string(enc))
	}
	return s.SaveOptions, errors.Join(s.problems...)
}

// checkKey says whether bytes from a file are a key of type K.
func checkKey[K comparable](keys *value.Keys[K]) func([]byte) error {
	return func(enc []byte) error {
		_, err := keys.DecodeBytes(enc)
		return err
	}
}

// Save writes the dictionary, as of one position, into a file: everything that was
// committed before the call. Others go on writing meanwhile, and are not held up. The
// file appears under its name when it is whole and on the disk: if anything goes wrong,
// or this process is killed, whatever had the name still has it. What a killed process
// has left beside it goes with the next save of the same path.
//
// [SomeKeys] and [KeyPrefix] save a part. With [SaveProgress] one is told how far it is.
// The context, too, is looked at now and then. The file has checksums and can be read on
// any machine; [CheckSave] verifies it. Any handle can save, also one that is [ReadOnly].
//
// Whatever has the name and is no regular file (a directory, a FIFO, a symbolic link)
// is refused with fs.ErrInvalid.
//
// Errors: [ErrInvalidOption], the context's, [ErrNoSpace], [ErrClosed], [ErrRemoved],
// [ErrCorrupt]; with [ReadOnly] also [ErrViewLost]; those of the file system.
func (m *Map[K, V]) Save(ctx context.Context, path string, opts ...SaveOption) error {
	o, err := m.saving(opts)
	if err != nil {
		return fmt.Errorf("save %q: %w", m.Name(), err)
	}
	return m.d.Save(ctx, m.number(), path, o)
}

// Restore makes the dictionary what it is in a file that [Map.Save] wrote: everything
// that is there goes, and what is in the file comes, by one commit. The whole file is
// verified before that. After an error the dictionary is unchanged.
//
// With [SomeKeys] or [KeyPrefix] only those keys are changed: they become what they are
// in the file, so those that it lacks are removed. What others add under a prefix while
// Restore is at work stays. A file that was saved with one of these options says nothing
// about keys that it lacks, so from such a one nothing is ever removed.
//
// Revisions are those of this commit, not of the past. Entries whose time is up stay
// away. While it is at work it takes private memory, roughly three times what the file has
// and 600 bytes an entry, and shared memory for what is there and twice what comes.
//
// Errors: *[SaveError] for a file that is damaged or was cut, with the place;
// *[SaveMismatchError] for a save with another kind of keys, or with values in another
// encoding; [ErrVersion]; [ErrInvalidOption]; the context's; fs.ErrNotExist,
// fs.ErrInvalid for what is no regular file, and others of the file system; otherwise as
// [Map.Set].
func (m *Map[K, V]) Restore(ctx context.Context, path string, opts ...SaveOption) error {
	o, err := m.saving(opts)
	if err != nil {
		return fmt.Errorf("restore %q: %w", m.Name(), err)
	}
	return m.d.Restore(ctx, m.number(), path, o)
}

// SaveInfo describes a save.
type SaveInfo struct {
	Codec    string    // how its values are encoded
	KeyKind  string    // kind of its keys, such as "string"
	Instance string    // of the dictionary that was saved, see [Info]
	Revision uint64    // position of the dictionary that it shows
	Saved    time.Time // when that was the newest
	Partial  bool      // only some keys were to be saved
	Entries  uint64    // in it, those of nested dictionaries included
	Dicts    uint64    // dictionaries in it, itself included
	Bytes    int64     // of the file
}

// CheckSave verifies a file that [Map.Save] or [WithPersistence] wrote, all of it, and
// describes it. It needs no dictionary.
//
// Errors: *[SaveError], [ErrVersion]; fs.ErrNotExist, fs.ErrInvalid for what is no
// regular file, and others of the file system.
func CheckSave(path string) (SaveInfo, error) {
	h, t, bytes, err := core.CheckSave(path)
	if err != nil {
		return SaveInfo{}, err
	}
	return SaveInfo{
		Codec: h.Codec, KeyKind: h.KeyKind, Instance: fmt.Sprintf("%x", h.Instance), Revision: h.Revision,
		Saved: time.Unix(0, h.Saved), Partial: h.Partial, Entries: t.Entries, Dicts: t.Dicts, Bytes: bytes,
	}, nil
}
