package shm

import (
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/ultradict/go/internal/errs"
)

// access is the mode of files, and with it the rule by which directories and
// files are trusted: whoever may write them could make us believe anything.
//
//   - Others (outside the group) may never write.
//   - The group may write only if the mode says so (0060).
//   - The owner is the user of this process; or, with a mode that lets the
//     group in at all, anybody, provided that we belong to the group.
type access fs.FileMode

const private access = 0o600

// newAccess checks a mode that the user gave; 0 stands for 0600.
func newAccess(mode fs.FileMode) (access, error) {
	if mode == 0 {
		return private, nil
	}
	if mode&^0o660 != 0 || mode&0o600 != 0o600 {
		return 0, fmt.Errorf("%w: mode %#o: the owner must read and write, the group may, nobody else can", errs.ErrInvalidOption, uint32(mode))
	}
	return access(mode), nil
}

// file returns the mode of files, dir that of directories: who may read the
// ones may enter the others.
func (a access) file() fs.FileMode { return fs.FileMode(a) }
func (a access) dir() fs.FileMode  { return fs.FileMode(a | a&0o440>>2) }

// group reports whether the group is let in.
func (a access) group() bool { return a&0o060 != 0 }

// check returns nil if what st describes may be trusted, otherwise which rule
// it breaks.
func (a access) check(st *status, path string) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("open %s: %w: %s", path, fs.ErrPermission, fmt.Sprintf(format, args...))
	}
	if st.mode&0o002 != 0 {
		return refuse("everybody may write it (mode %v)", st.mode.Perm())
	}
	if st.mode&0o020 != 0 && a&0o020 == 0 {
		return refuse("its group may write it (mode %v); a mode of 0660 permits that", st.mode.Perm())
	}
	if st.uid == uint32(os.Geteuid()) {
		return nil
	}
	if !a.group() {
		return refuse("it belongs to user %d, we are user %d", st.uid, os.Geteuid())
	}
	if !inGroup(st.gid) {
		return refuse("it belongs to user %d and group %d, we are user %d and no member of the group", st.uid, st.gid, os.Geteuid())
	}
	return nil
}

// inGroup reports whether this process is a member of the group.
func inGroup(gid uint32) bool {
	if uint32(os.Getegid()) == gid {
		return true
	}
	groups, err := os.Getgroups()
	return err == nil && slices.Contains(groups, int(gid))
}

// apply gives a new file or directory its mode, whatever the umask, and the
// group of the directory it is in if the group is to be let in.
func (a access) apply(fd int, mode fs.FileMode, parent *status) error {
	if a.group() {
		st, err := sysStat(fd)
		if err != nil {
			return fmt.Errorf("stat: %w", err)
		}
		if st.gid != parent.gid {
			if err := sysChgrp(fd, parent.gid); err != nil {
				return fmt.Errorf("give to group %d: %w", parent.gid, err)
			}
		}
	}
	if err := sysChmod(fd, mode); err != nil {
		return fmt.Errorf("set mode %v: %w", mode, err)
	}
	return nil
}
