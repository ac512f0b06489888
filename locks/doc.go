// Package locks provides a mutex between processes that survives the death of
// its holder: kill the process at any instruction, and the next one that waits
// has the lock within milliseconds.
//
// Most programs want a lock file:
//
//	f, err := locks.Open("/run/user/1000/report.lock")
//	...
//	unlock, err := f.Lock(ctx)
//	if err != nil {
//		return err
//	}
//	defer unlock()
//
// Unlike flock(2) it costs no system call while nobody competes, excludes
// goroutines as well as processes, and honours a context.
//
// # How it works
//
// The lock is one 32-bit word in shared memory, which is also the futex that
// waiters sleep on:
//
//	 31        30                                        0
//	┌─────────┬───────────────────────────────────────────┐   0        free
//	│ waiters │ id of the owner                           │   id       held
//	└─────────┴───────────────────────────────────────────┘   id + top somebody may sleep
//
//	TryLock   CAS 0 → id                                one instruction
//	Unlock    CAS id → 0; with the top bit: 0, wake one
//	Lock      TryLock; then, one goroutine a process:
//	          spin a microsecond, set the top bit,
//	          sleep 1, 2, 4, 8, 16, 16 … ms or until woken
//	          after each sleep: is the owner dead? then CAS id → own id
//
// Owners' ids are never used twice, so "is the owner dead" has one answer for
// ever, and taking over is a CAS from exactly the dead owner's word: it cannot
// hit anybody else. No sleep is longer than 16 ms, so that a wake-up lost with
// the process that owed it is made up for. Of all that wait, one in 4 ms asks
// about the owner.
//
// # Caveats
//
//   - An owner that is alive is never robbed, even if it is stopped or stuck.
//     Those who wait get an *errs.LockError naming its process when their time
//     is up. (In package ultradict it is known as LockError.)
//   - Whoever takes over from a dead owner finds what the lock protects as the
//     dead left it. Write such that this is never wrong (one atomic store that
//     publishes), or repair it first: see [Options.OnTakeover].
//   - The lock is not fair. Nobody waits in line; a process that locks and
//     unlocks in a tight loop gets more than its share.
//   - It is not recursive: locking it again while holding it waits, and fails
//     with an error that names one's own process.
//   - Linux only. Elsewhere [Open] returns [errors.ErrUnsupported].
//   - A child forked without exec keeps its parent's lock: it is held until the
//     child has ended too. Go programs do not fork so.
package locks
