// Package futex lets a thread sleep until a word in shared memory changes.
//
//	process A                      shared page                process B
//	Wait(&w, 7, 16ms) ──sleeps──▶  [ w = 7 ]  ◀──w.Store(8)── Wake(&w, 1)
//	       ▲                                                       │
//	       └───────────────────── kernel ◀────────────────────────┘
//
// The kernel finds the sleepers by the page that holds the word, not by its
// address: two processes that map the same file, at whatever addresses, meet.
//
// Caveats.
//
//   - A futex is a hint to look again and nothing more. Wait may return for no
//     reason, so callers loop over their own condition; and a process may die
//     between its store and its Wake, so no caller may sleep without a bound.
//   - Wait holds an operating system thread while it sleeps. It is no way to
//     let thousands of goroutines wait.
//   - The word must stay mapped until Wait has returned: keep its segment alive
//     (runtime.KeepAlive) across the call.
//   - Outside Linux there is no such call: Wait sleeps a millisecond at most and
//     Wake does nothing, which is slow and correct.
package futex
