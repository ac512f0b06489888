package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// monotonic returns the time of CLOCK_MONOTONIC in nanoseconds. It can be
// compared between processes, which the readings in a time.Time cannot.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // the kernel always has this clock
	}
	return t.Nano()
}

// cpuTime returns the CPU time that this process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // only for an unknown argument
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// terminal reports whether a file is a terminal, and how large it is. A size
// of 0 is not known.
func terminal(fd uintptr) (width, height int, ok bool) {
	if _, err := unix.IoctlGetTermios(int(fd), unix.TCGETS); err != nil {
		return 0, 0, false
	}
	if size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); err == nil {
		width, height = int(size.Col), int(size.Row)
	}
	return width, height, true
}
