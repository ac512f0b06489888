package core

import (
	"errors"
	"fmt"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/stream"
)

// advance brings the replica to position target or beyond. A replica that was
// lapped goes on from the layers; since target was the head at some time, the
// second publication that it may have to wait for lies above it, so it gets
// there however fast others write. The caller holds the replica's lock.
func (d *Dict) advance(target uint64) error {
	for {
		s := d.rep.State()
		if s.Closed() {
			return errs.ErrClosed
		}
		// The head is loaded after the others, and only grows.
		written, applied := d.written.Load(), s.Applied()
		head := d.str.Head()
		if head < written {
			return errWentBack
		}
		if head < target || head < applied {
			return &errs.CorruptError{Segment: "control", Reason: fmt.Sprintf("head of the stream went back from %d to %d", max(target, applied), head)}
		}
		if applied >= target {
			break
		}
		err := d.replay(head)
		if errors.Is(err, stream.ErrLapped) {
			err = d.reload()
		}
		if err != nil {
			if d.str.Ended() {
				return errs.ErrRemoved
			}
			return err
		}
	}
	if slots, bytes := d.rep.Weight(); slots > overlaySlots || bytes > overlayBytes {
		d.start(&d.tidier)
	}
	return nil
}

// A replica that lags by more than manyRecords bytes is made ready for a key in
// each recordBytes of them, for a million at most: how far the head is away is not
// to be trusted.
const (
	manyRecords  = 256 << 10
	recordBytes  = 32
	mostExpected = 1 << 20
)

// replay applies the records up to limit.
func (d *Dict) replay(limit uint64) error {
	if at := d.rep.State().Applied(); d.reader.Position() != at {
		d.reader.Seek(at)
	}
	// No more can be read than the ring has, however far away the head is said to be.
	ring := uint64(d.id.limit) * uint64(d.id.chunk)
	if lag := min(limit-d.reader.Position(), ring); lag > manyRecords {
		d.rep.Expect(int(min(lag/recordBytes, mostExpected)))
	}
	for {
		rec, ok, err := d.reader.Next(limit)
		if err != nil || !ok {
			return err
		}
		if err := d.apply(rec); err != nil {
			return err
		}
		d.rep.Advance(rec.End)
	}
}

// apply puts one record into the replica. Nobody sees any of it before
// Advance, so a record that fails halfway leaves nothing behind.
func (d *Dict) apply(rec stream.Record) error {
	ops, body, err := d.operations(rec)
	if err != nil {
		return err
	}
	for len(ops) > 0 {
		var op record.Op
		if ops, err = record.Next(ops, &op); err != nil {
			return d.malformed(rec, err)
		}
		if op.Kind == record.Clear {
			d.rep.Clear(op.Dict, horizon(rec))
			continue
		}
		d.rep.Put(replica.Key{Dict: op.Dict, Str: view(op.Key)}, d.version(rec.End, &op, body))
	}
	return nil
}

// horizon is the position up to which a Clear in rec clears. It counts before
// the other operations of its record, wherever it stands among them: theirs is
// the record's end, and no other record ends so close to it.
func horizon(rec stream.Record) uint64 { return rec.End - 1 }

// version is what an operation leaves of its key.
func (d *Dict) version(revision uint64, op *record.Op, body uint64) *replica.Version {
	switch {
	case op.Kind == record.Delete:
		return replica.Absent(revision)
	case op.InBody && op.Deadline != 0:
		return replica.Expiring(revision, op.Deadline, bytesOf(place{body, op.Place}.encode())).AsExternal()
	case op.InBody:
		return replica.External(revision, place{body, op.Place}.encode())
	case op.Nested:
		return replica.Nested(revision, string(op.Value))
	case op.Deadline != 0:
		return replica.Expiring(revision, op.Deadline, op.Value)
	case op.Dict != 0:
		return replica.Encoded(revision, string(op.Value)) // handles of different types may ask for it
	default:
		return d.values.Version(revision, op.Value)
	}
}

// operations returns the encoded operations of a record, and the body that
// they refer to, 0 for none.
func (d *Dict) operations(rec stream.Record) (ops []byte, body uint64, err error) {
	if rec.Kind != stream.Reference {
		return rec.Payload, 0, nil
	}
	ref, err := record.ParseRef(rec.Payload)
	if err != nil {
		return nil, 0, d.malformed(rec, err)
	}
	ops, err = d.readTable(ref)
	if errors.Is(err, errBodyGone) {
		// Swept, because a layer holds the record: go on from there.
		if list, e := d.control.snapshot.Read(); e == nil && list.Position() > rec.Start {
			err = stream.ErrLapped
		}
		err = d.missing(err)
	}
	return ops, ref.Body, err
}

func (d *Dict) malformed(rec stream.Record, err error) error {
	chunk := uint64(d.id.chunk)
	return &errs.CorruptError{
		Segment: fmt.Sprintf("stream (chunk %d)", rec.End/chunk),
		Offset:  int64(rec.Start % chunk),
		Reason:  "record is whole, but " + err.Error(),
	}
}

// reload puts the replica upon the newest layers, because the records that it
// would need next are gone.
func (d *Dict) reload() error {
	applied := d.rep.State().Applied()
	for range 100 {
		b, err := d.openBase()
		if err != nil {
			return err
		}
		if b.position > applied {
			d.rep.Reset(b)
			return nil
		}
		// Lapped, and yet no newer layer: it was published between the two looks.
	}
	return &errs.CorruptError{Segment: "control", Reason: "records are gone that no layer holds"}
}
