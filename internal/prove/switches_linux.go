package main

import "golang.org/x/sys/unix"

// preemptions is how often the kernel has taken the processor from this thread
// though it had more to do.
func preemptions() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return int64(u.Nivcsw)
}
