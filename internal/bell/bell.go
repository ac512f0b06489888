package bell

import (
	"structs"
	"time"

	"github.com/ultradict/go/internal/failpoint"
	"github.com/ultradict/go/internal/futex"
)

// Longest is how long a sleeper sleeps at most before it looks again.
const Longest = 250 * time.Millisecond

// raised is the flag in a Word; the bits above it count the rings that woke
// somebody. Part of the format.
const raised = 1

// Word is a bell in shared memory; its zero value is ready. It fills a cache
// line. Any number of goroutines of any number of processes may use it.
type Word struct {
	_     structs.HostLayout
	state failpoint.Uint32
	_     [60]byte
}

// Ring wakes all sleepers. With nobody asleep it costs one load.
func (w *Word) Ring() {
	// Adding to a raised flag lowers it and carries into the count. If the word
	// has changed, somebody else rang after the load, and whoever raised the
	// flag since then has seen the news of both.
	v := w.state.Load()
	if v&raised != 0 && w.state.CompareAndSwap(v, v+raised) {
		futex.Wake(failpoint.Atomic32(&w.state), 1<<30)
	}
}

// Sleep returns when the bell rings, when news reports true, or after at most
// d (and never more than [Longest]), whichever comes first; only in the last
// case it returns false. It may also return true for no reason: the caller
// looks for itself. The bell must stay mapped meanwhile.
func (w *Word) Sleep(d time.Duration, news func() bool) bool {
	v := w.state.Or(raised) | raised
	if news() {
		return true
	}
	return futex.Wait(failpoint.Atomic32(&w.state), v, min(d, Longest))
}
