//go:build linux

package futex

import (
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/failpoint"
)

// The operations, without FUTEX_PRIVATE_FLAG (128): a private futex is found by
// its address and would not leave the process.
const (
	opWait = 0 // FUTEX_WAIT
	opWake = 1 // FUTEX_WAKE
)

func wait(addr *atomic.Uint32, val uint32, timeout time.Duration) bool {
	ts := unix.NsecToTimespec(int64(timeout)) // relative, on the monotonic clock
	_, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)),
		opWait, uintptr(val), uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch e {
	case 0, unix.EAGAIN, unix.EINTR:
		return true
	case unix.ETIMEDOUT:
		return false
	default:
		// ENOSYS or EPERM under a strict seccomp filter. Without a sleep the
		// caller's loop would burn a core.
		return sleep(addr, val, timeout)
	}
}

func wake(addr *atomic.Uint32, n int) int {
	failpoint.Step("wake")
	r, _, e := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)),
		opWake, uintptr(min(n, math.MaxInt32)), 0, 0, 0)
	failpoint.Step("wake")
	if e != 0 {
		return 0
	}
	return int(r)
}
