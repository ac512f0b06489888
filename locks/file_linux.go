package locks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
)

// openFile opens or creates the file and makes sure that only its owner, which
// is us, can have a say in it.
func openFile(path string) (*os.File, error) {
	// O_NONBLOCK: a pipe in its place must not hold us up.
	failpoint.Step("create file")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	failpoint.Step("create file")
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("is a symbolic link: %w", fs.ErrPermission)
	}
	if err != nil {
		return nil, err
	}
	if err := checkFile(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func checkFile(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("is not a regular file: %w", fs.ErrPermission)
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("belongs to user %d: %w", st.Uid, fs.ErrPermission)
	case st.Mode&0o022 != 0:
		return fmt.Errorf("others can write to it (mode %04o): %w", st.Mode&0o7777, fs.ErrPermission)
	}
	return nil
}

// fill gives an empty file its size, with all its space, so that no store to
// the mapping can fail. Zeros are a valid lock; so two processes may do this
// at once, and one may die at it.
func fill(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == fileSize {
		return nil
	}
	if ours, err := blank(f, info.Size()); err != nil {
		return err
	} else if !ours {
		return &errs.CorruptError{Segment: f.Name(), Reason: fmt.Sprintf("not a lock file: %d bytes, where %d belong", info.Size(), fileSize)}
	}
	for {
		failpoint.Step("allocate")
		err := unix.Fallocate(int(f.Fd()), 0, 0, fileSize)
		failpoint.Step("allocate")
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.ENOSPC, unix.EDQUOT:
			return fmt.Errorf("allocate %d bytes: %w: %w", fileSize, errs.ErrNoSpace, err)
		case unix.EOPNOTSUPP, unix.ENOSYS:
			return fmt.Errorf("allocate %d bytes: %w: %w", fileSize, errors.ErrUnsupported, err)
		default:
			return fmt.Errorf("allocate %d bytes: %w", fileSize, err)
		}
	}
}

// blank reports whether a file of another size than a lock file's is one in
// the making: shorter, and all zero.
func blank(f *os.File, size int64) (bool, error) {
	if size > fileSize {
		return false, nil
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return false, err
	}
	for _, c := range b {
		if c != 0 {
			return false, nil
		}
	}
	return true, nil
}

func mapFile(f *os.File) ([]byte, error) {
	failpoint.Step("map")
	mem, err := unix.Mmap(int(f.Fd()), 0, fileSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	failpoint.Step("map")
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	return mem, nil
}

func unmapFile(mem []byte) error {
	failpoint.Step("unmap")
	err := unix.Munmap(mem)
	failpoint.Step("unmap")
	if err != nil {
		return fmt.Errorf("munmap: %w", err)
	}
	return nil
}
