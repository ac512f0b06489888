// Package stream is an endless sequence of records in a bounded ring of
// shared memory: one writer at a time appends, any number of readers in any
// number of processes follow at their own pace and cost the writer nothing.
//
// A position is a byte offset into the endless stream; it only grows. The
// stream is cut into chunks of equal size, chunk n holds the positions
// [n·size, (n+1)·size), and a table says in which piece of memory a chunk lies:
//
//	        tail                    floor              head
//	          │                       │                  │
//	──────────┼──────────┬────────────┼────┬─────────────┼────┐
//	 …  n−4   │   n−3    │    n−2     ·    │     n−1     ·    │   n   …
//	──────────┼──────────┴────────────┴────┴─────────────┴────┘
//	overwritten   readable, [tail, head)                      not yet
//
//	slots[n mod 1024] = { n+1, segment }
//
// What lies below floor may be overwritten: the writer that needs chunk n takes
// the oldest chunk's memory when floor has passed it, and otherwise a fresh
// piece, so the ring grows, up to a limit; when floor moves on, the pieces that
// it gained go again, unless they are needed at once. All of that is single
// stores made before head enters the chunk, in an order that lets a writer die
// between any two of them: segment and number of the slot, then tail over the
// chunk whose memory that was. Only then is memory written, or noted for removal.
//
// # Records
//
//	0        4        8
//	┌────────┬────────┬───────────────┬─────────┐
//	│ length │ check  │ payload       │ 0…7 pad │   little endian on every
//	└────────┴────────┴───────────────┴─────────┘   supported machine: host order
//
// The two top bits of length are the kind: 0 data, 1 padding that fills the
// rest of a chunk (records never span chunks), 2 data whose meaning is a
// reference. The check is the CRC-32C of the payload, mixed with the length
// word and all 64 bits of the position, so that neither an old record at the
// same place in the ring nor a torn one passes.
//
// # Appending
//
// The caller holds a lock that works across the processes (package locks):
//
//	Reserve   make room: enter the next chunk if need be        (may ask for memory)
//	Append    write frame and payload, then publish head by CAS
//	          ... the caller releases its lock ...
//	Ring      wake readers that sleep
//
// Everything before the publication may be abandoned at any instruction;
// nothing needs to be undone.
//
// # Reading
//
// A reader copies bytes out, executes a fence, checks that tail has not passed
// what it copied, verifies the check, and only then believes what it read. When
// tail has passed it, it was lapped ([ErrLapped]) and has to begin elsewhere.
//
// # Caveats
//
// Writers must be serialized by the caller, across processes. Waiting writes to
// the header, which must not be mapped read-only then. What Size says and a
// spare are not the same: each process may keep one chunk in store besides the
// ring ([Stream.Spare]). The words of the header bound each other, and those that
// contradict each other are reported as damage; but a header that was damaged
// into another possible one may cost records, never show wrong ones. A record is at
// most a quarter of a chunk, see [Stream.MaxPayload]. Machines whose 64-bit
// atomics are not real (32-bit MIPS, ARM before 7) are not supported.
package stream
