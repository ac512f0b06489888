package locks

import (
	"math"

	"golang.org/x/sys/unix"
)

// monotonic returns nanoseconds of a clock that all processes of the machine
// share and that nobody sets.
func monotonic() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return math.MaxInt64 // every note is old, and it is everybody's turn
	}
	return ts.Nano()
}
