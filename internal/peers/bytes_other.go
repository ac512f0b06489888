//go:build !linux

package peers

import (
	"errors"
	"syscall"
)

const supported = false

func lockByte(syscall.RawConn, int64) (bool, error) { return false, errors.ErrUnsupported }

func lockByteShared(syscall.RawConn, int64) error { return errors.ErrUnsupported }

func unlockByte(syscall.RawConn, int64) error { return errors.ErrUnsupported }

func bytesFree(syscall.RawConn, int64, int64) (bool, error) { return false, errors.ErrUnsupported }
