package ultradict

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/value"
)

// Held is a named lock that this handle has, see [Map.Lock]. Any goroutine may use it.
type Held struct {
	claim *core.Claim
}

// Lock takes a lock that processes share by its name, for critical sections of their
// own: it has nothing to do with keys, and the dictionary itself needs no lock of its
// users. Locks of one name in different dictionaries are different locks.
//
// The lock is held until [Held.Unlock], until the handle is closed, or until the
// process dies, of which the next holder is told ([Held.Abandoned]). A process that is
// merely stopped keeps it: where that matters, guard what the lock protects with
// [Held.Token]. It is not reentrant and not fair. Taking it and giving it back are
// commits, about as expensive as two calls of [Map.Set].
//
// Errors: [ErrInvalidName] for a name that is empty, not valid UTF-8 or longer than a
// key may be; the context's, together with a *[LockError] that says who holds the lock;
// [ErrNoSpace] if the dictionary is full; otherwise as [Map.Set].
func (m *Map[K, V]) Lock(ctx context.Context, name string) (*Held, error) {
	begin := time.Now()
	var doubt core.Doubt
	for pid := 0; ; {
		position, err := m.d.Position()
		if err != nil {
			return nil, err
		}
		if err = ctx.Err(); err == nil {
			var held *Held
			if held, pid, err = m.tryLock(name, &doubt); held != nil || err != nil {
				return held, err
			}
			err = m.d.AwaitClaim(ctx, position)
		}
		if err != nil && err == ctx.Err() && pid != 0 {
			return nil, fmt.Errorf("lock %q of %q: %w (%w)", name, m.Name(), err, &LockError{OwnerPID: pid, Held: time.Since(begin)})
		}
		if err != nil {
			return nil, err
		}
	}
}

// TryLock is [Map.Lock] that does not wait: it reports whether it got the lock.
func (m *Map[K, V]) TryLock(name string) (held *Held, ok bool, err error) {
	held, _, err = m.tryLock(name, &core.Doubt{})
	return held, held != nil, err
}

func (m *Map[K, V]) tryLock(name string, doubt *core.Doubt) (held *Held, holder int, err error) {
	if name == "" || len(name) > value.MaxKeyLen || !utf8.ValidString(name) {
		return nil, 0, fmt.Errorf("lock %q of %q: %w", name, m.Name(), ErrInvalidName)
	}
	claim, holder, err := m.d.TryClaim(m.claimed(core.Locks, []byte(name)), doubt)
	if claim == nil {
		return nil, holder, err
	}
	return &Held{claim}, 0, nil
}

// Unlock gives the lock back. A second call returns [ErrNotHeld]; other errors are
// those of [Map.Set], and then the lock is still held.
func (h *Held) Unlock() error { return h.claim.Release() }

// Abandoned reports whether the last holder died with the lock, or closed its handle,
// and which process that was: what the lock protects may be half done.
func (h *Held) Abandoned() (pid int, ok bool) {
	pid = h.claim.Abandoned()
	return pid, pid != 0
}

// Token is a number that is higher than that of every earlier holder of this lock, for
// whoever has to refuse those who believe that they still hold it (a fencing token).
func (h *Held) Token() uint64 { return h.claim.Revision() }
