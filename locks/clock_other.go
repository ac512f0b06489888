//go:build !linux

package locks

import "time"

var started = time.Now()

// monotonic returns nanoseconds; there are no other processes to compare with.
func monotonic() int64 { return int64(time.Since(started)) }
