// Package record turns the operations of one commit into bytes and back. It
// is pure: it knows neither shared memory nor what keys and values mean.
//
// A record is a sequence of operations; all of them happen or none. One
// operation is
//
//	kind  1 byte   low four bits: 1 put, 2 delete, 3 clear
//	               0x10: a dictionary id follows   0x20: the value is in a body
//	               0x40: the value is the number of a nested dictionary, which never expires
//	               0x80: a deadline follows the key (put); its time was up (delete)
//	dict  uvarint  only with 0x10; the root dictionary has id 0
//	key   uvarint length, bytes                    put and delete
//	until 8 bytes, little endian                   put with 0x80
//	value uvarint length, bytes                    put
//	   or uvarint offset, uvarint length, 4 bytes  put with 0x20: where the value
//	      CRC-32C, little endian                   stands in the body
//
// Operations carry resulting entries, never "+1", so that applying a record
// twice is harmless and a range of records can be folded without knowing what
// a value means.
//
// A record that is too large for the stream is written whole into a body, a
// segment of its own, and the stream carries a reference to it:
//
//	┌────────────┬───────────────────────┬──────────────┬──────────────┬─
//	│ body head  │ table: the operations │ large value  │ large value  │ …
//	│ 64+64 byte │ small values inline   │ (aligned 8)  │              │
//	└────────────┴───────────────────────┴──────────────┴──────────────┴─
//
// The table has one checksum, each large value another: a reader that applies
// the record reads the table only; a value is read when somebody asks for it.
package record
