package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// setApart has a command run in a process group of its own: Ctrl-C is for the owner, and
// when to end is for the owner to say.
func setApart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// toInherit returns a listener's socket as a file for ExtraFiles.
//
// The file that the listener itself gives away will not do: each start of a process puts
// it into blocking mode ([os.File.Fd]), and with it the one socket of all workers. One
// that accepts connections just then sleeps in the kernel until the next one comes, and
// cannot be stopped. A file that was made of a nonblocking descriptor is left as it is.
func toInherit(l *net.TCPListener) (*os.File, error) {
	f, err := l.File()
	if err != nil {
		return nil, err
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("copy the socket: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(fmt.Errorf("socket: %w", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "socket"), nil
}
