//go:build !linux

package locks

import (
	"errors"
	"os"
)

func openFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func fill(*os.File) error { return errors.ErrUnsupported }

func mapFile(*os.File) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) error { return errors.ErrUnsupported }
