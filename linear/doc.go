// Linear checks that a dictionary is linearizable while the processes that use
// it are killed and stopped:
//
//	go run ./linear -for 60s
//	go run ./linear -for 60s -seed 7     the same choices as another run
//
// A round is a fresh dictionary and some worker processes. Each of their
// goroutines does random operations on few keys and writes down what it is about
// to do, and what it got, in a journal that survives it:
//
//	driver ──┬── worker ── goroutine ── journal   {"call":…, "steps":…}
//	 kills,  ├── worker ── goroutine ── journal   {"call":…, "return":…, "seen":…}
//	 stops   └── …      └─ goroutine ── …
//	                │
//	                └── one dictionary in /dev/shm/ultradict-linear-…
//
// The journals, and a last look by the driver, are one history. Porcupine
// (github.com/anishathalye/porcupine) looks for an order of its operations that a
// plain map agrees with, in which each has its place between its call and its
// return. All of them are lists of steps over the keys of one group, so a
// transaction is a single operation; groups are checked one by one.
//
// What a killed process had called and not seen return either happened before
// the process was reaped, or never: a history in which it happens later does not
// pass (strict linearizability).
//
// A round also fails where a worker gets an error from the library, a value is
// not whole, Peek goes back, a file is left over, or the search takes too long:
// that an order was not found in time is no pass. The first round that fails ends
// the run with status 1; its history is kept, with a picture of it as HTML where
// no order exists. Everything in shared memory is removed at the end, also by
// Ctrl-C; a process that waits for the driver's end does it if that is killed.
//
// That it can fail is a test of its own: built with a tag named
// ultradict_broken_…, the library has a fault on purpose, and the run must report
// it. No other build contains anything of that.
//
// Caveats: choices follow from the seed, how processes interleave does not. A
// round has a few thousand operations, since the search may take time
// exponential in the number of those that overlap.
package main
