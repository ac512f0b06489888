package peers

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/failpoint"
)

// supported says that this system has open-file-description locks.
const supported = true

// lockByte locks a byte for this description alone. It returns false if
// another description has it.
func lockByte(conn syscall.RawConn, offset int64) (bool, error) {
	err := fcntl(conn, unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: offset, Len: 1})
	if err == unix.EAGAIN || err == unix.EACCES {
		return false, nil
	}
	return err == nil, err
}

// lockByteShared locks a byte together with all others that call it.
func lockByteShared(conn syscall.RawConn, offset int64) error {
	return fcntl(conn, unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK, Start: offset, Len: 1})
}

func unlockByte(conn syscall.RawConn, offset int64) error {
	return fcntl(conn, unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_UNLCK, Start: offset, Len: 1})
}

// bytesFree reports whether no other description has a lock of any kind on n
// bytes. A lock of this description is not seen.
func bytesFree(conn syscall.RawConn, offset, n int64) (bool, error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: offset, Len: n}
	err := fcntl(conn, unix.F_OFD_GETLK, &lock)
	return err == nil && lock.Type == unix.F_UNLCK, err
}

// fcntl leaves l_pid zero, as these commands want it.
func fcntl(conn syscall.RawConn, cmd int, lock *unix.Flock_t) error {
	lock.Whence = io.SeekStart
	if cmd == unix.F_OFD_SETLK {
		failpoint.Step("lock byte")
		defer failpoint.Step("lock byte")
	}
	var err error
	if e := conn.Control(func(fd uintptr) {
		for {
			if err = unix.FcntlFlock(fd, cmd, lock); err != unix.EINTR {
				return
			}
		}
	}); e != nil {
		return os.ErrClosed // the one reason there is
	}
	return err
}
