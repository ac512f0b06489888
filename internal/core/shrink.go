package core

import (
	"errors"

	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/stream"
)

// grownQuietly reports whether the ring has grown and nobody has written to it
// since the last call, so that nothing but shrink will bring it back. Only the
// keeper calls it.
func (d *Dict) grownQuietly() bool {
	head := d.str.Head()
	quiet := head == d.quiet
	d.quiet = head
	return quiet && d.str.Size() > 2*d.str.Capacity() && head-d.str.Floor() < d.due
}

// shrink is the background work that brings a ring that has grown back to its
// size at rest, by empty records each of which enters a chunk: one for each of
// the first chunks, between which those that were gained lie.
func (d *Dict) shrink() (again bool) {
	for range d.id.chunks + 1 {
		err := d.publish(func() error {
			if err := d.str.Turn(); err != nil {
				return err
			}
			_, _, err := d.str.Append(stream.Data, nil, record.Sum(nil))
			return err
		})
		if errors.Is(err, stream.ErrUnmapped) {
			err = d.str.Map()
		}
		if err != nil {
			return false // the next writer does it
		}
		d.str.Collect()
	}
	return false
}
