package savefile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ultradict/go/internal/errs"
)

// Folder is a directory in which the saves of one dictionary are kept; those of others
// may be in it too. It is safe for concurrent use. Make one with [OpenFolder].
type Folder struct {
	dir  *os.Root
	info fs.FileInfo
	path string
	name string
	mode fs.FileMode
}

// Saved is a save in a folder.
type Saved struct {
	File     string // its name in the folder
	Sequence uint64 // later ones have higher numbers
	Size     int64  // in bytes
}

// OpenFolder opens the directory at path for the dictionary of a name, and if create is
// set makes it where only its last component is missing. mode is that of the dictionary's
// files, 0 for 0600: saves have it too, and the directory is trusted by the same rules as
// that of the dictionary. Errors: [fs.ErrPermission] with the reason if it is not,
// [fs.ErrNotExist].
func OpenFolder(path, name string, mode fs.FileMode, create bool) (*Folder, error) {
	if mode == 0 {
		mode = 0o600
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open directory of saves: %w", err)
	}
	bits := mode | mode&0o440>>2 // who may read the files may enter
	made := false
	if create {
		switch err := os.Mkdir(path, bits); {
		case err == nil:
			made = true
		case !errors.Is(err, fs.ErrExist):
			return nil, fmt.Errorf("make directory of saves: %w", full(err))
		}
	}
	f := &Folder{path: path, name: name, mode: mode}
	if f.dir, err = os.OpenRoot(path); err != nil {
		return nil, fmt.Errorf("open directory of saves: %w", err)
	}
	if f.info, err = f.dir.Stat("."); err == nil {
		err = trusted(f.info, mode)
	}
	if err == nil && made {
		err = f.dir.Chmod(".", bits)
	}
	if err != nil {
		_ = f.dir.Close()
		return nil, fmt.Errorf("open directory of saves %s: %w", path, err)
	}
	return f, nil
}

// Close lets go of the directory.
func (f *Folder) Close() { _ = f.dir.Close() }

// Path is where the folder was opened.
func (f *Folder) Path() string { return f.path }

// Identity is a number for the directory, the same for all who have it, and not 0.
func (f *Folder) Identity() uint64 { return identity(f.info) }

const (
	ending  = ".save"
	damaged = ".damaged"
	locking = ".lock"
	digits  = 16 // of a sequence number
)

func (f *Folder) file(sequence uint64) string {
	return fmt.Sprintf("%s.%0*x%s", f.name, digits, sequence, ending)
}

// parse reports whether a file is a save of the dictionary, or one that was set aside.
func (f *Folder) parse(file string) (sequence uint64, aside, ok bool) {
	whole, aside := strings.CutSuffix(file, damaged)
	number, ok := strings.CutPrefix(whole, f.name+".")
	if !ok {
		return 0, false, false
	}
	number, _ = strings.CutSuffix(number, ending)
	sequence, err := strconv.ParseUint(number, 16, 64)
	return sequence, aside, err == nil && f.file(sequence) == whole
}

// Saves lists the saves of the dictionary, newest first.
func (f *Folder) Saves() ([]Saved, error) {
	names, err := list(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list saves in %s: %w", f.path, err)
	}
	var all []Saved
	for _, name := range names {
		sequence, aside, ok := f.parse(name)
		if !ok || aside {
			continue
		}
		info, err := f.dir.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list saves in %s: %w", f.path, err)
		}
		if info.Mode().IsRegular() {
			all = append(all, Saved{name, sequence, info.Size()})
		}
	}
	slices.SortFunc(all, func(a, b Saved) int { return strings.Compare(b.File, a.File) })
	return all, nil
}

// Where is the path of a save, for messages.
func (f *Folder) Where(s Saved) string { return filepath.Join(f.path, s.File) }

// Open opens a save for reading.
func (f *Folder) Open(s Saved) (*os.File, error) {
	file, err := f.dir.OpenFile(s.File, os.O_RDONLY|nonblock, 0)
	return plain(file, f.Where(s), err)
}

// Open opens a file for reading that is to be a save, and its size in bytes. It follows
// links, and refuses what is no regular file with [fs.ErrInvalid].
func Open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	return plain(file, path, err)
}

func plain(file *os.File, path string, err error) (*os.File, error) {
	if err != nil {
		return nil, fmt.Errorf("open save: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is no regular file (%v)", fs.ErrInvalid, path, info.Mode())
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open save: %w", err)
	}
	return file, nil
}

// Create begins a save. Nobody takes it for one before [Folder.Publish].
func (f *Folder) Create() (*Draft, error) {
	d := &Draft{dir: f.dir, path: f.path}
	if err := d.create(f.name, f.mode, f.info); err != nil {
		return nil, fmt.Errorf("save to %s: %w", f.path, full(err))
	}
	return d, nil
}

// Publish makes a draft the newest save. The caller holds the lock, and has synced the
// draft before, which may take long.
func (f *Folder) Publish(d *Draft) error {
	names, err := list(f.dir)
	if err != nil {
		return fmt.Errorf("publish save in %s: %w", f.path, err)
	}
	last := uint64(0)
	for _, name := range names {
		if sequence, _, ok := f.parse(name); ok {
			last = max(last, sequence)
		}
	}
	d.name = f.file(last + 1)
	if err := d.Publish(); err != nil {
		return fmt.Errorf("publish save in %s: %w", f.path, err)
	}
	return nil
}

// Prune removes all saves but the newest keep. The caller holds the lock.
func (f *Folder) Prune(keep int) error {
	saves, err := f.Saves()
	if err != nil {
		return err
	}
	for _, s := range saves[min(keep, len(saves)):] {
		err = errors.Join(err, remove(f.dir, s.File))
	}
	return err
}

// SetAside renames a save that is damaged, so that nobody takes it for one any more. The
// caller holds the lock.
func (f *Folder) SetAside(s Saved) error {
	if err := rename(f.dir, s.File, s.File+damaged); err != nil {
		return fmt.Errorf("set damaged save aside: %w", err)
	}
	return syncDir(f.dir)
}

// Remove removes all saves of the dictionary, those that were set aside and what killed
// savers have left included, and reports whether there were any. The caller holds the
// lock, whose file stays: see Forget.
func (f *Folder) Remove() (found bool, err error) {
	names, err := list(f.dir)
	if err != nil {
		return false, fmt.Errorf("remove saves in %s: %w", f.path, err)
	}
	(&Draft{dir: f.dir}).sweep(f.name)
	for _, name := range names {
		if _, _, ok := f.parse(name); ok {
			found = true
			err = errors.Join(err, remove(f.dir, name))
		}
	}
	err = errors.Join(err, syncDir(f.dir))
	if err != nil {
		return found, fmt.Errorf("remove saves in %s: %w", f.path, err)
	}
	return found, nil
}

// Forget removes the file of the lock, which the caller holds, if there is nothing that
// it guards. Whoever comes for the lock gets another one from then on: so nothing may be
// left that they have to see done.
func (f *Folder) Forget() error {
	saves, err := f.Saves()
	if err != nil || len(saves) > 0 {
		return err
	}
	return remove(f.dir, f.name+locking)
}

// How often who waits for the lock looks again.
const (
	firstPoll = time.Millisecond
	lastPoll  = 50 * time.Millisecond
)

// Lock takes the lock under which saves of the dictionary are published, restored and
// removed. It falls with its holder. Errors: the context's; *[errs.LockError] when
// patience is at its end.
func (f *Folder) Lock(ctx context.Context, patience time.Duration) (release func(), err error) {
	name := f.name + locking
	begin := time.Now()
	for pause := firstPoll; ; pause = min(2*pause, lastPoll) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("lock saves in %s: %w", f.path, err)
		}
		file, err := f.dir.OpenFile(name, os.O_RDWR|os.O_CREATE|nonblock, f.mode)
		if err != nil {
			return nil, fmt.Errorf("lock saves in %s: %w", f.path, full(err))
		}
		busy, err := flock(file)
		if err != nil {
			_ = file.Close()
			return nil, fmt.Errorf("lock saves in %s: %w", f.path, err)
		}
		// Whoever removes the saves removes the file too, while others wait for it.
		if !busy && (&Draft{dir: f.dir}).is(name, file) {
			f.sign(file)
			return func() { unlock(file); _ = file.Close() }, nil
		}
		waited, owner := time.Since(begin), signature(file)
		_ = file.Close()
		if !busy {
			continue
		}
		if waited >= patience {
			return nil, fmt.Errorf("lock saves in %s: %w", f.path, &errs.LockError{OwnerPID: owner, Held: waited})
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(pause, patience-waited)):
		}
	}
}

// sign writes into the lock file who has it, for the messages of others. That it cannot
// be written is no reason not to go on.
func (f *Folder) sign(file *os.File) {
	_ = share(file, f.mode, f.info)
	if file.Truncate(0) == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
}

func signature(file *os.File) (pid int) {
	b := make([]byte, 20)
	n, _ := file.ReadAt(b, 0)
	pid, _ = strconv.Atoi(string(b[:n]))
	return pid
}
