package core

import "github.com/ultradict/go/internal/errs"

// errWentBack is one error for all, so that it can be returned under the
// writers' lock, where nothing is allocated.
var errWentBack error = &errs.CorruptError{Segment: "control", Reason: "head of the stream went back: it lies before records that were written"}

// notBack returns an error where the head lies before what this handle has
// read: an append there would overwrite what was committed. The caller holds
// the writers' lock, so nobody moves the head, and a replica never passes it.
func (d *Dict) notBack() error {
	if s := d.rep.State(); !s.Closed() && d.str.Head() < s.Applied() {
		return errWentBack
	}
	return nil
}
