package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
)

// Draft is a segment that nobody else sees yet: allocated in full, mapped and
// without a name. Its creator fills it and then calls [Draft.Publish] or
// [Draft.Discard]. It is not safe for concurrent use. If its creator dies it
// vanishes; where the file system has no unnamed files, [Dir.RemoveDrafts]
// removes it.
type Draft struct {
	d     *Dir
	name  Name
	seg   *Segment // nil once spent
	f     *os.File // nil once spent
	named bool     // it has the name of a draft in the directory
}

// Create makes a segment of size bytes, header included. All of them are
// allocated before it returns, so that no later store into them can fail, and
// all but the header are zero. Participant creator must not use the same seq
// twice within the instance, whatever the kind; a control segment has no
// number in its name.
//
// Errors: [errs.ErrNoSpace], naming what is used up: the file system, MaxBytes,
// the memory cgroup or the machine's memory; [fs.ErrNotExist] if the instance is gone; those of the
// file system.
func (d *Dir) Create(kind Kind, creator, seq uint32, size int64, id ID) (*Draft, error) {
	name := Name{kind, creator, seq}
	if kind == Control {
		name = Name{Kind: Control}
	}
	if !kind.valid() || size < HeaderSize || id.IsZero() {
		return nil, fmt.Errorf("create segment %v of %d bytes for instance %v: %w", name, size, id, fs.ErrInvalid)
	}
	if size > math.MaxInt {
		return nil, fmt.Errorf("create segment %v: %d bytes do not fit into the address space: %w", name, size, errs.ErrNoSpace)
	}
	f := &Draft{d: d, name: name}
	err := d.use(func(at int) (err error) {
		if err := d.room(at, name, size); err != nil {
			return err
		}
		fd, err := d.createFile(at, f, name)
		if err != nil {
			return spaceError(pathError("create", d.path+"/"+name.String(), err))
		}
		f.f = os.NewFile(uintptr(fd), d.path+"/"+name.String())
		if err := d.mode.apply(fd, d.mode.file(), &d.st); err != nil {
			return fmt.Errorf("create %s: %w", f.f.Name(), err)
		}
		if size > sysFree(fd) {
			// Asking first spares others the moment in which we would hold
			// all there is.
			return d.fullError(name, size)
		}
		if err := sysAllocate(fd, size); isFull(err) {
			return d.fullError(name, size)
		} else if err != nil {
			return pathError("allocate", f.f.Name(), err)
		}
		f.seg, err = newSegment(fd, f.f.Name(), name, newHeader(kind, creator, seq, id, size), int(size), true)
		return err
	})
	if err != nil {
		_ = f.Discard()
		return nil, err
	}
	failpoint.Step("file header")
	copy(f.seg.data, f.seg.header.bytes())
	failpoint.Step("file header")
	return f, nil
}

// createFile makes an empty file, without a name if the file system can.
func (d *Dir) createFile(at int, f *Draft, name Name) (fd int, err error) {
	if !d.named.Load() {
		fd, err := sysCreateUnnamed(at)
		if !errors.Is(err, errors.ErrUnsupported) {
			return fd, err
		}
		d.named.Store(true)
	}
	fd, err = sysCreateNamed(at, "."+name.String())
	f.named = err == nil
	return fd, err
}

func (d *Dir) fullError(name Name, size int64) error {
	return fmt.Errorf("create segment %v of %d bytes in %s: %w: the file system is full", name, size, d.path, errs.ErrNoSpace)
}

// Name returns the name that the segment will have.
func (f *Draft) Name() Name { return f.name }

// Bytes returns the whole segment, to be filled; nil once the draft was
// published or discarded. Its first [HeaderSize] bytes belong to this package,
// and are complete from the start. No slice of it may outlive the Draft and,
// after [Draft.Publish], the [Segment].
func (f *Draft) Bytes() []byte {
	if f.seg == nil {
		return nil
	}
	return f.seg.data
}

// Publish gives the segment its name: from then on other processes can open
// it. The returned Segment has the same mapping, and the Draft is spent; on an
// error it is not.
//
// Errors: [fs.ErrExist] if the name is taken, [fs.ErrNotExist] if the instance
// is gone, [errs.ErrClosed] if the draft is spent, those of the file system.
func (f *Draft) Publish() (*Segment, error) {
	if f.seg == nil {
		return nil, fmt.Errorf("publish segment: %w", errs.ErrClosed)
	}
	failpoint.Step("file header")
	copy(f.seg.data, f.seg.header.bytes()) // whatever was written over it
	failpoint.Step("file header")
	name := f.name.String()
	err := f.d.do("publish", name, func(at int) error {
		if f.named {
			return sysRenameNew(at, "."+name, name)
		}
		return sysLink(int(f.f.Fd()), at, name)
	})
	if err != nil {
		return nil, spaceError(err)
	}
	seg := f.seg
	f.f.Close()
	f.seg, f.f = nil, nil
	return seg, nil
}

// Discard gives the segment up. It is idempotent and does nothing to a
// published one.
func (f *Draft) Discard() error {
	var failed []error
	if f.seg != nil {
		failed = append(failed, f.seg.Close())
	}
	if f.f != nil {
		failed = append(failed, f.f.Close())
		if f.named {
			failed = append(failed, f.d.remove("."+f.name.String()))
		}
	}
	f.seg, f.f = nil, nil
	return errors.Join(failed...)
}
