package locks

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ultradict/go/internal/failpoint"
	"github.com/ultradict/go/internal/futex"
	"github.com/ultradict/go/internal/pin"
)

const (
	firstSleep = 1 * time.Millisecond
	longSleep  = 16 * time.Millisecond

	// probePeriod is how often one of all that wait asks about the owner.
	probePeriod = 4 * time.Millisecond

	// dyingAfter is how long others wait for an owner before they ask whether
	// its process is being torn down, which costs some system calls a thread.
	dyingAfter = 2 * time.Millisecond

	// spins is how often a waiter looks again before it sleeps, about 1 µs:
	// most owners are done by then.
	spins = 400

	// maxTries bounds loops that end at once unless shared memory is damaged.
	maxTries = 64
)

// Peers tells a Mutex who it is and who else lives. Any goroutine may call its
// methods, at any time.
type Peers interface {
	// ID returns one's own id, which is neither 0 nor ever used twice.
	ID() uint32

	// Dead reports whether the participant of that id is gone for good. It
	// returns false for oneself and when it cannot be told.
	Dead(id uint32) bool

	// Dying reports whether the participant's process is certain to execute
	// none of its instructions any more, though it is not gone yet. It may
	// always return false; it is asked less often than Dead.
	Dying(id uint32) bool

	// PID returns the process id of a participant, 0 if it is not known.
	PID(id uint32) int
}

// Options are what a Mutex can be told beyond the necessary.
type Options struct {
	// OnTakeover is called after the lock was taken over from a dead owner, by
	// the goroutine that has it now, before its Lock returns: the place to
	// repair what the owner may have left half done. nil for nothing.
	OnTakeover func()

	// Pinned keeps the goroutine that has the lock on its thread, so that a
	// process with many busy goroutines does not let the others wait. From Lock
	// to Unlock it must then neither allocate nor block, make no system call
	// and run no code of others: a copy and a few stores.
	Pinned bool
}

// Mutex is one participant's access to a [Word]. Make one with [New]; any
// goroutine may use it. Between goroutines and between processes alike, what
// happens before an Unlock happens before the Lock or TryLock that succeeds
// next. It is not to be copied.
type Mutex struct {
	word       *Word
	id         uint32
	held       bool // by a goroutine of this Mutex; guarded by the lock itself
	peers      Peers
	onTakeover func()
	pinned     bool
	closed     atomic.Bool

	// turn holds a token while a goroutine competes with other processes; the
	// rest of this process's goroutines queue for it.
	turn chan struct{}

	shadow shadow // see race.go
}

// New returns a Mutex for the word, whose memory must stay mapped for as long
// as the Mutex is used. The peers of all that use a word must agree on ids. It
// panics if the id of p is not between 1 and 1<<31-1.
func New(w *Word, p Peers, opts Options) *Mutex {
	id := p.ID()
	if id == 0 || id > maxID {
		panic(fmt.Sprintf("locks: New with id %d", id))
	}
	return &Mutex{word: w, id: id, peers: p, onTakeover: opts.OnTakeover, pinned: opts.Pinned, turn: make(chan struct{}, 1)}
}

// TryLock takes the lock if it is free, and reports whether it did. It never
// waits, and never takes over from a dead owner: for that use Lock with a
// timeout of zero.
func (m *Mutex) TryLock() bool { return m.word.state.Load() == 0 && m.take(m.id) }

// take puts our id into a free word. It pins before, not after: a goroutine
// that is descheduled in between would have the lock for as long.
func (m *Mutex) take(word uint32) bool {
	if m.pinned {
		pin.Pin()
	}
	wake := false
	if m.word.state.CompareAndSwap(0, word) {
		if !m.closed.Load() {
			m.held = m.acquire()
			return true
		}
		wake = m.letGo() // somebody may have gone to sleep in this very moment
	}
	if m.pinned {
		pin.Unpin()
	}
	if wake {
		futex.Wake(failpoint.Atomic32(&m.word.state), 1)
	}
	return false
}

// Close makes every later TryLock fail and Lock return an error that matches
// os.ErrClosed. It waits for a goroutine of this Mutex that has the lock to
// release it; after that the participant may leave: whoever tries later holds
// the lock for a moment at most, does nothing with it, and minds nobody who
// takes it for a dead owner's. Close is idempotent.
//
// A pinned section is over as soon as its thread has run for a moment. If the
// word of a pinned Mutex still names us after a second, it is damaged, and Close
// waits no longer.
func (m *Mutex) Close() {
	m.closed.Store(true)
	// Rounds, not time, are counted: they do not pass while the process is stopped.
	for round := 0; m.word.state.Load()&^waiters == m.id; round++ {
		switch {
		case round < 1000:
			runtime.Gosched()
		case m.pinned && round >= 2000:
			return
		default:
			time.Sleep(time.Millisecond)
		}
	}
}

// Lock takes the lock. If it is not free, Lock waits until it is or its owner
// is dead, at most for the timeout; with a negative timeout, as long as it
// takes; with zero it only makes sure that the owner is not dead.
//
// It returns nil if the caller now has the lock; an *errs.LockError when the
// time is up; and an error that wraps ctx.Err() if the context ends earlier,
// which may be noticed 16 ms late. A lock that is free is taken without a look
// at the context.
func (m *Mutex) Lock(ctx context.Context, timeout time.Duration) error {
	if m.TryLock() {
		return nil
	}
	return m.lockSlow(ctx, timeout)
}

// Unlock releases the lock. It panics if no goroutine of this Mutex has it.
// If the word was damaged meanwhile and names somebody else, Unlock leaves it
// as it is.
func (m *Mutex) Unlock() {
	if !m.held {
		panic("locks: Unlock of a Mutex that is not locked")
	}
	m.held = false
	m.release()
	wake := !m.word.state.CompareAndSwap(m.id, 0) && m.letGo()
	if m.pinned {
		pin.Unpin()
	}
	if wake {
		futex.Wake(failpoint.Atomic32(&m.word.state), 1)
	}
}

// letGo frees the word if it is ours and reports whether somebody waits.
func (m *Mutex) letGo() (wake bool) {
	for range maxTries { // the waiters bit may come while we look
		s := m.word.state.Load()
		if s&^waiters != m.id {
			return false
		}
		m.word.seen.Store(0)
		if m.word.state.CompareAndSwap(s, 0) {
			return s&waiters != 0
		}
	}
	return false
}

// Owner tells who has the lock: its id, 0 if it is free; for how long others
// have waited for it, rounded down to milliseconds (taking a free lock reads
// no clock, so holding it counts only from when somebody else wanted it); and
// whether anybody may be waiting now. All of it may be outdated at once.
func (m *Mutex) Owner() (id uint32, held time.Duration, waiting bool) {
	s := m.word.state.Load()
	id = s &^ waiters
	return id, m.word.seenFor(id, monotonic()), s&waiters != 0
}

// Counters returns how often this lock was taken over from a dead owner, and
// how often somebody had to sleep for it, by all processes together.
func (m *Mutex) Counters() (takeovers, waits uint64) {
	return m.word.takeovers.Load(), m.word.waits.Load()
}

// spinning on one processor only keeps the owner from going on.
var spinFor = func() int {
	if runtime.NumCPU() == 1 {
		return 1
	}
	return spins
}()
