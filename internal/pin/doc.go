// Package pin keeps a goroutine on its thread for the length of a critical
// section that other processes wait for.
//
//	pin.Pin()
//	... a copy and a few stores ...
//	pin.Unpin()
//
// A goroutine that holds a cross-process lock and is taken off its thread by
// the scheduler makes every other process wait until its turn comes round
// again: with 200 busy goroutines beside it that took up to 2.38 s, pinned
// 35 µs. The operating system may still take the thread off its processor;
// against that nothing helps but short sections.
//
// # The rule
//
// Between Pin and Unpin there is no allocation, no system call, no channel, no
// lock, no function of the user, nothing that can panic. The scheduler is off:
// whoever blocks there stops a processor of the program, the garbage collector
// with it, perhaps for ever. Pins nest; each Pin wants its Unpin on the same
// goroutine.
//
// The two functions are runtime.procPin and runtime.procUnpin, through the one
// linkname of this module. The build tag ultradict_nopin replaces them by
// nothing: slower neighbours at worst, the same results.
package pin
