package core

import (
	"errors"
	"math"
	"strings"

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
// if nested. The key need only live as long as the call.
func (d *Dict) shapeOf(k replica.Key) (sh shape, nested bool, err error) {
	word := d.control.work.structure.Load()
	if word == 0 {
		return shape{}, false, nil
	}
	if hidden(k.Dict) {
		return anyShape, false, nil
	}
	known := d.ground[k.Dict%uint64(len(d.ground))].Load()
	if known == nil || known.dict != k.Dict || known.word != word {
		if known, err = d.survey(k.Dict, word); err != nil {
			return shape{}, false, err
		}
	}
	if !known.nests {
		return shape{decided: known.decided}, false, nil
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

// ground is what is known of a living dictionary as long as the tree does not change.
type ground struct {
	dict    uint64
	word    uint64 // structure in the control segment when it was found out
	decided uint64 // the position as of which
	nests   bool   // others hang from it
}

// survey finds out what ground a dictionary is. It is kept for others to find, unless
// the record that word was stored for may still come.
func (d *Dict) survey(dict, word uint64) (*ground, error) {
	s, err := d.Sync()
	for err == nil {
		p := s.Applied()
		n, listed, e := d.nodeAt(s, dict, p)
		switch {
		case e == errBehind:
			s, err = d.state()
			continue
		case e != nil:
			return nil, e
		case !listed && dict >= FirstNested:
			return nil, d.goneDict(dict)
		}
		g := &ground{dict: dict, word: word, decided: p, nests: n.children > 0}
		if p >= word {
			d.ground[dict%uint64(len(d.ground))].Store(g)
		}
		return g, nil
	}
	return nil, err
}

// hidden reports whether a dictionary is one of the library's own.
func hidden(dict uint64) bool { return dict > 0 && dict < FirstNested }

// nestedNow reports whether a key holds a dictionary.
func (d *Dict) nestedNow(s *replica.State, k replica.Key, p uint64) (bool, error) {
	v, r := s.Find(k, p)
	switch r {
	case replica.Found:
		return v.IsNested(), nil
	case replica.Gone:
		return false, nil
	}
	k.Str = strings.Clone(k.Str) // the base may keep what it is asked for
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
// position of a structural record is stored before that is published, and its writer may
// have died in between: then it stands above head, and in the place of that of an earlier
// record, which a writer who has not seen all there is must not miss.
func (d *Dict) fits(sh shape) error {
	if min(d.control.work.structure.Load(), d.str.Head()) > sh.decided {
		return errMoved
	}
	return nil
}
