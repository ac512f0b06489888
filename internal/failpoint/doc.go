// Package failpoint lets tests end or stop a process at every step of the
// protocol, and is not there otherwise.
//
// A step is what other processes, or the next one, could find half done: a store
// to shared memory, or a system call that changes files, locks or sleepers. Each
// has a point before it and a point after it:
//
//	shared words     their types are Uint64, Uint32 and Int64 of this package,
//	                 whose methods that change a word are the step
//	everything else  Step("what it is") before and after
//
// Without the build tag ultradict_failpoints the types are those of sync/atomic
// and Step is empty: nothing of this package is in the binary. With it a process
// counts the points that it passes from [Arm] on, and at the one that was asked
// for it kills or stops itself, or notes where it is.
//
// A lint rule (internal/lint) sees to it that no struct in shared memory has
// words of other types, and that no system call of the library that changes
// something lacks its Step. So a step without points does not pass the tests.
package failpoint
