package clock

import "golang.org/x/sys/unix"

func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("clock: no monotonic clock: " + err.Error()) // Go itself could not run
	}
	return t.Nano()
}
