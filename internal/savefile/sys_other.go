//go:build !linux

package savefile

import (
	"io/fs"
	"os"
)

// There are no dictionaries on these systems, so nobody comes here.

const nonblock = 0

func flock(*os.File) (busy bool, err error)          { return false, nil }
func unlock(*os.File)                                {}
func isFull(error) bool                              { return false }
func ours(fs.FileInfo) bool                          { return true }
func identity(fs.FileInfo) uint64                    { return 1 }
func trusted(fs.FileInfo, fs.FileMode) error         { return nil }
func share(*os.File, fs.FileMode, fs.FileInfo) error { return nil }
