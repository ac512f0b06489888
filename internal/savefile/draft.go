package savefile

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
)

// Draft is a file that is being written and has no name but a temporary one. It is for
// one goroutine. Make one with [Create] or [Folder.Create].
type Draft struct {
	dir  *os.Root
	own  bool   // dir is the draft's to close
	path string // of the directory, for messages
	name string // that it is to have; "" if that is known later
	temp string
	f    *os.File
}

// Create begins a file that is to be called path, and removes what killed writers have
// left that were about to write the same one. The file has the given mode, whatever the
// umask.
//
// What has that name already must be a regular file, which is replaced when the draft is
// published: nobody writes into it. Anything else (a directory, a FIFO, a device, a
// symbolic link, wherever it leads) is refused with [fs.ErrInvalid].
func Create(path string, mode fs.FileMode) (*Draft, error) {
	name := filepath.Base(path)
	if path == "" || os.IsPathSeparator(path[len(path)-1]) || name == "." || name == ".." {
		return nil, fmt.Errorf("save to %q: %w: it is not the path of a file", path, fs.ErrInvalid)
	}
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("save to %s: %w", path, err)
	}
	d := &Draft{dir: dir, own: true, path: filepath.Dir(path), name: name}
	if err = d.replaceable(name); err == nil {
		err = d.create(name, mode, nil)
	}
	if err != nil {
		_ = dir.Close()
		return nil, fmt.Errorf("save to %s: %w", path, full(err))
	}
	return d, nil
}

// replaceable refuses a name that something has which is no regular file.
func (d *Draft) replaceable(name string) error {
	info, err := d.dir.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: it is a symbolic link; give the path of the file itself", fs.ErrInvalid)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: something is there that is no regular file (%v)", fs.ErrInvalid, info.Mode())
	}
	return nil
}

// saving ends a temporary name: .<stem>.<16 hex digits>.saving
const saving = ".saving"

// create makes the file under a temporary name made of stem. parent, unless it is nil,
// is the directory whose group it gets.
func (d *Draft) create(stem string, mode fs.FileMode, parent fs.FileInfo) error {
	d.sweep(stem)
	for {
		var id [8]byte
		_, _ = rand.Read(id[:]) // never fails
		temp := "." + stem + "." + hex.EncodeToString(id[:]) + saving
		failpoint.Step("create save")
		f, err := d.dir.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		failpoint.Step("create save")
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		// Until it is locked it looks like one of the dead: somebody who sweeps may
		// have it, or have removed it.
		busy, err := flock(f)
		if busy || err == nil && !d.is(temp, f) {
			_ = f.Close()
			_ = remove(d.dir, temp)
			continue
		}
		// Without flock it is written all the same, see the package's caveats.
		d.f, d.temp = f, temp
		if err := share(f, mode, parent); err != nil {
			return errors.Join(err, d.discard())
		}
		return nil
	}
}

// is reports whether a file is the one of that name.
func (d *Draft) is(name string, f *os.File) bool {
	now, err := d.dir.Lstat(name)
	if err != nil {
		return false
	}
	mine, err := f.Stat()
	return err == nil && os.SameFile(now, mine)
}

// sweep removes the drafts of those who were killed. What it cannot remove is not the
// caller's trouble: it is tried again next time.
func (d *Draft) sweep(stem string) {
	names, err := list(d.dir)
	if err != nil {
		return
	}
	for _, name := range names {
		if isTemporary(name, stem) {
			d.bury(name)
		}
	}
}

// isTemporary reports whether create makes that name of stem.
func isTemporary(name, stem string) bool {
	id, ok := strings.CutPrefix(name, "."+stem+".")
	if !ok {
		return false
	}
	id, ok = strings.CutSuffix(id, saving)
	raw, err := hex.DecodeString(id)
	return ok && err == nil && len(raw) == 8
}

// bury removes a draft unless its writer lives.
func (d *Draft) bury(name string) {
	info, err := d.dir.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || !ours(info) {
		return
	}
	f, err := d.dir.OpenFile(name, os.O_RDWR|nonblock, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if busy, err := flock(f); busy || err != nil || !d.is(name, f) {
		return
	}
	_ = remove(d.dir, name)
}

// Write appends to the file.
func (d *Draft) Write(b []byte) (int, error) {
	n, err := d.f.Write(b)
	return n, full(err)
}

// Sync waits until all that was written is on the disk. [Draft.Publish] does so too.
func (d *Draft) Sync() error {
	failpoint.Step("sync save")
	err := d.f.Sync()
	failpoint.Step("sync save")
	return full(err)
}

// Publish gives the file its name, in place of a file that has it. When it returns nil
// both are on the disk. After an error it is open whether it has happened, if what could
// not be synced is the directory; before that it has not, and the draft is to be
// discarded.
func (d *Draft) Publish() error {
	if err := d.Sync(); err != nil {
		return err
	}
	// Somebody may have put something else there meanwhile. A rename follows no link,
	// so to look again is only a courtesy.
	if err := d.replaceable(d.name); err != nil {
		return err
	}
	if err := rename(d.dir, d.temp, d.name); err != nil {
		return full(err)
	}
	d.temp = ""
	return syncDir(d.dir)
}

// Discard removes the file unless it was published, and lets go of it. It is idempotent,
// and to be called in any case.
func (d *Draft) Discard() {
	if d.f != nil {
		_ = d.discard()
	}
	if d.own {
		_ = d.dir.Close()
	}
}

func (d *Draft) discard() (err error) {
	if d.temp != "" {
		err = remove(d.dir, d.temp)
		d.temp = ""
	}
	_ = d.f.Close() // what counts was synced
	d.f = nil
	return err
}

func rename(dir *os.Root, from, to string) error {
	failpoint.Step("rename save")
	err := dir.Rename(from, to)
	failpoint.Step("rename save")
	return err
}

// remove removes a file; that it is missing is fine.
func remove(dir *os.Root, name string) error {
	failpoint.Step("remove save")
	err := dir.Remove(name)
	failpoint.Step("remove save")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// syncDir makes the names in a directory last.
func syncDir(dir *os.Root) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	failpoint.Step("sync directory")
	err = f.Sync()
	failpoint.Step("sync directory")
	if errors.Is(err, fs.ErrInvalid) || errors.Is(err, errors.ErrUnsupported) {
		return nil // some file systems have no such thing, and no need
	}
	return full(err)
}

func list(dir *os.Root) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// full marks an error as a lack of space if it is one.
func full(err error) error {
	if isFull(err) {
		return fmt.Errorf("%w: %w", errs.ErrNoSpace, err)
	}
	return err
}
