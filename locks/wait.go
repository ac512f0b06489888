package locks

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
	"github.com/ultradict/go/internal/futex"
	"github.com/ultradict/go/internal/pin"
)

// limit is the one deadline of a call of Lock, wherever it waits.
type limit struct {
	at   time.Time
	none bool
}

func newLimit(timeout time.Duration) limit {
	return limit{at: time.Now().Add(timeout), none: timeout < 0}
}

// left returns what remains until the deadline, at most most.
func (l limit) left(most time.Duration) time.Duration {
	if l.none {
		return most
	}
	return min(time.Until(l.at), most)
}

// lockSlow waits for the lock: for this goroutine's turn first, then against
// other processes. The turn ends when the lock is taken, not when it is
// released: the next goroutine competes for it as if it were a process of its
// own, and no process hands the lock around among its goroutines for ever.
func (m *Mutex) lockSlow(ctx context.Context, timeout time.Duration) error {
	end := newLimit(timeout)
	if err := m.queue(ctx, end); err != nil {
		return err
	}
	err := m.compete(ctx, end)
	<-m.turn
	return err
}

// queue waits for this goroutine's turn.
func (m *Mutex) queue(ctx context.Context, end limit) error {
	select {
	case m.turn <- struct{}{}:
		return nil
	default:
	}
	var expired <-chan time.Time
	if !end.none {
		timer := time.NewTimer(time.Until(end.at))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case m.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return m.interrupted(ctx)
	case <-expired:
		return m.timedOut()
	}
}

// compete waits for the lock against other processes.
func (m *Mutex) compete(ctx context.Context, end limit) error {
	take := m.id // what to put into a free word
	slept := false
	period := firstSleep
	for {
		if m.spin(take) {
			return nil
		}
		if m.closed.Load() {
			if slept {
				m.passOn()
			}
			return fmt.Errorf("wait for lock: %w", errs.ErrClosed)
		}
		left := end.left(period)
		if (slept || left <= 0) && m.takeOver(left <= 0) {
			return nil
		}
		if ctx.Err() != nil || left <= 0 {
			if slept {
				m.passOn()
			}
			if ctx.Err() != nil {
				return m.interrupted(ctx)
			}
			return m.timedOut()
		}
		s, ok := m.announce()
		if !ok {
			continue // it moved; have another look
		}
		if !slept {
			m.word.waits.Add(1)
		}
		// Others may sleep beside us, and whoever wakes us takes the bit away:
		// from now on we take the lock with the bit set.
		slept, take = true, m.id|waiters
		if futex.Wait(failpoint.Atomic32(&m.word.state), s, left) {
			period = firstSleep // it moves: no need for patience
		} else {
			period = min(2*period, longSleep)
		}
	}
}

// spin looks at the word for about a microsecond, and takes the lock if it
// sees it free.
func (m *Mutex) spin(take uint32) bool {
	for range spinFor {
		if m.word.state.Load() == 0 && m.take(take) {
			m.word.seen.Store(0)
			return true
		}
	}
	if m.word.state.Load()&^waiters == m.id {
		runtime.Gosched() // the owner is a goroutine here and may want this thread
	}
	return false
}

// announce sets the waiters bit and returns the word to sleep on. It returns
// false if there is no owner, or the word keeps changing.
func (m *Mutex) announce() (s uint32, ok bool) {
	for range maxTries {
		s = m.word.state.Load()
		if s&^waiters == 0 {
			// Free; or the bit alone, which no Mutex leaves: clear the damage.
			m.word.state.CompareAndSwap(waiters, 0)
			return 0, false
		}
		if s&waiters != 0 || m.word.state.CompareAndSwap(s, s|waiters) {
			m.word.see(s&^waiters, monotonic())
			return s | waiters, true
		}
	}
	return 0, false
}

// takeOver takes the lock from a dead owner. last says that there will be no
// further try.
func (m *Mutex) takeOver(last bool) bool {
	owner := m.word.state.Load() &^ waiters
	now := monotonic()
	if owner == 0 || owner == m.id || !m.word.claimProbe(now, probePeriod) {
		return false
	}
	if !m.peers.Dead(owner) {
		if !last && m.word.seenFor(owner, now) < dyingAfter || !m.peers.Dying(owner) {
			return false
		}
	}
	for range maxTries {
		s := m.word.state.Load()
		if s&^waiters != owner {
			return false // it had unlocked before it died, or another was quicker
		}
		// Its last Unlock may have been cut off before it woke anybody: with
		// the bit set, ours makes up for it.
		if m.word.state.CompareAndSwap(s, m.id|waiters) {
			if m.closed.Load() {
				// Closed while we asked: it did not see us, and the participant
				// may have left by now.
				if m.letGo() {
					futex.Wake(failpoint.Atomic32(&m.word.state), 1)
				}
				return false
			}
			m.word.takeovers.Add(1)
			m.word.seen.Store(0)
			if m.onTakeover != nil {
				m.onTakeover()
			}
			if m.pinned {
				pin.Pin()
			}
			m.held = m.acquire()
			return true
		}
	}
	return false
}

// passOn is for a waiter that gives up: the wake-up meant for somebody may
// have been spent on it.
func (m *Mutex) passOn() {
	for range maxTries {
		switch s := m.word.state.Load(); {
		case s == 0:
			futex.Wake(failpoint.Atomic32(&m.word.state), 1)
			return
		case s&waiters != 0 || m.word.state.CompareAndSwap(s, s|waiters):
			return // the owner will wake somebody
		}
	}
}

func (m *Mutex) timedOut() error {
	owner, held, _ := m.Owner()
	return &errs.LockError{OwnerPID: m.peers.PID(owner), Held: held}
}

func (m *Mutex) interrupted(ctx context.Context) error {
	owner, held, _ := m.Owner()
	if pid := m.peers.PID(owner); pid != 0 {
		return fmt.Errorf("wait for lock, which process %d has held for %v: %w", pid, held, ctx.Err())
	}
	return fmt.Errorf("wait for lock: %w", ctx.Err())
}
