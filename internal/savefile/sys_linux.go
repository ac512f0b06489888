package savefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/ultradict/go/internal/failpoint"
)

// nonblock keeps a FIFO from stopping who opens it.
const nonblock = syscall.O_NONBLOCK

// flock takes the lock of an open description, or reports that another one has it. It
// falls when the last descriptor is closed, so with the process.
func flock(f *os.File) (busy bool, err error) {
	failpoint.Step("lock save")
	for err = syscall.EINTR; err == syscall.EINTR; {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	failpoint.Step("lock save")
	if err == syscall.EWOULDBLOCK {
		return true, nil
	}
	return false, err
}

// unlock gives the lock back by name: a child that was being forked may have a
// descriptor too.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

func stat(info fs.FileInfo) *syscall.Stat_t {
	st, _ := info.Sys().(*syscall.Stat_t)
	return st
}

// ours reports whether a file belongs to the user of this process.
func ours(info fs.FileInfo) bool {
	st := stat(info)
	return st != nil && int(st.Uid) == os.Geteuid()
}

// identity is a number for a directory, the same for all who have it, and never 0.
func identity(info fs.FileInfo) uint64 {
	st := stat(info)
	if st == nil {
		return 1
	}
	return max(1, uint64(st.Ino)*0x9e3779b97f4a7c15^uint64(st.Dev))
}

// trusted says why a directory is not to be trusted with saves, by the rules of package
// shm: who may write it could make an Open restore anything.
func trusted(info fs.FileInfo, mode fs.FileMode) error {
	st := stat(info)
	perm := info.Mode().Perm()
	switch {
	case st == nil:
		return nil
	case perm&0o002 != 0:
		return fmt.Errorf("%w: everybody may write it (mode %v)", fs.ErrPermission, perm)
	case perm&0o020 != 0 && mode&0o020 == 0:
		return fmt.Errorf("%w: its group may write it (mode %v); a mode of 0660 permits that", fs.ErrPermission, perm)
	case int(st.Uid) == os.Geteuid():
		return nil
	case mode&0o060 == 0:
		return fmt.Errorf("%w: it belongs to user %d, we are user %d", fs.ErrPermission, st.Uid, os.Geteuid())
	}
	groups, err := os.Getgroups()
	if os.Getegid() != int(st.Gid) && (err != nil || !slices.Contains(groups, int(st.Gid))) {
		return fmt.Errorf("%w: it belongs to user %d and group %d, we are user %d and no member of the group", fs.ErrPermission, st.Uid, st.Gid, os.Geteuid())
	}
	return nil
}

// share gives a file or directory its mode, and the group of the directory that it is
// in if that is to be let in.
func share(f *os.File, mode fs.FileMode, parent fs.FileInfo) error {
	if parent != nil && mode&0o060 != 0 {
		if st := stat(parent); st != nil {
			if err := f.Chown(-1, int(st.Gid)); err != nil {
				return err
			}
		}
	}
	return f.Chmod(mode)
}
