// Package killmatrix ends a process at every step of the protocol and looks at
// what it leaves to the others.
//
//	go test -tags ultradict_failpoints ./internal/killmatrix            a cut of some minutes
//	go test -tags ultradict_failpoints ./internal/killmatrix -full      every point
//
// A scenario is something that a process does: open, write, roll over, remove. It
// is run once to count the points that it passes (see package failpoint), and then
// once for each of them, or some: there the process kills itself, or stops itself
// while the others go on without it, and is continued when the world has changed.
//
//	driver ── starts ──▶ victim ──▶ … ack 7 … ──▶ point 4711: SIGKILL
//	  │
//	  ├─ survivor, attached before:  its next write succeeds
//	  ├─ further deaths while the others recover
//	  ├─ newcomer, attached after:   both see the state after 7 steps or after 8
//	  └─ Check:                      every invariant, no file left over
//
// What a step of a scenario does is known beforehand, so the state after any
// number of them is too: the victim says after each that it has returned.
//
// Everything here needs the build tag: without it there are no points.
package killmatrix
