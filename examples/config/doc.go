// Config keeps the configuration of a fleet of worker processes, which take every
// change of it while they run.
//
//	go run ./examples/config [-for 8s] [-workers 4] [-every 5ms]
//
// One process owns the configuration: sections that are structs, and a dynamic part, in
// one dictionary. It starts the workers, which are this same program again, and pushes
// changes, each a transaction over several keys. The workers follow by Watch.
//
//	owner ── Update ──> dictionary ── Watch ──> worker 1: draft ──> Config ──> requests
//	                                  ├───────> worker 2: stopped for a while
//	                                  ├───────> worker 3: killed, and started anew
//	                                  └───────> …
//
// # Nobody acts on half a change
//
// What is said in one key depends on what is said in others: the backends' weights make
// 100 in all, their connections are what the limits allow, and a route leads to a backend
// that exists. A worker gathers the events of a commit, up to the one without More,
// before it makes a new Config of them. The program counts how many states in between
// would have been wrong, and how many of those that a worker acted on were: none.
//
// # What is measured
//
// A push has the time of CLOCK_MONOTONIC from just before its transaction; a worker notes
// the time when it has the new Config in force. In between lie the commit, the wake-up
// of the worker, and its work. In the quiet part nothing is pushed and nothing served:
// the CPU time of a worker then is what it costs to be blocked in Watch.
//
// The program ends after the given time, or with Ctrl-C, and exits with 1 if anything
// that it claims does not hold.
package main
