package shm

import (
	"fmt"
	"os"

	"github.com/ultradict/go/internal/errs"
)

// measureFrom is the size from which a new file is measured against the memory
// that is left. Reading that takes longer than a small file is worth.
const measureFrom = 1 << 20

// room refuses a file that would pass a bound which the file system does not
// know.
func (d *Dir) room(at int, name Name, size int64) error {
	// Layers are how a dictionary gets smaller: whoever makes them sees to the
	// bound in another way.
	if d.MaxBytes > 0 && name.Kind != Layer {
		used, err := d.Bytes()
		if err != nil {
			return err
		}
		if size > d.MaxBytes || used > d.MaxBytes-size {
			return fmt.Errorf("create segment %v of %d bytes in %s: %w: %d of at most %d bytes are in use",
				name, size, d.path, errs.ErrNoSpace, used, d.MaxBytes)
		}
	}
	if size >= measureFrom && sysInMemory(at) {
		if free, group, ok := headroom(os.DirFS("/")); ok && size > free {
			return fmt.Errorf("create segment %v of %d bytes in %s: %w: %s has memory for %d bytes",
				name, size, d.path, errs.ErrNoSpace, group, free)
		}
	}
	return nil
}
