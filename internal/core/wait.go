package core

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/ultradict/go/internal/errs"
)

// waiters are the goroutines of one handle that wait for news. One of them sleeps at
// the stream's bell, on the futex itself: to be woken through another goroutine costs
// many times as much. It wakes the others, of which the first goes to sleep next.
type waiters struct {
	mu     sync.Mutex
	asleep bool
	awake  chan struct{} // closed when the one that sleeps wakes up; nil while nobody waits for it
}

// Await returns when something is committed behind a position that was the head, or
// when ctx is done, whose error it returns then. The caller looks for itself: it may
// return nil for no reason.
func (d *Dict) Await(ctx context.Context, position uint64) error {
	return d.AwaitFor(ctx, position, math.MaxInt64)
}

// AwaitFor is Await that also returns after a while, nil then.
func (d *Dict) AwaitFor(ctx context.Context, position uint64, while time.Duration) error {
	var end time.Time
	if while != math.MaxInt64 {
		end = time.Now().Add(while)
	}
	for pause := shortestPoll; ; pause = min(2*pause, longestPoll) {
		if !end.IsZero() {
			while = time.Until(end)
		}
		switch {
		case d.closing.Load():
			return d.wrap("wait for", errs.ErrClosed)
		case d.str.Ended():
			return d.wrap("wait for", errs.ErrRemoved)
		case ctx.Err() != nil: // first: there may be news each time
			return ctx.Err()
		case d.head.Load() != position:
			runtime.KeepAlive(d)
			return nil
		case while <= 0:
			return nil
		case d.lock == nil:
			wait(ctx, min(pause, while)) // a read-only handle raises no flag in shared memory
		default:
			d.waiters.sleep(ctx, while, func() { d.str.Sleep(ctx, position, while, d.closing.Load) })
		}
	}
}

// How often a read-only handle looks for news.
const (
	shortestPoll = 100 * time.Microsecond
	longestPoll  = 10 * time.Millisecond
)

// sleep calls asleep, which returns when there is news, or waits for another goroutine
// that has done so, for ctx, or for a while.
func (w *waiters) sleep(ctx context.Context, while time.Duration, asleep func()) {
	w.mu.Lock()
	if w.asleep {
		if w.awake == nil {
			w.awake = make(chan struct{})
		}
		awake := w.awake
		w.mu.Unlock()
		timer := time.NewTimer(while)
		defer timer.Stop()
		select {
		case <-awake:
		case <-ctx.Done():
		case <-timer.C:
		}
		return
	}
	w.asleep = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		awake := w.awake
		w.asleep, w.awake = false, nil
		w.mu.Unlock()
		if awake != nil {
			close(awake)
		}
	}()
	asleep()
}

// Position is the position up to which everything was committed before the call, and
// is known here.
func (d *Dict) Position() (uint64, error) {
	s, err := d.Sync()
	if err != nil {
		return 0, err
	}
	return s.Applied(), nil
}
