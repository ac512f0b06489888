package core

import (
	"errors"

	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/stream"
)

// grown reports whether the ring has grown and holds little that is in no layer:
// if nobody writes, nothing but shrink will bring it back.
func (d *Dict) grown() bool {
	return d.str.Size() > 2*d.str.Capacity() && d.unfolded(d.str.Head()) < d.due
}

// shrink is the background work that brings a ring that has grown back to its
// size at rest, by empty records each of which enters a chunk: then those that
// were gained go, a number at a time, up to the next of the first chunks.
func (d *Dict) shrink() (again bool) {
	for n := uint32(0); n < d.id.limit && d.str.Size() > 2*d.str.Capacity(); n++ {
		err := d.publish(func() error {
			if err := d.notBack(); err != nil {
				return err
			}
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
