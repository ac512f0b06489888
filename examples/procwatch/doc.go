// Procwatch shows the processes of this machine as one process publishes them
// and others read them:
//
//	go run ./examples/procwatch [-for 10s] [-readers 3] [-every 200ms]
//
// The publisher scans /proc and stores what has changed, record by record, in a
// dictionary from process ids to [Process]. It starts the readers, which are
// this same program again. Each of them answers, from its own replica, which
// five processes use the most memory and the most CPU.
//
//	/proc ──> publisher ── Set, Delete ──> dictionary ── View, Get ──> reader 1
//	              │                                         ├────────> reader 2
//	              │                                         └────────> reader 3
//	              └── "stop" ──> stdin of the readers; answers <── their stdout
//
// On a terminal it shows a table that is drawn again with every scan, otherwise
// one line a second. It ends after the given time, or with Ctrl-C, with a
// summary: what was published, how fast the readers were, how fresh what they
// saw was, and whether all processes ended up with the same state.
//
// # How freshness is measured
//
// Every 2 ms the publisher stores a beacon in a second dictionary: a number and
// the time of CLOCK_MONOTONIC, which is one clock for all processes, just before
// Set. The readers look out for it with Get, between their other reads, and note
// the time when they have it. They count every beacon, so long pauses of a
// reader are not hidden by what it did not look at. But they do pause, four
// times as long as they worked, in order to leave the machine to others; that is
// most of what "seen" shows. "awake" therefore counts only the beacons that a
// reader was looking out for as they came, having looked at most 10 µs before.
//
// # Nothing stays behind
//
// The dictionaries have names of their own, procwatch-<pid> and
// procwatch-<pid>-beacons, and are removed at the end. A reader whose publisher
// was killed sees its standard input end, and removes them in its place. What
// stays is the empty directory for dictionaries of the user, which all programs of
// the user share.
package main
