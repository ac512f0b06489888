// Package peers gives the participants that share one control segment ids, and
// tells which of them live.
//
// Every participant takes the next id from a counter, and locks one byte of
// the control file with an open-file-description lock before its id appears
// anywhere in shared memory:
//
//	control file     … │ Base      │ Base+1 │ Base+2 │ Base+3 │ …   bytes far behind
//	                   │ read-only │ locked │  free  │ locked │     the end of the file
//	                     shared lock  alive    dead     alive
//
//	Section            next = 3
//	(mapped)           table: id 3 │ id 1 │ … 2048 slots: process, position reached, pin
//
// The kernel drops the lock when the participant's description is gone, that
// is when its process has ended in whatever way. Ids are never used twice, so
// a free byte means dead for ever: there are no generations and no ABA, and it
// holds across PID namespaces. The byte decides; the table only adds what else
// is good to know of a participant.
//
// File locks fall only after the memory of a dying process is torn down, which
// takes 65 ms at 1 GiB and 567 ms at 8 GiB. [Peer.Dying] tells earlier: a
// process in our PID namespace all of whose threads the kernel has marked as
// exiting runs no more code of its own.
//
// # Caveats
//
//   - Each Peer needs an open file description of its own: two Peers on one
//     would not see each other's locks and take each other for dead.
//   - The control mapping must be made from the same description. A mapping
//     keeps its description alive, and with it the lock; so closing the file is
//     not enough to be seen as gone, and [Peer.Leave] unlocks explicitly.
//   - A child forked without exec shares the description and keeps the byte
//     locked after its parent has died. Go programs do not fork so; programs
//     that embed Go must open their dictionaries after they fork.
//   - Section lies in memory that others may damage. Every word of it is read
//     once and checked; damage costs at most a wrong figure in [Peer.All] or a
//     refused [Join], never a crash.
//   - File locks of this kind are Linux; elsewhere Join returns
//     [errors.ErrUnsupported].
package peers
