// Soak mixes everything that may happen to a dictionary, at once and for long:
// processes that do whatever the library can do, and that are killed, stopped and
// started anew all the time.
//
//	make soak                                   ten minutes
//	make soak SOAK=60s SEED=1                   one, with choices made before
//	go run -tags ultradict_failpoints ./internal/soak -for 10m
//	go run ./internal/soak                      kills at random times only
//
// The program starts itself again for each worker. A worker has a slot, with keys
// and a journal that are the slot's own, and the worker that comes after it goes
// on where it was cut off:
//
//	driver ──┬── worker of slot 0 ──┬── dictionary "soak", the same for all
//	         ├── worker of slot 1 ──┤
//	         ├── …                ──┘
//	         └── journals: what each slot intends, and what has returned
//
// After each death the driver knows from the journal what was acknowledged, and
// the at most one operation that was under way. That one happened or it did not,
// and everything else is as it was acknowledged: a dead slot's keys have to be in
// one of two states. Then the next worker is told which one, and looks for itself,
// as a newcomer. Meanwhile all workers look for halves of transactions, for what
// goes backwards, and for views that change.
//
// After some 20 seconds, an epoch, everybody is ended, everything is verified, the
// dictionary is checked, removed, and made again with other options; in some epochs
// it is removed under the hands of the workers. Nothing may be left then: no file,
// no mapping, no descriptor.
//
// The first violation ends the run with status 1, says what is needed to look into
// it, and leaves the dictionary where it is. The seed gives the same choices to
// driver and workers again; which of them meets which is up to the scheduler, so a
// run with the same seed is alike, not the same.
//
// A driver that is killed itself leaves its files in shared memory, and a worker that
// stands still at that moment; Ctrl-C leaves neither. Times from a death to a write
// are measured beside workers that take all of the machine.
package main
