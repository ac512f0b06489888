package locks

import (
	"structs"
	"time"

	"github.com/ultradict/go/internal/failpoint"
)

// These are part of the format.
const (
	waiters uint32 = 1 << 31 // in Word.state: somebody may sleep
	maxID   uint32 = 1<<31 - 1

	seenBits = 33 // of Word.seen: milliseconds; the id lies above
	seenMask = 1<<seenBits - 1
)

// Word is the lock itself: 64 bytes of shared memory, used by any number of
// processes at once and never copied. Its zero value is a free lock. A process
// reaches it through a [Mutex] of its own.
type Word struct {
	_         structs.HostLayout
	state     failpoint.Uint32 // id of the owner | waiters
	_         [4]byte
	claim     failpoint.Int64  // when somebody last asked whether the owner lives
	seen      failpoint.Uint64 // an owner that others wait for, and since when
	takeovers failpoint.Uint64
	waits     failpoint.Uint64
	_         [24]byte
}

// Owner returns the id of the participant that has the lock, 0 if it is free. It
// may be outdated at once, and whatever a damaged word says. It writes nothing:
// the word may lie in memory that is mapped for reading only.
func (w *Word) Owner() uint32 { return w.state.Load() &^ waiters }

// see notes that others wait for this owner from now on, unless it is noted
// already. The note goes with the owner: it is wiped by whoever unlocks with
// waiters, or gets the lock after waiting.
func (w *Word) see(owner uint32, now int64) {
	old := w.seen.Load()
	if uint32(old>>seenBits) != owner {
		w.seen.CompareAndSwap(old, uint64(owner)<<seenBits|millis(now))
	}
}

// seenFor returns for how long others have waited for this owner.
func (w *Word) seenFor(owner uint32, now int64) time.Duration {
	seen := w.seen.Load()
	if owner == 0 || uint32(seen>>seenBits) != owner {
		return 0
	}
	ms := (millis(now) - seen) & seenMask
	if ms > seenMask/2 {
		return 0 // noted in our future: by a clock that is not ours, or damaged
	}
	return time.Duration(ms) * time.Millisecond
}

// millis wraps around after 99 days; only differences of it are used.
func millis(now int64) uint64 { return uint64(now/int64(time.Millisecond)) & seenMask }

// claimProbe reports whether it falls to the caller to ask about the owner:
// only one of all that wait does so in any period of the given length.
func (w *Word) claimProbe(now int64, period time.Duration) bool {
	last := w.claim.Load()
	// Without a sign: a time long before all times must not come out as a moment ago.
	if last <= now && uint64(now)-uint64(last) < uint64(period) {
		return false
	}
	return w.claim.CompareAndSwap(last, now)
}
