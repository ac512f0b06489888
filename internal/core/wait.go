package core

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/ultradict/go/internal/errs"
)

// waiters are the goroutines of one handle that wait for news. One of them sleeps at
// the stream's bell, on the futex itself: to be woken through another goroutine costs
// many times as much. It wakes the others, of which the first goes to sleep next.
type waiters struct {
	mu    sync.Mutex
	awake chan struct{} // closed when the one that sleeps wakes up; nil while nobody sleeps
}

// Await returns when something is committed behind a position that was the head, or
// when ctx is done, whose error it returns then. The caller looks for itself: it may
// return nil for no reason.
func (d *Dict) Await(ctx context.Context, position uint64) error {
	for pause := shortestPoll; ; pause = min(2*pause, longestPoll) {
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
		case d.lock == nil:
			wait(ctx, pause) // a read-only handle raises no flag in shared memory
		default:
			d.waiters.sleep(ctx, func() { d.sleep(ctx, position) })
		}
	}
}

// How often a read-only handle looks for news.
const (
	shortestPoll = 100 * time.Microsecond
	longestPoll  = 10 * time.Millisecond
)

// sleep calls asleep, which returns when there is news, or waits for another goroutine
// that has done so, or for ctx.
func (w *waiters) sleep(ctx context.Context, asleep func()) {
	w.mu.Lock()
	if awake := w.awake; awake != nil {
		w.mu.Unlock()
		select {
		case <-awake:
		case <-ctx.Done():
		}
		return
	}
	awake := make(chan struct{})
	w.awake = awake
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.awake = nil
		w.mu.Unlock()
		close(awake)
	}()
	asleep()
}

// sleep sleeps until something is committed behind position, until ctx is done, or
// until the handle is being closed.
func (d *Dict) sleep(ctx context.Context, position uint64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ending, cancel)()
	_ = d.str.Wait(ctx, position) // what it was, the caller sees
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
