// Package core is the dictionary without types: entries are encoded keys and
// encoded values. Package ultradict puts Go types in front of it and reduces
// every method to two things that are done here: find at a position, and
// commit operations with a check.
//
//	control.go   what stands where in the control segment
//	open.go      birth, attachment and removal of an instance
//	list.go      what there is, without opening it for use
//	dict.go      a handle: what one open dictionary has in this process
//	read.go      find: look, catch up if the head has moved, look again
//	apply.go     catch up: records of the stream into the replica
//	base.go      the layers below a replica
//	commit.go    the steps of a commit, in order, on one page
//	files.go     the files that a handle makes
//	body.go      records too large for the stream
//	tx.go        optimistic transactions
//	view.go      one position, kept
//	rollover.go  folding the stream into a layer
//	merge.go     merging layers
//	shrink.go    a ring that has grown, back to its size at rest
//	lease.go     who works on either, only a hint
//	adopt.go     moving the replica on to newer layers
//	sweep.go     files that nobody needs any more
//	keeper.go    what a process does for its handles four times a second
//	status.go    what an operator sees
package core
