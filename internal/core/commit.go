package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
	"github.com/ultradict/go/stream"
)

// commit makes the operations in payload (or the body that it refers to) one
// record of the stream, provided that check, if there is one, finds nothing
// against it. These are all the steps of the protocol, in order:
//
//	1  payload encoded and summed              the caller; no lock
//	2  lock                                    crash-safe, across processes
//	3  room: enter the next chunk              single stores, see stream.Reserve
//	4  tail past what will be overwritten      before the first byte of it
//	   announce: the tree changes, something   before the record exists
//	   will expire
//	5  frame and payload                       behind head: nobody looks there
//	6  head, by CAS                            from here on the record exists
//	7  unlock
//	8  ring                                    if somebody sleeps
//
// A process may die between any two. Before 6 nothing has happened, and
// nothing needs to be undone; after it everything has. Between 2 and 7 the
// goroutine is pinned: no allocation, no system call, no code of the user's.
func (d *Dict) commit(ctx context.Context, kind stream.Kind, payload []byte, sum uint32, check *check, sh shape) (start, end uint64, err error) {
	patience := d.cfg.LockTimeout // with the lock, in all
	deadline := time.Time{}       // for making room; set when first needed: reading the clock costs
	for {
		if !d.lock.TryLock() {
			begin := time.Now()
			if err := d.lock.Lock(ctx, patience); err != nil {
				return 0, 0, d.lockFailed(err)
			}
			patience = max(0, patience-time.Since(begin))
		}
		if err = d.notBack(); err == nil {
			err = d.str.Reserve(len(payload))
		}
		if err == nil {
			err = d.fits(sh)
		}
		if err == nil && check != nil {
			err = check.scan(d.str)
		}
		if err == nil {
			d.announce(sh)
			start, end, err = d.str.Append(kind, payload, sum)
		}
		d.lock.Unlock()

		if err == nil {
			d.str.Ring()
			runtime.KeepAlive(d)
			d.str.Collect()
			if d.unfolded(end) >= d.due {
				d.start(&d.folder)
			}
			if sh.timed {
				d.start(&d.expirer)
			}
			return start, end, nil
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(d.patience())
		}
		switch {
		case errors.Is(err, stream.ErrUnmapped):
			err = d.str.Map()
		case errors.Is(err, stream.ErrFull):
			err = d.grow(ctx, deadline)
		case errors.Is(err, stream.ErrLimit):
			err = d.makeRoom(ctx, deadline)
		case errors.Is(err, stream.ErrEnded):
			return 0, 0, errs.ErrRemoved
		}
		if err != nil {
			return 0, 0, err
		}
	}
}

// lockFailed says what it means that the lock could not be had.
func (d *Dict) lockFailed(err error) error {
	if d.closing.Load() {
		return errs.ErrClosed
	}
	if d.str.Ended() {
		return errs.ErrRemoved
	}
	return err
}

// grow makes a further chunk, as long as there is room for the layer that what
// it takes has to go through one day; otherwise it makes room in those that
// there are.
func (d *Dict) grow(ctx context.Context, deadline time.Time) error {
	if free, err := d.dir.Free(); err == nil && free < growthMargin*d.str.Size() {
		return d.makeRoom(ctx, deadline)
	}
	segment, err := d.str.Grow()
	if segment != 0 {
		d.control.work.growths.Add(1)
		name, _ := chunkName(segment)
		d.settle(name) // it is the spare, or in the ring by now
	}
	if errors.Is(err, errs.ErrNoSpace) {
		return d.makeRoom(ctx, deadline)
	}
	return err
}

// growthMargin is how many times the size of the ring the file system must have
// left for the ring to grow.
const growthMargin = 8

// Write commits operations, one record, with a check or none, and applies it
// to the replica. It returns the record's revision.
func (d *Dict) Write(ctx context.Context, ops []record.Op, check *check) (uint64, error) {
	return d.write(ctx, ops, nil, check)
}

// write is Write of a record that makes nested dictionaries.
func (d *Dict) write(ctx context.Context, ops []record.Op, births map[uint64]birth, check *check) (uint64, error) {
	if err := d.writable(); err != nil {
		return 0, err
	}
	if stores(ops) {
		if err := d.admit(ctx); err != nil {
			return 0, d.failed(err)
		}
	}
	buf := GetBuffer()
	defer buf.Release()
	for {
		all, sh, err := d.planted(ctx, ops, births)
		if err != nil {
			return 0, err
		}
		sh.timed = timed(all)
		end, err := d.writeOnce(ctx, buf, all, check, sh)
		if err != errMoved {
			return end, err
		}
	}
}

// timed reports whether operations store something that will expire.
func timed(ops []record.Op) bool {
	return slices.ContainsFunc(ops, func(op record.Op) bool { return op.Deadline != 0 })
}

func (d *Dict) writeOnce(ctx context.Context, buf *Buffer, ops []record.Op, check *check, sh shape) (uint64, error) {
	b := buf.record[:0]
	for i := range ops {
		if len(ops[i].Key) > snapshot.MaxKey { // no layer could ever take it
			return 0, d.wrap("write to", fmt.Errorf("a key of %d bytes: %w", len(ops[i].Key), errs.ErrNoSpace))
		}
		b = record.Append(b, &ops[i])
		if len(b) > d.str.MaxPayload() {
			return d.writeLarge(ctx, ops, check, sh)
		}
	}
	buf.record = b
	_, end, err := d.commit(ctx, stream.Data, b, record.Sum(b), check, sh)
	if err != nil {
		return 0, d.failed(err)
	}
	d.applied(end)
	return end, nil
}

// Fits reports whether a key with an encoded value of n bytes is small enough
// for Put. Others take [Dict.Write].
func (d *Dict) Fits(k replica.Key, n int) bool {
	return len(k.Str)+n+recordHead <= d.str.MaxPayload()
}

const (
	recordHead  = 32  // more than what a record of one value has besides key and value
	smallRecord = 128 // bytes of a record that is made on the stack
)

// Put commits an encoded value under one key, without a check. v is the value
// as the replica keeps it; its revision is set here. Neither key nor value is
// kept.
func (d *Dict) Put(k replica.Key, value []byte, v *replica.Version) error {
	if len(k.Str)+len(value) <= smallRecord-recordHead {
		var room [smallRecord]byte
		return d.put(k, record.AppendPut(room[:0], k.Dict, bytesOf(k.Str), value), v)
	}
	buf := GetBuffer()
	defer buf.Release()
	buf.record = record.AppendPut(buf.record[:0], k.Dict, bytesOf(k.Str), value)
	return d.put(k, buf.record, v)
}

func (d *Dict) put(k replica.Key, payload []byte, v *replica.Version) error {
	if err := d.writable(); err != nil {
		return err
	}
	if err := d.admit(context.Background()); err != nil {
		return d.failed(err)
	}
	for {
		sh, nested, err := d.shapeOf(k)
		if err != nil {
			return err
		}
		if nested {
			return d.overwrite(slices.Clone(payload)) // which may stand on the stack
		}
		if _, err = d.commitOne(k, payload, v, nil, sh); err != errMoved {
			return err
		}
	}
}

// overwrite is put under a key that holds a dictionary.
func (d *Dict) overwrite(payload []byte) error {
	var op record.Op
	if _, err := record.Next(payload, &op); err != nil {
		return d.wrap("write to", err)
	}
	_, err := d.Write(context.Background(), []record.Op{op}, nil)
	return err
}

// putIf is Put of any size with a check, and a deadline if that is not 0. It returns the
// record's revision.
func (d *Dict) putIf(buf *Buffer, k replica.Key, c *Change, check *check, sh shape) (uint64, error) {
	op := record.Op{Kind: record.Put, Deadline: c.Deadline, Dict: k.Dict, Key: buf.key, Value: c.Value}
	if !d.Fits(k, len(c.Value)) {
		return d.Write(context.Background(), []record.Op{op}, check)
	}
	if err := d.admit(context.Background()); err != nil {
		return 0, d.failed(err)
	}
	buf.record = record.Append(buf.record[:0], &op)
	sh.timed = c.Deadline != 0
	kept := c.Kept
	if sh.timed {
		kept = replica.Expiring(0, c.Deadline, c.Value)
	}
	return d.commitOne(k, buf.record, kept, check, sh)
}

// commitOne commits an operation on one key, which v is the result of.
func (d *Dict) commitOne(k replica.Key, payload []byte, v *replica.Version, check *check, sh shape) (uint64, error) {
	at := d.rep.Find(k) // now, so that the memory is at hand when the lock is held
	start, end, err := d.commit(context.Background(), stream.Data, payload, record.Sum(payload), check, sh)
	if err != nil {
		return 0, d.failed(err)
	}

	// The replica stands at the record's start, most of the time: then there is
	// no need to read back what is known.
	d.rep.Lock()
	d.commits++
	if s := d.rep.State(); s.Applied() == start {
		v.Revision = end
		d.rep.PutAt(at, k, v)
		d.rep.Advance(end)
		if slots, bytes := d.rep.Weight(); slots > overlaySlots || bytes > overlayBytes {
			d.start(&d.tidier)
		}
		d.rep.Unlock()
		return end, nil
	}
	d.readBack(end)
	d.rep.Unlock()
	return end, nil
}

// writeLarge commits operations through a body.
func (d *Dict) writeLarge(ctx context.Context, ops []record.Op, check *check, sh shape) (uint64, error) {
	layout := record.Layout(ops)
	room := func() error { return d.roomFor(int64(layout.Size()), stores(ops)) }
	seg, ref, err := d.writeBody(layout, room)
	if errors.Is(err, errs.ErrNoSpace) && d.reclaim(ctx, func() bool { return room() == nil }) {
		seg, ref, err = d.writeBody(layout, room)
	}
	if err != nil {
		return 0, d.failed(err)
	}
	b := record.AppendRef(make([]byte, 0, record.RefSize), ref)
	_, end, err := d.commit(ctx, stream.Reference, b, record.Sum(b), check, sh)
	for err == errAgain && check.again != nil {
		// To make the body again would take so long that others come in between again.
		if err = cmp.Or(ctx.Err(), check.again()); err == nil {
			_, end, err = d.commit(ctx, stream.Reference, b, record.Sum(b), check, sh)
		}
	}
	if err != nil {
		d.discard(shm.NameOf(shm.Body, ref.Body))
		return 0, d.failed(err)
	}
	committed(seg, end)
	d.settle(shm.NameOf(shm.Body, ref.Body))
	d.applied(end)
	return end, nil
}

// applied counts a commit of ours and brings the replica past it.
func (d *Dict) applied(end uint64) {
	d.rep.Lock()
	defer d.rep.Unlock()
	d.commits++
	d.readBack(end)
}

// readBack brings the replica past a record of ours. That it cannot be read is
// not the write's failure, which has happened: whoever reads next is told. The
// caller holds the replica's lock.
func (d *Dict) readBack(end uint64) {
	if err := d.advance(end); err != nil && !errors.Is(err, errs.ErrClosed) && !errors.Is(err, errs.ErrRemoved) {
		d.log.Error("a write of ours cannot be read back", "dictionary", d.name, "error", err)
	}
}

func (d *Dict) writable() error {
	if d.lock == nil {
		return d.wrap("write to", errs.ErrReadOnly)
	}
	if d.closing.Load() {
		return d.wrap("write to", errs.ErrClosed)
	}
	return nil
}

// failed wraps what went wrong with a commit. The errors that a transaction
// deals with itself pass as they are.
func (d *Dict) failed(err error) error {
	if err == errConflict || err == errAgain || err == errMoved {
		return err
	}
	return d.wrap("write to", err)
}

// makeRoom is for a writer that needs the oldest chunk of a ring that cannot
// grow: it folds a bite of what is there into a layer itself. Where nothing is left
// to fold, somebody else has made room since the writer looked.
func (d *Dict) makeRoom(ctx context.Context, deadline time.Time) error {
	floor := d.str.Floor()
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		err := d.foldNow(waiting, floor)
		if errors.Is(err, errs.ErrNoSpace) && d.reclaim(waiting, func() bool { return d.str.Floor() != floor }) {
			err = nil
		}
		if err != nil && waiting.Err() == nil {
			return err
		}
		if d.str.Floor() != floor {
			return nil
		}
		if d.str.Ended() {
			return errs.ErrRemoved
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("stream is full at %d bytes and no layer could be published for %v: %w", d.str.Size(), d.patience(), errs.ErrNoSpace)
		}
		if d.unfolded(d.str.Head()) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
