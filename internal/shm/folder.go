package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ultradict/go/internal/errs"
)

// folder is a kept descriptor of a directory, and everything in it is reached
// through the descriptor: renaming the directory, or planting a link in its
// path, changes nothing. It is safe for concurrent use, close included.
type folder struct {
	f    *os.File
	path string // where it was when it was opened; for messages
	st   status // when it was opened
	mode access
}

// openFolder opens the directory called name within at and checks whom it
// belongs to. An error is ready to be shown.
func openFolder(at int, name, path string, mode access) (*folder, error) {
	fd, err := sysOpenDir(at, name)
	if err != nil {
		if isLinkOrNoDir(err) {
			return nil, fmt.Errorf("open %s: %w: it is not a directory, or a symbolic link to one", path, fs.ErrPermission)
		}
		return nil, pathError("open", path, err)
	}
	d := &folder{f: os.NewFile(uintptr(fd), path), path: path, mode: mode}
	if d.st, err = sysStat(fd); err != nil {
		d.f.Close()
		return nil, pathError("stat", path, err)
	}
	if err := mode.check(&d.st, path); err != nil {
		d.f.Close()
		return nil, err
	}
	return d, nil
}

func pathError(op, path string, err error) error {
	if hint := advice(err); hint != "" {
		err = fmt.Errorf("%w%s", err, hint)
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// use calls fn with the descriptor, which stays open meanwhile.
func (d *folder) use(fn func(fd int) error) (err error) {
	raw, cerr := d.f.SyscallConn()
	if cerr == nil {
		cerr = raw.Control(func(fd uintptr) { err = fn(int(fd)) })
	}
	if cerr != nil { // the only reason there is
		return pathError("use", d.path, errs.ErrClosed)
	}
	return err
}

// do is use for one call on one entry, whose error it completes.
func (d *folder) do(op, name string, fn func(fd int) error) error {
	return d.use(func(fd int) error {
		if err := fn(fd); err != nil {
			return pathError(op, filepath.Join(d.path, name), err)
		}
		return nil
	})
}

// stat describes the entry called name, without following a link.
func (d *folder) stat(name string) (st status, err error) {
	err = d.do("stat", name, func(fd int) (err error) {
		st, err = sysStatAt(fd, name)
		return err
	})
	return st, err
}

// remove unlinks a file; that it is missing is fine.
func (d *folder) remove(name string) error {
	err := d.do("remove", name, func(fd int) error { return sysUnlink(fd, name) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// reopen returns another open description of the directory itself.
func (d *folder) reopen() (f *os.File, err error) {
	err = d.do("open", ".", func(fd int) error {
		again, err := sysOpenDir(fd, ".")
		if err == nil {
			f = os.NewFile(uintptr(again), d.path)
		}
		return err
	})
	return f, err
}

// entries returns the names in the directory, sorted.
func (d *folder) entries() ([]string, error) {
	f, err := d.reopen()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

// sub opens a directory in this one, by the same rules.
func (d *folder) sub(name string) (s *folder, err error) {
	err = d.use(func(fd int) (err error) {
		s, err = openFolder(fd, name, filepath.Join(d.path, name), d.mode)
		return err
	})
	return s, err
}

func (d *folder) close() error {
	if err := d.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
