// Package bell lets a process sleep until another one has news.
//
// The bell is a flag, never a count of sleepers: a sleeper that died while
// counted would make every later ring cost a system call. A sleeper raises the
// flag, looks once more whether there is news, and sleeps; a ringer lowers the
// flag and wakes all who sleep.
//
//	sleeper                          ringer
//	raise flag, note the word        publish news
//	news? ── yes: go on              flag? ── down: done (one load)
//	sleep while the word is the same lower flag, count the ring, wake all
//
// All four are sequentially consistent, so either the sleeper sees the news or
// the ringer sees the flag. The word counts the rings besides, for a sleeper
// that is rung for before it has fallen asleep: another one that raises the
// flag again meanwhile must not send it to sleep.
//
// # Caveats
//
// A ringer may die between publishing and ringing: therefore every sleep has
// an end, [Longest]. Sleeping writes to the word, so it must not be mapped
// read-only. A sleeper holds a thread of the operating system.
package bell
