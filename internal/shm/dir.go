package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ultradict/go/internal/errs"
)

// Dir is the directory of one instance. It is safe for concurrent use, apart
// from MaxBytes and from [Root.Publish]. Make one with [Root.Make] or
// [Root.Open]. Once the instance has been removed, its methods return
// [fs.ErrNotExist]; segments that are mapped stay usable.
type Dir struct {
	*folder

	// MaxBytes bounds the size of the instance's files together, in bytes; 0
	// means no bound. It is checked when a file is created and counts the files
	// that have their names by then: creators that work at the same moment may
	// together pass it by what they are creating. Set it before the Dir is
	// shared.
	MaxBytes int64

	unpublished string      // the dotted name, from Make to Publish
	named       atomic.Bool // the file system has no unnamed files
}

// FileInfo describes a file of an instance.
type FileInfo struct {
	Name    Name
	Size    int64 // in bytes
	ModTime time.Time
}

// Path returns the path at which the directory was opened or made. It is for
// messages: the directory may have another name by now.
func (d *Dir) Path() string { return d.path }

// Close releases the directory's descriptor; it is idempotent. Segments and
// drafts from it stay usable, except that such a draft cannot be published.
// Other methods return [errs.ErrClosed] afterwards.
func (d *Dir) Close() error { return d.close() }

// Open maps an existing segment. The instance must be id; a zero id takes
// whatever the file says, which is how the control segment is opened. If
// keepFile is set the descriptor from which the mapping was made stays open as
// [Segment.File].
//
// Errors: [fs.ErrNotExist]; [errs.ErrVersion] for another version or byte
// order; [*errs.CorruptError] for a file that is not what its name says;
// [fs.ErrPermission] if it cannot be opened or is not to be trusted; ENOMEM and
// EMFILE with what to do about them.
func (d *Dir) Open(name Name, id ID, writable, keepFile bool) (seg *Segment, err error) {
	if !name.Kind.valid() {
		return nil, fmt.Errorf("open segment %v: %w", name, fs.ErrInvalid)
	}
	if name.Kind == Control {
		name = Name{Kind: Control}
	}
	file := name.String()
	err = d.use(func(at int) error {
		fd, err := sysOpenFile(at, file, writable)
		if isNoPlainFile(err) {
			return &errs.CorruptError{Segment: file, Reason: "it is not a regular file"}
		}
		if err != nil {
			return pathError("open", d.path+"/"+file, err)
		}
		f := os.NewFile(uintptr(fd), d.path+"/"+file)
		if seg, err = d.mapFile(f, fd, name, id, writable); err != nil || !keepFile {
			f.Close()
			return err
		}
		seg.file = f
		return nil
	})
	return seg, err
}

// mapFile checks an open file, in an order that believes nothing unchecked,
// and maps it.
func (d *Dir) mapFile(f *os.File, fd int, name Name, id ID, writable bool) (*Segment, error) {
	st, err := sysStat(fd)
	if err != nil {
		return nil, pathError("stat", f.Name(), err)
	}
	bad := func(format string, args ...any) error {
		return &errs.CorruptError{Segment: name.String(), Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case !st.mode.IsRegular():
		return nil, bad("it is not a regular file")
	case st.links == 0: // removed since we opened it
		return nil, pathError("open", f.Name(), fs.ErrNotExist)
	case st.links != 1:
		return nil, bad("it has %d names, not one", st.links)
	case st.size < HeaderSize:
		return nil, bad("it has %d bytes, less than a header", st.size)
	}
	if err := d.mode.check(&st, f.Name()); err != nil {
		return nil, err
	}
	// The header is read, not mapped: what is wrong is never mapped, and
	// nobody can change our copy.
	var h Header
	if n, err := sysRead(fd, h.bytes(), 0); err != nil {
		return nil, pathError("read", f.Name(), err)
	} else if n != HeaderSize {
		return nil, bad("it has %d bytes, less than a header", n)
	}
	if err := h.check(name, id, st.size); err != nil {
		return nil, err
	}
	if st.size > math.MaxInt {
		return nil, fmt.Errorf("map %s: %d bytes do not fit into the address space: %w", f.Name(), st.size, errors.ErrUnsupported)
	}
	return newSegment(fd, f.Name(), name, h, int(st.size), writable)
}

// Remove unlinks a segment; that it is missing is fine. Those who have mapped
// it keep it.
func (d *Dir) Remove(name Name) error { return d.remove(name.String()) }

// Files lists the segments, sorted by file name. Files of other names, and
// files that vanish meanwhile, are left out.
func (d *Dir) Files() ([]FileInfo, error) {
	var files []FileInfo
	err := d.each(func(file string, st *status) {
		if name, err := ParseName(file); err == nil {
			files = append(files, FileInfo{name, st.size, st.modified})
		}
	})
	return files, err
}

// Bytes returns the size of all files together, whatever they are called.
func (d *Dir) Bytes() (sum int64, err error) {
	err = d.each(func(_ string, st *status) {
		if st.size > math.MaxInt64-sum { // sparse, and planted
			sum = math.MaxInt64
			return
		}
		sum += st.size
	})
	return sum, err
}

// Free returns how many bytes the file system has left, for all who use it;
// MaxInt64 where it does not say.
func (d *Dir) Free() (free int64, err error) {
	err = d.use(func(at int) error {
		free = sysFree(at)
		return nil
	})
	return free, err
}

// Deleted reports whether the directory itself was deleted, by whomever: what
// is mapped stays, and nothing can be opened or made any more.
func (d *Dir) Deleted() bool {
	st, err := d.own()
	return err == nil && st.links == 0
}

// each calls fn for every regular file.
func (d *Dir) each(fn func(file string, st *status)) error {
	names, err := d.entries()
	if err != nil {
		return err
	}
	for _, file := range names {
		st, err := d.stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if st.mode.IsRegular() {
			fn(file, &st)
		}
	}
	return nil
}

// RemoveDrafts removes drafts that were never published, of the creators for
// which abandoned returns true. Only file systems without unnamed files have
// any; elsewhere an abandoned draft vanishes by itself.
func (d *Dir) RemoveDrafts(abandoned func(creator uint32) bool) error {
	names, err := d.entries()
	if err != nil {
		return err
	}
	var failed []error
	for _, file := range names {
		published, ok := strings.CutPrefix(file, ".")
		if !ok {
			continue
		}
		if name, err := ParseName(published); err == nil && abandoned(name.Creator) {
			failed = append(failed, d.remove(file))
		}
	}
	return errors.Join(failed...)
}
