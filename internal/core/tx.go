package core

import (
	"context"
	"errors"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/stream"
)

// errConflict says that something that a transaction has read was changed
// before it could commit: it runs again.
var errConflict = errors.New("conflict")

// errAgain says that the check could not look at everything under the lock:
// it is made again, the transaction is not.
var errAgain = errors.New("check again")

// Tx is a transaction: a view, what was read through it, and what it will
// write. Nothing of it is seen before it commits.
type Tx struct {
	*View
	reads  map[replica.Key]uint64 // revision seen; 0: absent
	dicts  map[uint64]bool        // of which they are keys
	whole  bool                   // has read what every record changes: a length, an iteration
	writes map[replica.Key]int    // index of the last operation on a key
	clears map[uint64]bool        // dictionaries that it has cleared
	births map[uint64]birth       // dictionaries that it will make
	ops    []record.Op
}

// Pending returns what the transaction itself has done to a key: known is
// false where nothing; op is nil where the key is absent.
func (t *Tx) Pending(k replica.Key) (op *record.Op, known bool) {
	if i, ok := t.writes[k]; ok {
		if op = &t.ops[i]; op.Kind == record.Put {
			return op, true
		}
		return nil, true
	}
	return nil, t.clears[k.Dict]
}

// Read is Version, and puts the key into the read set.
func (t *Tx) Read(k replica.Key) (*replica.Version, error) {
	v, err := t.Stored(k)
	t.dicts[k.Dict] = true
	switch {
	case err == nil:
		t.reads[k] = v.Revision
	case errors.Is(err, errs.ErrNotFound):
		t.reads[k] = 0
	}
	if err == nil && expired(v) {
		return nil, errs.ErrNotFound
	}
	return v, err
}

// ReadAll puts everything into the read set.
func (t *Tx) ReadAll() { t.whole = true }

// Write adds an operation. Key and value are the transaction's from now on.
func (t *Tx) Write(op record.Op) {
	if op.Kind == record.Clear {
		t.clear(op.Dict)
		return
	}
	t.ops = append(t.ops, op)
	t.writes[replica.Key{Dict: op.Dict, Str: string(op.Key)}] = len(t.ops) - 1
}

// clear drops what the transaction has done to a dictionary and clears it: a
// Clear counts before the other operations of its record.
func (t *Tx) clear(dict uint64) {
	ops := t.ops
	t.ops = append(make([]record.Op, 0, len(ops)+1), record.Op{Kind: record.Clear, Dict: dict})
	clear(t.writes)
	for i := range ops {
		if ops[i].Dict == dict {
			continue
		}
		t.ops = append(t.ops, ops[i])
		if ops[i].Kind != record.Clear {
			t.writes[replica.Key{Dict: ops[i].Dict, Str: string(ops[i].Key)}] = len(t.ops) - 1
		}
	}
	t.clears[dict] = true
}

// Covered reports whether the transaction has itself decided about a key.
func (t *Tx) Covered(k replica.Key) bool {
	_, known := t.Pending(k)
	return known
}

// contention is how many conflicts a transaction takes before it queues up
// with the others that have met some.
const contention = 3

// Update runs fn in a transaction and commits what it wrote, if fn returns
// nil. After a conflict fn runs again.
func (d *Dict) Update(ctx context.Context, fn func(*Tx) error) error {
	_, err := d.UpdateAt(ctx, fn)
	return err
}

// UpdateAt is Update that returns the revision of the commit, 0 where nothing was
// written.
func (d *Dict) UpdateAt(ctx context.Context, fn func(*Tx) error) (uint64, error) {
	if err := d.writable(); err != nil {
		return 0, err
	}
	for conflicts := 0; ; conflicts++ {
		if err := ctx.Err(); err != nil {
			return 0, d.wrap("update", err)
		}
		revision, err := d.attempt(ctx, fn, conflicts)
		if err != errConflict {
			return revision, err
		}
		d.control.work.conflicts.Add(1)
	}
}

// attempt runs fn once. Whatever it does, also by a panic or Goexit, leaves
// nothing behind unless it returns nil.
func (d *Dict) attempt(ctx context.Context, fn func(*Tx) error, conflicts int) (uint64, error) {
	if conflicts >= contention {
		if err := d.retry.Lock(ctx, d.cfg.LockTimeout); err != nil {
			return 0, d.wrap("update", d.lockFailed(err))
		}
		defer d.retry.Unlock()
	}
	v, err := d.View()
	if err != nil {
		return 0, err
	}
	defer v.Close()
	t := &Tx{View: v, reads: map[replica.Key]uint64{}, dicts: map[uint64]bool{}, writes: map[replica.Key]int{}, clears: map[uint64]bool{}, births: map[uint64]birth{}}
	if err := fn(t); err != nil {
		return 0, err
	}
	if len(t.ops) == 0 {
		return 0, nil // what it read was true at one position
	}
	if len(t.reads) == 0 && !t.whole {
		return d.write(ctx, t.ops, t.births, nil)
	}
	for {
		c, err := t.validate()
		if err != nil {
			return 0, err
		}
		c.again = func() error {
			now, err := t.validate()
			if err == nil {
				c.from = now.from
			}
			return err
		}
		revision, err := d.write(ctx, t.ops, t.births, c)
		if errors.Is(err, errs.ErrRemoved) {
			// A dictionary that it writes to is gone. Where it came there by a path,
			// another one may hang at its end by now: that is a conflict.
			if _, changed := t.validate(); changed != nil {
				err = changed
			}
		}
		if err != errAgain {
			return revision, err
		}
	}
}

// validate checks what was read against what is committed by now, without the
// lock. What is committed between this and the commit, the returned check
// looks at, under the lock.
func (t *Tx) validate() (*check, error) {
	s, err := t.d.Sync()
	for err == nil {
		p := s.Applied()
		err = t.unchanged(s, p)
		if err == nil {
			return &check{reads: t.reads, dicts: t.dicts, whole: t.whole, from: p}, nil
		}
		if err == errBehind {
			s, err = t.d.state()
		}
	}
	return nil, err
}

func (t *Tx) unchanged(s *replica.State, p uint64) error {
	if p == t.position {
		return nil
	}
	if t.whole {
		return errConflict
	}
	for k, seen := range t.reads {
		revision := uint64(0)
		v, err := t.d.stored(s, k, p)
		switch {
		case err == nil:
			revision = v.Revision
		case !errors.Is(err, errs.ErrNotFound):
			return err
		}
		if revision != seen {
			return errConflict
		}
	}
	return nil
}

// check is what is left to be looked at under the lock: the records behind
// from.
type check struct {
	reads  map[replica.Key]uint64
	dicts  map[uint64]bool // of which reads has keys
	one    replica.Key     // the only one that was read, if single
	single bool
	whole  bool
	from   uint64
	again  func() error // looks again without the lock, and moves from; nil where that is the caller's
	op     record.Op    // here so that scan allocates nothing
}

// read reports whether c.op is about a key that was read.
func (c *check) read() bool {
	switch {
	case c.op.Kind == record.Clear && c.single:
		return c.op.Dict == c.one.Dict
	case c.op.Kind == record.Clear:
		return c.dicts[c.op.Dict]
	case c.single:
		return c.op.Dict == c.one.Dict && string(c.op.Key) == c.one.Str
	}
	_, read := c.reads[replica.Key{Dict: c.op.Dict, Str: string(c.op.Key)}]
	return read
}

// scanned bounds the bytes that are looked at under the lock.
const scanned = 64 << 10

// scan looks for what was read among the records behind from. The caller holds
// the lock and is pinned.
func (c *check) scan(s *stream.Stream) error {
	head := s.Head()
	if head == c.from || unchecked {
		return nil
	}
	if c.whole {
		return errConflict
	}
	if head-c.from > scanned {
		return errAgain
	}
	conflict := false
	all := s.Scan(c.from, func(kind stream.Kind, _ uint64, payload []byte) bool {
		if kind != stream.Data {
			return false // in a body: that needs the file system
		}
		for len(payload) > 0 {
			var err error
			if payload, err = record.Next(payload, &c.op); err != nil {
				return false
			}
			if c.read() {
				conflict = true
				return false
			}
		}
		return true
	})
	switch {
	case conflict:
		return errConflict
	case !all:
		return errAgain
	}
	return nil
}

// Written returns what the transaction itself has put into a dictionary, the
// last value of each key.
func (t *Tx) Written(dict uint64) []record.Op {
	var ops []record.Op
	for k, i := range t.writes {
		if k.Dict == dict && t.ops[i].Kind == record.Put {
			ops = append(ops, t.ops[i])
		}
	}
	return ops
}

// Count is the number of entries of a dictionary, with what the transaction
// itself has done.
func (t *Tx) Count(dict uint64) (int, error) {
	t.ReadAll()
	n := 0
	cleared := t.clears[dict]
	if !cleared {
		var err error
		if n, err = t.Len(dict); err != nil {
			return 0, err
		}
	}
	for k, i := range t.writes {
		if k.Dict != dict {
			continue
		}
		if t.ops[i].Kind == record.Put {
			n++
		}
		if cleared {
			continue
		}
		switch _, err := t.Version(k); {
		case err == nil:
			n--
		case !errors.Is(err, errs.ErrNotFound):
			return 0, err
		}
	}
	return n, nil
}
