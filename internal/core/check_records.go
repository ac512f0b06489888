package core

import (
	"errors"
	"fmt"

	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
	"github.com/ultradict/go/stream"
)

// records reads everything in [tail, head). A record that is overwritten on the
// way stands in a layer, and those are looked at later.
func (c *checkup) records() {
	str := c.d.str
	position, _, ok := c.position()
	from, head := str.Tail(), str.Head()
	chunk := uint64(c.d.id.chunk)
	if from > head || head-from > uint64(c.d.id.limit)*chunk {
		c.blind = true // said by ring
		return
	}
	r := str.Reader(from)
	for c.failed == nil {
		before := r.Position()
		rec, more, err := r.Next(head)
		switch {
		case errors.Is(err, stream.ErrLapped):
			tail := str.Tail()
			if tail <= before || tail >= head {
				return
			}
			r.Seek(tail)
		case err != nil:
			c.judge(ruleRecords, "stream", 0, err)
			c.blind = true
			// Each chunk begins with a record.
			if r.Seek(before - before%chunk + chunk); r.Position() >= head {
				return
			}
		case !more:
			return
		default:
			c.Records++
			c.record(rec, ok && rec.End > position)
		}
		if r.Position()/chunk != before/chunk {
			c.step(int64(chunk))
		}
	}
}

// record checks what a record says. Behind the newest layer its body is needed.
func (c *checkup) record(rec stream.Record, needed bool) {
	chunk := uint64(c.d.id.chunk)
	segment := fmt.Sprintf("stream (chunk %d)", (rec.End-1)/chunk)
	malformed := func(err error) {
		c.found(ruleRecords, segment, int64(rec.Start%chunk), "the record that ends at %d is whole, but %v", rec.End, err)
	}
	if rec.Kind != stream.Reference {
		err := operations(rec.Payload, func(op *record.Op) {
			if op.InBody {
				c.found(ruleRecords, segment, int64(rec.Start%chunk), "the record that ends at %d has a value in a body, but no body", rec.End)
			}
		})
		if err != nil {
			malformed(err)
		}
		return
	}
	ref, err := record.ParseRef(rec.Payload)
	if err != nil {
		malformed(err)
		c.blind = true
		return
	}
	if !needed {
		return // it stands in a layer, and its body may be gone
	}
	name := shm.NameOf(shm.Body, ref.Body)
	c.referred[name] = true
	seg := c.body(name)
	if seg == nil {
		// Meanwhile a layer may hold the record, and the body be gone for that reason.
		if now, _, ok := c.position(); ok && now < rec.End && c.bodies.missing[name] && !c.d.str.Ended() {
			c.found(ruleRebuild, name.String(), 0, "it is missing, and the record that ends at %d refers to it", rec.End)
		}
		delete(c.bodies.missing, name) // layers decide for themselves
		return
	}
	c.refersTo(seg, rec.End)
	if uint64(len(seg.Bytes())) != ref.Size {
		c.found(ruleBody, name.String(), 40, "it has %d bytes, the record that refers to it says %d", len(seg.Bytes()), ref.Size)
	}
	table := c.read(seg, record.Place{Offset: record.BodyStart, Length: ref.Table, Sum: ref.Sum}, "table of operations")
	if table == nil {
		return
	}
	err = operations(table, func(op *record.Op) {
		if op.InBody {
			c.read(seg, op.Place, "value")
		}
	})
	if err != nil {
		c.found(ruleBody, name.String(), record.BodyStart, "the table is whole, but %v", err)
	}
	c.Bodies++
}

// operations goes through the operations of a record.
func operations(ops []byte, visit func(*record.Op)) error {
	for len(ops) > 0 {
		var op record.Op
		var err error
		if ops, err = record.Next(ops, &op); err != nil {
			return err
		}
		if len(op.Key) > snapshot.MaxKey {
			return errors.New("a key is too long")
		}
		visit(&op)
	}
	return nil
}
