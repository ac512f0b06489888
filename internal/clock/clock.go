// Package clock tells the time of the machine's monotonic clock, the same in all
// processes, without a system call.
//
// Go reads that clock whenever it reads the time, but shows only differences. So one
// reading of both ways, at the start, tells how far Go's zero is from the machine's.
// What the clock shows has no meaning beyond a reboot, and processes in a time
// namespace with an offset of its own see another one.
package clock

import "time"

var start, offset = calibrate()

// calibrate returns a moment and what the machine's clock showed then, in nanoseconds:
// of a few readings, the one that took the least time.
func calibrate() (start time.Time, offset int64) {
	best := time.Duration(-1)
	for range 16 {
		before := time.Now()
		shown := monotonic()
		now := time.Now()
		if took := now.Sub(before); best < 0 || took < best {
			best, start, offset = took, now, shown
		}
	}
	return start, offset
}

// Wall is what has to be added to the machine's monotonic clock for Unix time, both in
// nanoseconds, as the wall clock is set now.
func Wall() int64 { return time.Now().UnixNano() - Now() }

// Now is the machine's monotonic clock in nanoseconds. It is never 0, and early by no
// more than it takes to read the clock.
func Now() int64 { return offset + int64(time.Since(start)) }
