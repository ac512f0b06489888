package peers

import (
	"errors"
	"fmt"
	"os"
)

// SelfTest reports whether liveness can be told from locks on this file: a
// lock that one opening holds must be seen through another. File systems may
// accept locks and not mean it. The error wraps [errors.ErrUnsupported] and
// names the file system. Nothing stays locked, and any number of processes may
// test the same file at once.
func SelfTest(f *os.File) error {
	if err := selfTest(f); err != nil {
		return fmt.Errorf("self-test locks of %s (file system %s): %w", f.Name(), fileSystem(f), err)
	}
	return nil
}

func selfTest(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	second, err := openAnew(f)
	if err != nil {
		return err
	}
	defer second.Close() // drops its lock: nothing is mapped from it
	other, err := second.SyscallConn()
	if err != nil {
		return err
	}
	// A shared lock, so that testers do not disturb each other.
	if err = lockByteShared(other, selfTestByte); err != nil {
		return fmt.Errorf("%w: open-file-description locks: %w", errors.ErrUnsupported, err)
	}
	switch free, err := bytesFree(conn, selfTestByte, 1); {
	case err != nil:
		return fmt.Errorf("%w: open-file-description locks: %w", errors.ErrUnsupported, err)
	case free:
		return fmt.Errorf("%w: a lock is not seen through another opening of the file", errors.ErrUnsupported)
	}
	return nil
}
