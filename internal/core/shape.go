package core

import (
	"errors"
	"math"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/replica"
)

// errMoved says that the tree of dictionaries was changed after a writer had decided
// what its record does to it: it decides again.
var errMoved = errors.New("the tree of dictionaries has changed")

// shape is what a writer has decided about the tree of dictionaries, and what others have
// to know of its record before that exists.
type shape struct {
	decided uint64 // the position as of which; 0 while nothing was ever nested
	changes bool   // the record is a structural one
	timed   bool   // something in it will expire
}

// anyShape is that of a record which has nothing to do with the tree.
var anyShape = shape{decided: math.MaxUint64}

// shapeOf is the shape of a record that changes one key, which holds a dictionary now
// if nested.
func (d *Dict) shapeOf(k replica.Key) (sh shape, nested bool, err error) {
	if d.control.work.structure.Load() == 0 {
		return shape{}, false, nil
	}
	if hidden(k.Dict) {
		return anyShape, false, nil
	}
	s, err := d.Sync()
	for err == nil {
		p := s.Applied()
		if nested, err = d.nestedNow(s, k, p); err == nil {
			return shape{decided: p}, nested, nil
		}
		if err == errBehind {
			s, err = d.state()
		}
	}
	return shape{}, false, err
}

// hidden reports whether a dictionary is one of the library's own.
func hidden(dict uint64) bool { return dict > 0 && dict < FirstNested }

// nestedNow reports whether a key of a living dictionary holds a dictionary.
func (d *Dict) nestedNow(s *replica.State, k replica.Key, p uint64) (bool, error) {
	n, listed, err := d.nodeAt(s, k.Dict, p)
	switch {
	case err != nil:
		return false, err
	case !listed && k.Dict >= FirstNested:
		return false, d.goneDict(k.Dict)
	case n.children == 0:
		return false, nil
	}
	v, err := d.stored(s, k, p)
	if errors.Is(err, errs.ErrNotFound) {
		return false, nil
	}
	return err == nil && v.IsNested(), err
}

// announce tells the others, under the lock, what is about to be committed.
func (d *Dict) announce(sh shape) {
	if sh.changes {
		d.control.work.structure.Store(d.str.Head() + 1)
	}
	if sh.timed && d.control.work.timed.Load() == 0 {
		d.control.work.timed.Store(1)
	}
}

// fits checks, under the lock, that the tree is as it was when a writer decided. The
// position of the last structural record is stored before that record is published: of
// one that never was, nobody needs to know.
func (d *Dict) fits(sh shape) error {
	if at := d.control.work.structure.Load(); at > sh.decided && at <= d.str.Head() {
		return errMoved
	}
	return nil
}
