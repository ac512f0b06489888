package shm

import (
	"errors"
	"io/fs"
	"math"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/failpoint"
)

// The system calls, each behind a small function of its own. Names that they
// take are single path components, relative to a directory's descriptor.

const (
	shmDir     = "/dev/shm"
	bootIDPath = "/proc/sys/kernel/random/boot_id"

	cwd = unix.AT_FDCWD // a directory's "descriptor" that resolves whole paths
)

// status is what we want to know of a file.
type status struct {
	dev, ino uint64
	uid, gid uint32
	links    uint64
	size     int64
	modified time.Time
	mode     fs.FileMode // type and permission bits
}

func (s *status) same(t *status) bool { return s.dev == t.dev && s.ino == t.ino }

func toStatus(st *unix.Stat_t) status {
	mode := fs.FileMode(st.Mode & 0o777)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	default:
		mode |= fs.ModeDevice
	}
	return status{
		dev: uint64(st.Dev), ino: uint64(st.Ino),
		uid: st.Uid, gid: st.Gid,
		links:    uint64(st.Nlink),
		size:     st.Size,
		modified: time.Unix(st.Mtim.Unix()),
		mode:     mode,
	}
}

// change is retry for a call that changes something others can see: a step of
// the protocol.
func change(what string, call func() error) error {
	failpoint.Step(what)
	err := retry(call)
	failpoint.Step(what)
	return err
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func open(at int, name string, flags int, perm uint32) (fd int, err error) {
	call := func() (err error) {
		fd, err = unix.Openat(at, name, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW, perm)
		return err
	}
	if flags&(unix.O_CREAT|unix.O_TMPFILE&^unix.O_DIRECTORY) != 0 {
		return fd, change("create file", call)
	}
	err = retry(call)
	return fd, err
}

// sysOpenDir opens a directory, and nothing else, for reading.
func sysOpenDir(at int, name string) (fd int, err error) {
	return open(at, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
}

// sysOpenFile opens a file of any type without waiting for anybody: a FIFO
// with no writer must not stop us.
func sysOpenFile(at int, name string, writable bool) (fd int, err error) {
	flags := unix.O_RDONLY
	if writable {
		flags = unix.O_RDWR
	}
	return open(at, name, flags|unix.O_NONBLOCK, 0)
}

// sysCreateUnnamed makes a file without a name. An error that matches
// errors.ErrUnsupported says that the file system has no such thing.
func sysCreateUnnamed(at int) (fd int, err error) {
	fd, err = open(at, ".", unix.O_RDWR|unix.O_TMPFILE, 0o600)
	if err == unix.EISDIR || err == unix.EINVAL {
		err = unix.EOPNOTSUPP // what kernels and file systems say that never heard of it
	}
	return fd, err
}

func sysCreateNamed(at int, name string) (fd int, err error) {
	return open(at, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
}

// sysLink gives an unnamed file its name. It never replaces a file.
func sysLink(fd, at int, name string) error {
	proc := "/proc/self/fd/" + strconv.Itoa(fd)
	err := change("link", func() error { return unix.Linkat(cwd, proc, at, name, unix.AT_SYMLINK_FOLLOW) })
	if err == unix.ENOENT {
		// No /proc here, or the directory is gone. The direct way asks for
		// privileges on older kernels, so it is not the first.
		if e := change("link", func() error { return unix.Linkat(fd, "", at, name, unix.AT_EMPTY_PATH) }); e == nil || e == unix.EEXIST {
			return e
		}
	}
	return err
}

// sysRenameNew renames a file within a directory, without replacing another
// where the file system can promise that.
func sysRenameNew(at int, from, to string) error {
	err := change("rename", func() error { return unix.Renameat2(at, from, at, to, unix.RENAME_NOREPLACE) })
	if err == unix.EINVAL || err == unix.ENOSYS {
		return sysRename(at, from, to)
	}
	return err
}

func sysRename(at int, from, to string) error {
	return change("rename", func() error { return unix.Renameat(at, from, at, to) })
}

func sysMkdir(at int, name string, perm fs.FileMode) error {
	return change("mkdir", func() error { return unix.Mkdirat(at, name, uint32(perm.Perm())) })
}

func sysUnlink(at int, name string) error {
	return change("unlink", func() error { return unix.Unlinkat(at, name, 0) })
}

func sysRmdir(at int, name string) error {
	return change("rmdir", func() error { return unix.Unlinkat(at, name, unix.AT_REMOVEDIR) })
}

func sysStat(fd int) (status, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstat(fd, &st) })
	return toStatus(&st), err
}

// sysStatAt does not follow a link in the last component of name.
func sysStatAt(at int, name string) (status, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return toStatus(&st), err
}

func sysChmod(fd int, perm fs.FileMode) error {
	return change("chmod", func() error { return unix.Fchmod(fd, uint32(perm.Perm())) })
}

func sysChgrp(fd int, gid uint32) error {
	return change("chown", func() error { return unix.Fchown(fd, -1, int(gid)) })
}

func sysRead(fd int, b []byte, off int64) (n int, err error) {
	err = retry(func() (err error) { n, err = unix.Pread(fd, b, off); return err })
	return n, err
}

// sysFree returns how many bytes the file system can still take, or MaxInt64
// where it does not say: a tmpfs without a limit reports no blocks at all.
func sysFree(fd int) int64 {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &st) }); err != nil || st.Blocks == 0 || st.Bsize <= 0 {
		return math.MaxInt64
	}
	if st.Bavail > uint64(math.MaxInt64/int64(st.Bsize)) {
		return math.MaxInt64
	}
	return int64(st.Bavail) * int64(st.Bsize)
}

// sysInMemory reports whether the file system keeps files in memory alone: what
// lies there cannot be written back to make room.
func sysInMemory(fd int) bool {
	var st unix.Statfs_t
	err := retry(func() error { return unix.Fstatfs(fd, &st) })
	return err == nil && (uint32(st.Type) == unix.TMPFS_MAGIC || uint32(st.Type) == unix.RAMFS_MAGIC)
}

// allocStep is how much is allocated by one call. A signal makes tmpfs undo
// the whole call: one of seconds would never end under a profiler's timer.
const allocStep = 4 << 20

// sysAllocate makes the file size bytes long and reserves every one of them.
func sysAllocate(fd int, size int64) error {
	step := int64(allocStep)
	for off := int64(0); off < size; {
		n := min(step, size-off)
		failpoint.Step("allocate")
		err := unix.Fallocate(fd, 0, off, n)
		failpoint.Step("allocate")
		switch err {
		case nil:
			off += n
		case unix.EINTR:
			step = max(step/2, 64<<10)
		case unix.EOPNOTSUPP, unix.ENOSYS:
			return writeZeros(fd, off, size)
		default:
			return err
		}
	}
	return nil
}

// writeZeros reserves space where fallocate cannot.
func writeZeros(fd int, off, size int64) error {
	zeros := make([]byte, min(size-off, 1<<20))
	for off < size {
		failpoint.Step("write zeros")
		n, err := unix.Pwrite(fd, zeros[:min(int64(len(zeros)), size-off)], off)
		failpoint.Step("write zeros")
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

func sysMap(fd, size int, writable bool) ([]byte, error) {
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	var data []byte
	err := change("map", func() (err error) {
		data, err = unix.Mmap(fd, 0, size, prot, unix.MAP_SHARED)
		return err
	})
	return data, err
}

func sysUnmap(b []byte) error { return change("unmap", func() error { return unix.Munmap(b) }) }

// sysLock takes the flock of an open description, or reports that another
// description has it.
func sysLock(fd int) (busy bool, err error) {
	err = change("flock", func() error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if err == unix.EWOULDBLOCK {
		return true, nil
	}
	return false, err
}

func sysUnlock(fd int) error {
	return change("unlock", func() error { return unix.Flock(fd, unix.LOCK_UN) })
}

// device returns the numbers by which /proc/locks calls a device.
func device(dev uint64) (major, minor uint32) { return unix.Major(dev), unix.Minor(dev) }

// isLinkOrNoDir says that opening a directory met something else.
func isLinkOrNoDir(err error) bool { return err == unix.ELOOP || err == unix.ENOTDIR }

// isNoPlainFile says that opening a file met something that cannot be opened:
// a link, a socket, a directory.
func isNoPlainFile(err error) bool {
	return err == unix.ELOOP || err == unix.ENXIO || err == unix.EISDIR || err == unix.ENODEV
}

// isFull says that the file system, or the user's share of it, is used up.
func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}

// isTaken says that a rename met something in its place.
func isTaken(err error) bool {
	return err == unix.EEXIST || err == unix.ENOTEMPTY || err == unix.ENOTDIR
}

// isDirectory says that unlink met a directory.
func isDirectory(err error) bool { return errors.Is(err, unix.EISDIR) }

// advice returns what the operator can do about an error, or "".
func advice(err error) string {
	switch {
	case errors.Is(err, unix.ENOMEM):
		return "; the address space is used up, or the number of mappings has reached vm.max_map_count"
	case errors.Is(err, unix.EMFILE):
		return "; raise the limit of open files (ulimit -n)"
	case errors.Is(err, unix.ENFILE):
		return "; raise the machine's limit of open files (fs.file-max)"
	}
	return ""
}
