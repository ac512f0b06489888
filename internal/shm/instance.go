package shm

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ultradict/go/internal/errs"
)

// The life of an instance's directory. All that changes names in the root is
// called with [Root.Lock] held.

// Open opens the directory of the live instance called name. Errors:
// [errs.ErrInvalidName]; [fs.ErrNotExist] if there is none; [fs.ErrPermission]
// if it is not to be trusted, by the same rules as the root.
func (r *Root) Open(name string) (*Dir, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	d, err := r.sub(name)
	if err != nil {
		return nil, err
	}
	return &Dir{folder: d}, nil
}

// Make makes the directory of an instance that is to be called name, which
// nobody sees as a live one before [Root.Publish]. The caller holds the lock.
// Errors: [errs.ErrInvalidName], [errs.ErrNoSpace], [fs.ErrExist] if the
// instance is being made already, those of the file system.
func (r *Root) Make(name string, id ID) (*Dir, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	entry := dotted(name, id)
	if err := r.do("mkdir", entry, func(fd int) error { return sysMkdir(fd, entry, r.mode.dir()) }); err != nil {
		return nil, spaceError(err)
	}
	d, err := r.sub(entry)
	if err != nil {
		return nil, err
	}
	err = d.do("make", "", func(fd int) error { return r.mode.apply(fd, r.mode.dir(), &r.st) })
	if err == nil {
		d.st, err = d.own()
	}
	if err != nil {
		_ = d.close()
		return nil, err
	}
	return &Dir{folder: d, unpublished: entry}, nil
}

// own describes the directory itself, as it is now.
func (d *folder) own() (st status, err error) {
	err = d.do("stat", "", func(fd int) (err error) { st, err = sysStat(fd); return err })
	return st, err
}

// spaceError marks an error as a lack of space if it is one.
func spaceError(err error) error {
	if isFull(err) {
		return fmt.Errorf("%w: %w", errs.ErrNoSpace, err)
	}
	return err
}

// Publish gives a directory that came from [Root.Make] its name, by which
// every process finds it from then on, complete. The caller holds the lock.
// Errors: [fs.ErrExist] if something other than an empty directory has the
// name; [fs.ErrNotExist] if the directory is no longer where it was made.
func (r *Root) Publish(d *Dir, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if d.unpublished == "" {
		return fmt.Errorf("publish %s as %q: %w: it was not made here, or published before", d.path, name, fs.ErrInvalid)
	}
	if is, err := r.is(d.unpublished, d); err != nil {
		return err
	} else if !is {
		return pathError("publish", d.path, fs.ErrNotExist)
	}
	err := r.do("publish", name, func(fd int) error {
		err := sysRename(fd, d.unpublished, name)
		if isTaken(err) {
			err = fs.ErrExist
		}
		return err
	})
	if err != nil {
		return spaceError(err)
	}
	d.unpublished = ""
	return nil
}

// is reports whether the entry is the very directory d.
func (r *Root) is(entry string, d *Dir) (bool, error) {
	st, err := r.stat(entry)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && st.same(&d.st), err
}

// Retire takes the name from a live instance and removes its directory. It
// does so only if the name still means this very directory, and returns nil if
// it does not: then somebody else retired it. What another process began and
// did not finish is finished. Segments stay usable by those who have mapped
// them. The caller holds the lock.
//
// An error after the name is free means that something in the directory could
// not be removed; [Root.Sweep] will try again.
func (r *Root) Retire(d *Dir, name string, id ID) error {
	if err := CheckName(name); err != nil {
		return err
	}
	entry := dotted(name, id)
	live, err := r.is(name, d)
	if err != nil {
		return err
	}
	if live {
		rename := func() error {
			return r.do("retire", name, func(fd int) error {
				err := sysRename(fd, name, entry)
				if isTaken(err) {
					err = fs.ErrExist
				}
				return err
			})
		}
		err := rename()
		if errors.Is(err, fs.ErrExist) {
			// A leftover under the dotted name. The lock is ours: nobody is
			// at work in it.
			if err := r.removeDir(entry); err != nil {
				return err
			}
			err = rename()
		}
		if err != nil {
			return err
		}
	}
	if is, err := r.is(entry, d); err != nil || !is {
		return err
	}
	return r.removeDir(entry)
}

// Sweep removes every directory that is being made or removed. Since that
// happens under the lock, and the caller holds the lock, none of them has
// anybody who would go on with it, unless somebody holds it: see [Dir.Hold].
//
// Nothing is removed whose name [Root.Make] would not have given, nor any
// directory within one. An error is for the log: it joins what could not be
// removed, and harms nobody.
func (r *Root) Sweep() error {
	names, err := r.entries()
	if err != nil {
		return err
	}
	var failed []error
	for _, entry := range names {
		if !isDotted(entry) {
			continue
		}
		if st, err := r.stat(entry); err == nil && st.mode.IsDir() && !r.isHeld(entry) {
			failed = append(failed, r.removeDir(entry))
		}
	}
	return errors.Join(failed...)
}

// isHeld reports whether somebody holds a directory, see [Dir.Hold].
func (r *Root) isHeld(entry string) bool {
	d, err := r.sub(entry)
	if err != nil {
		return false // removing it says what is wrong
	}
	defer func() { _ = d.close() }()
	busy, err := d.hold()
	return err == nil && busy
}

// hold takes the lock of the directory itself, or reports that somebody has it.
func (d *folder) hold() (busy bool, err error) {
	err = d.do("lock", "", func(fd int) (err error) { busy, err = sysLock(fd); return err })
	return busy, err
}

// Hold says of a directory from [Root.Make] that somebody is at work in it without
// [Root.Lock]: until it is closed, or its process is dead, [Root.Sweep] leaves it alone.
// Call it before the lock is given back.
func (d *Dir) Hold() error {
	busy, err := d.hold()
	if busy {
		err = pathError("lock", d.path, fs.ErrExist)
	}
	return err
}

// Again opens the same directory once more, wherever it is by now.
func (d *Dir) Again() (*Dir, error) {
	var again *folder
	err := d.use(func(fd int) (err error) {
		again, err = openFolder(fd, ".", d.path, d.mode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Dir{folder: again, MaxBytes: d.MaxBytes}, nil
}

// removeDir removes a dotted directory with the files in it. It does not
// descend: we make no directories there. That it is missing is fine.
func (r *Root) removeDir(entry string) error {
	d, err := r.sub(entry)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = d.close() }()
	for range maxRemovals {
		if err := d.empty(); err != nil {
			return err
		}
		again := false
		err = r.do("rmdir", entry, func(fd int) error {
			err := sysRmdir(fd, entry)
			again = isTaken(err)
			return err
		})
		if !again {
			break
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// maxRemovals bounds how often a directory is emptied anew. Those who are attached to
// an instance that is being removed may be about to give a file its name; they notice
// before they begin with another.
const maxRemovals = 1000

// empty removes all files.
func (d *folder) empty() error {
	names, err := d.entries()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var failed []error
	for _, name := range names {
		err := d.remove(name)
		if isDirectory(err) { // not ours; gone if it is empty
			err = d.do("rmdir", name, func(fd int) error { return sysRmdir(fd, name) })
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
