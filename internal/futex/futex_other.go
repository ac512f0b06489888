//go:build !linux

package futex

import (
	"sync/atomic"
	"time"
)

func wait(addr *atomic.Uint32, val uint32, timeout time.Duration) bool {
	return sleep(addr, val, timeout)
}

func wake(*atomic.Uint32, int) int { return 0 }
