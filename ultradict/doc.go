// Package ultradict gives the processes of one machine a dictionary in common.
//
// Processes open it by name and hold the same keys and values from then on. A
// read costs what a look-up in a local map costs, because it is one: every
// process keeps a replica and compares one word in shared memory before it
// looks. A write is one record appended to a stream in shared memory. There is
// no server, and nothing to clean up: any process may be killed at any
// instruction, the others go on within milliseconds, and nothing that was
// written is lost.
//
//	process A                shared memory                  process B
//	┌─────────┐   Set   ┌──────────────────────┐   Get   ┌─────────┐
//	│ replica │ ──────▶ │ stream of records  ▶ │ ──────▶ │ replica │
//	└─────────┘         │ layers: everything   │         └─────────┘
//	                    │ that is older        │
//	                    └──────────────────────┘
//
//	d, err := ultradict.Open("workers")
//	err = d.Set("n", 1)                         // seen by all processes when it returns
//	n, err := ultradict.As[int](d.Get("n"))
//	err = d.Update(ctx, func(tx *ultradict.Tx[string, any]) error { … })
//
// # Guarantees
//
//   - Get sees every write that returned before it was called, of any process.
//   - Peek reads the replica as it stands, at one position, which only moves
//     forward.
//   - View sees one position as long as it lasts, and holds up nobody.
//   - A transaction is seen whole or not at all.
//   - A write that returned nil survives the death of any and all processes,
//     until Remove or the machine's reboot.
//
// # Caveats
//
// Linux only: elsewhere Open returns errors.ErrUnsupported. Values that Get
// returns are shared with the replica and must not be changed. A child process
// that was forked without exec shares its parent's locks: do not use a handle
// in it. systemd may clear /dev/shm when a user's last session ends (RemoveIPC
// in logind.conf), except for system users.
package ultradict
