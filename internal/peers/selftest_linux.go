package peers

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openAnew opens the same file once more, whatever has become of its name, and
// so makes a description of its own.
func openAnew(f *os.File) (*os.File, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var second *os.File
	if e := conn.Control(func(fd uintptr) {
		second, err = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDONLY, 0)
	}); e != nil {
		return nil, os.ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("open it again: %w", err)
	}
	return second, nil
}

// fileSystems names those one is likely to meet by the magic of statfs(2).
var fileSystems = map[int64]string{
	0x01021994: "tmpfs",
	0x858458f6: "ramfs",
	0xef53:     "ext4",
	0x58465342: "xfs",
	0x9123683e: "btrfs",
	0x794c7630: "overlayfs",
	0x2fc12fc1: "zfs",
	0x6969:     "nfs",
	0x517b:     "smb",
	0xff534d42: "cifs",
	0xfe534d42: "smb2",
	0x65735546: "fuse",
	0x01021997: "9p",
	0x958458f6: "hugetlbfs",
}

func fileSystem(f *os.File) string {
	conn, err := f.SyscallConn()
	if err != nil {
		return "unknown"
	}
	var st unix.Statfs_t
	if e := conn.Control(func(fd uintptr) { err = unix.Fstatfs(int(fd), &st) }); e != nil || err != nil {
		return "unknown"
	}
	magic := int64(uint32(st.Type)) // the field is signed and 32 bits wide on some platforms
	if name, ok := fileSystems[magic]; ok {
		return name
	}
	return fmt.Sprintf("with magic %#x", magic)
}
