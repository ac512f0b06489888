package futex

import (
	"sync/atomic"
	"time"
)

const (
	// longest is the longest single sleep asked of the kernel. It keeps the
	// seconds of a timeout within 32 bits; callers loop anyway.
	longest = time.Hour

	// poll is how long Wait sleeps where the kernel cannot wake it.
	poll = time.Millisecond
)

// Wait sleeps until another thread of any process calls [Wake] on the same
// word, but only if the word still holds val: comparing and going to sleep are
// one step, so a wake-up after a store cannot be missed.
//
// It returns false when the timeout passed, and true otherwise: because it was
// woken, because the word differs from val, because a signal arrived, or
// because an hour of a longer timeout is over. True means "look again", never
// "it has happened". A timeout of zero or less only compares.
func Wait(addr *atomic.Uint32, val uint32, timeout time.Duration) bool {
	if addr.Load() != val {
		return true
	}
	if timeout <= 0 {
		return false
	}
	if timeout > longest {
		wait(addr, val, longest)
		return true
	}
	return wait(addr, val, timeout)
}

// Wake wakes at most n threads that sleep in [Wait] on the word, in any
// process, and returns how many. It costs a system call even when nobody
// sleeps (about 400 ns), so callers keep a flag that says whether to call it.
func Wake(addr *atomic.Uint32, n int) (woken int) {
	if n <= 0 {
		return 0 // the kernel would wake one
	}
	return wake(addr, n)
}

// sleep stands in for a wait that the kernel does not offer.
func sleep(addr *atomic.Uint32, val uint32, timeout time.Duration) bool {
	time.Sleep(min(timeout, poll))
	return addr.Load() != val || timeout > poll
}
