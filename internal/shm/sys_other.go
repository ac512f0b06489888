//go:build !linux

package shm

import (
	"errors"
	"io/fs"
	"math"
	"time"
)

// There is no shared memory on this system: every call answers
// errors.ErrUnsupported, and OpenRoot is the first to do so.

const (
	shmDir     = ""
	bootIDPath = ""
	cwd        = -1
)

type status struct {
	dev, ino uint64
	uid, gid uint32
	links    uint64
	size     int64
	modified time.Time
	mode     fs.FileMode
}

func (s *status) same(t *status) bool { return s.dev == t.dev && s.ino == t.ino }

func sysOpenDir(int, string) (int, error)             { return -1, errors.ErrUnsupported }
func sysOpenFile(int, string, bool) (int, error)      { return -1, errors.ErrUnsupported }
func sysCreateUnnamed(int) (int, error)               { return -1, errors.ErrUnsupported }
func sysCreateNamed(int, string) (int, error)         { return -1, errors.ErrUnsupported }
func sysLink(int, int, string) error                  { return errors.ErrUnsupported }
func sysRenameNew(int, string, string) error          { return errors.ErrUnsupported }
func sysRename(int, string, string) error             { return errors.ErrUnsupported }
func sysMkdir(int, string, fs.FileMode) error         { return errors.ErrUnsupported }
func sysUnlink(int, string) error                     { return errors.ErrUnsupported }
func sysRmdir(int, string) error                      { return errors.ErrUnsupported }
func sysStat(int) (status, error)                     { return status{}, errors.ErrUnsupported }
func sysStatAt(int, string) (status, error)           { return status{}, errors.ErrUnsupported }
func sysChmod(int, fs.FileMode) error                 { return errors.ErrUnsupported }
func sysChgrp(int, uint32) error                      { return errors.ErrUnsupported }
func sysRead(int, []byte, int64) (int, error)         { return 0, errors.ErrUnsupported }
func sysFree(int) int64                               { return math.MaxInt64 }
func sysInMemory(int) bool                            { return false }
func sysAllocate(int, int64) error                    { return errors.ErrUnsupported }
func sysMap(fd, size int, write bool) ([]byte, error) { return nil, errors.ErrUnsupported }
func sysUnmap([]byte) error                           { return errors.ErrUnsupported }
func sysLock(int) (bool, error)                       { return false, errors.ErrUnsupported }
func sysUnlock(int) error                             { return errors.ErrUnsupported }
func device(uint64) (major, minor uint32)             { return 0, 0 }
func isLinkOrNoDir(error) bool                        { return false }
func isNoPlainFile(error) bool                        { return false }
func isFull(error) bool                               { return false }
func isTaken(error) bool                              { return false }
func isDirectory(error) bool                          { return false }
func advice(error) string                             { return "" }
