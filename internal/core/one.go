package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/snapshot"
)

// Change is what becomes of a key: a value, nothing, or, as the zero Change, what
// it is.
type Change struct {
	Kind     record.Kind
	Value    []byte           // of a Put, encoded
	Kept     *replica.Version // likewise, as the replica keeps it; of no use with a Deadline
	Deadline int64            // of a Put, if not 0: when it expires
}

// Modify asks decide what becomes of a key, given its newest version, nil where it
// is absent, and commits that unless the key was changed meanwhile; then decide is
// asked again. It returns the revision of the commit, 0 where nothing was changed.
//
// It is [Dict.Update] for one key, at little more than the cost of a Put. The key need
// only live as long as the call, and what decide returns until it is asked again; it
// may stand in buf.Value.
func (d *Dict) Modify(buf *Buffer, k replica.Key, decide func(*replica.Version) (Change, error)) (revision uint64, err error) {
	if err := d.writable(); err != nil {
		return 0, err
	}
	if len(k.Str) > snapshot.MaxKey { // no layer could ever take it
		return 0, d.wrap("write to", fmt.Errorf("a key of %d bytes: %w", len(k.Str), errs.ErrNoSpace))
	}
	for conflicts := 0; ; {
		revision, err := d.modify(buf, k, decide, conflicts)
		switch err {
		case errAgain, errMoved:
			conflicts++
		case errConflict:
			conflicts++
			d.control.work.conflicts.Add(1)
		default:
			return revision, err
		}
	}
}

func (d *Dict) modify(buf *Buffer, k replica.Key, decide func(*replica.Version) (Change, error), conflicts int) (uint64, error) {
	if conflicts >= contention {
		if err := d.retry.Lock(context.Background(), d.cfg.LockTimeout); err != nil {
			return 0, d.wrap("update", d.lockFailed(err))
		}
		defer d.retry.Unlock()
	}
	v, position, err := d.newest(k)
	if err != nil {
		return 0, err
	}
	if v == nil {
		if err := d.Living(k.Dict); err != nil {
			return 0, err
		}
	}
	c, err := decide(v)
	if err != nil && v != nil && v.IsExternal() {
		// Its body is there as long as nobody replaces the value.
		if now, _, e := d.newest(k); e == nil && !same(now, v) {
			return 0, errAgain
		}
	}
	if err != nil || c.Kind == 0 {
		return 0, err
	}
	// The key may stand on a stack, which only local variables may point to.
	buf.key = append(buf.key[:0], k.Str...)
	buf.check = check{one: replica.Key{Dict: k.Dict, Str: view(buf.key)}, single: true, from: position}
	if c.Kind == record.Put && !d.Fits(k, len(c.Value)) {
		k := buf.check.one
		buf.check.again = func() error {
			now, position, err := d.newest(k)
			if err == nil && !same(now, v) {
				err = errConflict
			}
			buf.check.from = position
			return err
		}
	}
	sh, nested, err := d.shapeOf(k)
	if err != nil {
		return 0, err
	}
	if nested {
		op := record.Op{Kind: c.Kind, Deadline: c.Deadline, Dict: k.Dict, Key: buf.key, Value: c.Value}
		return d.Write(context.Background(), []record.Op{op}, &buf.check)
	}
	if c.Kind == record.Put {
		return d.putIf(buf, k, &c, &buf.check, sh)
	}
	buf.record = record.Append(buf.record[:0], &record.Op{Kind: record.Delete, Dict: k.Dict, Key: bytesOf(k.Str)})
	return d.commitOne(k, buf.record, replica.Absent(0), &buf.check, sh)
}

// same reports whether two versions of a key, nil where it is absent, are of the same
// commit.
func same(a, b *replica.Version) bool {
	return a == b || a != nil && b != nil && a.Revision == b.Revision
}

// newest is the newest version of a key, nil where it is absent, and the position as
// of which it is that.
func (d *Dict) newest(k replica.Key) (*replica.Version, uint64, error) {
	s, err := d.Sync()
	for err == nil {
		p := s.Applied()
		v, e := d.at(s, k, p)
		switch {
		case e == errBehind:
			s, err = d.state()
		case errors.Is(e, errs.ErrNotFound):
			return nil, p, nil
		default:
			return v, p, e
		}
	}
	return nil, 0, err
}
