package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/ultradict/go/internal/errs"
)

// Root is the directory that holds the instances of all dictionaries. It is
// safe for concurrent use. Make one with [OpenRoot].
type Root struct {
	*folder
}

// RootOptions says how [OpenRoot] opens a root. The zero value opens a private
// one that exists.
type RootOptions struct {
	// Create makes the directory if it is missing; only the last component of
	// its path.
	Create bool

	// Mode is the mode of new files: 0 for 0600, which keeps everybody else
	// out, or 0640 or 0660 to let the directory's group read or write. A
	// directory's mode follows from it (0700, 0750, 0770). It is also the rule
	// by which existing directories and files are accepted: see [OpenRoot].
	Mode fs.FileMode

	// Explicit says that the user chose the path. It only changes the advice
	// in errors.
	Explicit bool
}

// DefaultRoot returns the path of the root that is used unless the user names
// another: $ULTRADICT_DIR, else /dev/shm/ultradict-<uid>.
func DefaultRoot() (path string) {
	if path := os.Getenv("ULTRADICT_DIR"); path != "" {
		return path
	}
	dir := shmDir
	if dir == "" {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "ultradict-"+strconv.Itoa(os.Geteuid()))
}

// OpenRoot opens the root directory at path.
//
// It is refused, with an error that matches [fs.ErrPermission] and says why,
// unless it is a real directory (path may lead through symbolic links but not
// end in one), it belongs to the user of this process, and nobody else may
// write it. If opts.Mode lets the group in, a directory of another owner is
// accepted too, provided that this process is a member of its group, and with
// 0660 the group may write it. What everybody may write is always refused.
//
// Further errors: [fs.ErrNotExist], [errs.ErrInvalidOption] for an empty path
// or a mode other than those, and errors.ErrUnsupported on systems other than
// Linux.
func OpenRoot(path string, opts RootOptions) (*Root, error) {
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("open %s: shared memory on %s: %w", path, runtime.GOOS, errors.ErrUnsupported)
	}
	mode, err := newAccess(opts.Mode)
	if err != nil {
		return nil, err
	}
	if path == "" || strings.Contains(path, "\x00") {
		return nil, fmt.Errorf("%w: %q cannot be the path of the root directory", errs.ErrInvalidOption, path)
	}
	if path, err = filepath.Abs(path); err != nil { // also cuts a final slash, which would follow a link
		return nil, fmt.Errorf("open root: %w", err)
	}
	made := false
	if opts.Create {
		switch err := sysMkdir(cwd, path, mode.dir()); {
		case err == nil:
			made = true
		case !errors.Is(err, fs.ErrExist):
			return nil, explain(pathError("mkdir", path, err), opts)
		}
	}
	d, err := openFolder(cwd, path, path, mode)
	if err != nil {
		return nil, explain(err, opts)
	}
	if made {
		if err := d.use(func(fd int) error { return sysChmod(fd, mode.dir()) }); err != nil {
			_ = d.close()
			return nil, pathError("chmod", path, err)
		}
	}
	return &Root{d}, nil
}

// explain adds what a user can do who did not choose the path.
func explain(err error, opts RootOptions) error {
	if opts.Explicit || !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w (set $ULTRADICT_DIR to use another directory)", err)
}

// Path returns the absolute path at which the root was opened.
func (r *Root) Path() string { return r.path }

// Close releases the root's descriptor; it is idempotent. Directories opened
// from the root stay usable, other methods return [errs.ErrClosed] afterwards.
func (r *Root) Close() error { return r.close() }

// List returns the names of the instances that are live: of the directories
// that bear the name of a dictionary and hold a control segment; sorted.
func (r *Root) List() ([]string, error) {
	names, err := r.entries()
	if err != nil {
		return nil, err
	}
	var live []string
	for _, name := range names {
		if CheckName(name) != nil {
			continue
		}
		if st, err := r.stat(name); err != nil || !st.mode.IsDir() {
			continue
		}
		control := name + "/" + Name{Kind: Control}.String()
		if st, err := r.stat(control); err == nil && st.mode.IsRegular() {
			live = append(live, name)
		}
	}
	return live, nil
}
