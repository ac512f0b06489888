package core

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
	"github.com/ultradict/go/stream"
)

// Bounds of a rollover.
const (
	rolloverAt  = 4 << 20   // bytes of stream from which on one is due, however large the stream
	smallBite   = 1 << 20   // bytes of stream that are folded at once, at least
	nibble      = 128 << 10 // bytes of stream that are folded at once where writers wait, at least
	keepArena   = 4 << 20   // bytes of keys and values that a folder keeps for its next fold
	keepEntries = 32 << 10
)

// fold is the background work behind a rollover: it publishes layers until
// none is due. Any process may do it; who does is agreed by the lease.
func (d *Dict) fold() (again bool) {
	if d.unfolded(d.str.Head()) < d.due {
		return false
	}
	if !d.takeFold() {
		return !d.pause(time.Millisecond)
	}
	err := d.foldOnce()
	d.control.work.fold.drop(d.peer.ID())
	d.start(&d.merger)
	return d.background("rollover", err)
}

// unfolded is how many bytes of the stream below head stand in no layer. A floor
// above head is damage, which whoever enters the next chunk reports.
func (d *Dict) unfolded(head uint64) uint64 {
	floor := d.str.Floor()
	if floor > head {
		return 0
	}
	return head - floor
}

// foldNow publishes a layer for a writer that cannot wait, whoever has the
// lease: it is only a hint. It does nothing if the stream's floor is no longer
// where the writer saw it.
func (d *Dict) foldNow(ctx context.Context, floor uint64) error {
	if err := d.folding.take(ctx); err != nil {
		return err
	}
	defer d.folding.give()
	if d.str.Floor() != floor {
		return nil
	}
	err := d.foldLocked(d.bite)
	for bite := d.bite / 8; errors.Is(err, errs.ErrNoSpace) && bite >= min(nibble, uint64(d.id.chunk)); bite /= 8 {
		err = d.foldLocked(bite) // a small layer may fit, and make room for a larger one
	}
	if errors.Is(err, errs.ErrConflict) || errors.Is(err, stream.ErrLapped) {
		return nil // somebody else published: that is what was wanted
	}
	return err
}

// takeFold takes the lease of the folder, from one that does not get on if
// need be.
func (d *Dict) takeFold() bool {
	d.foldMu.Lock()
	defer d.foldMu.Unlock()
	return d.control.work.fold.take(d.peer.ID(), d.peer.Dead, &d.foldWatch, d.str.Floor(), foldPatience)
}

// background reports whether work goes on after err, and tells the operator if
// it is worth it.
func (d *Dict) background(what string, err error) bool {
	switch {
	case err == nil, errors.Is(err, errs.ErrConflict), errors.Is(err, stream.ErrLapped):
		return true
	case errors.Is(err, errs.ErrClosed), errors.Is(err, errs.ErrRemoved), d.closing.Load(), d.str.Ended():
		return false
	}
	d.log.Warn("background work failed; it is tried again", "dictionary", d.name, "work", what, "error", err)
	return false
}

// foldOnce folds the records from the newest layer's position to the head into
// a new layer and publishes it.
func (d *Dict) foldOnce() error {
	_ = d.folding.take(context.Background())
	defer d.folding.give()
	return d.foldLocked(d.bite)
}

func (d *Dict) foldLocked(bite uint64) error {
	b, err := d.openBase()
	if err != nil {
		return err
	}
	// A publisher may have died before it told the stream.
	if b.position > d.str.Floor() {
		if err := d.publish(func() error { d.str.Release(b.position); return nil }); err != nil {
			return err
		}
	}
	f := fold{d: d, base: b, room: d.room, working: d.working(&d.control.work.fold)}
	builder, err := f.run(d.str.Head(), min(bite, d.biteUpon(b)))
	d.room = f.room.forNext()
	if err != nil || builder == nil {
		return err
	}
	if len(b.list.Layers) == snapshot.MaxLayers {
		return d.absorb(b, builder, f.live)
	}
	name, listed, err := d.buildLayer(builder, d.working(&d.control.work.fold))
	if err != nil {
		return err
	}
	listed.From, listed.To = f.from, f.to
	listed.Live = f.live
	if err := d.push(b.list, listed, name); err != nil {
		d.discard(name)
		return err
	}
	return nil
}

// biteUpon is how many bytes of stream go into the next layer. Large layers are
// less work in all; but when the ring is half as large as it may become, writers
// will soon wait for each, so they are made small then. That in turn fills the
// list, faster than it is merged: the fuller it is, the larger they become again.
func (d *Dict) biteUpon(b *base) uint64 {
	if d.str.Size() <= int64(d.id.limit)*int64(d.id.chunk)/2 {
		return d.bite
	}
	small := max(nibble, 2*uint64(d.id.chunk))
	return min(small<<(4*len(b.list.Layers)/snapshot.MaxLayers), d.bite)
}

// layerBuilder is what [snapshot.Builder] and [snapshot.Merge] have in common.
type layerBuilder interface {
	Size() int64
	Len() int
	Tombstones() int
	Build(dst []byte, progress func() error) error
}

// buildLayer writes a layer's file. It is pending until it is listed.
func (d *Dict) buildLayer(b layerBuilder, working func() error) (shm.Name, snapshot.Listed, error) {
	draft, err := d.create(shm.Layer, b.Size())
	if err != nil {
		return shm.Name{}, snapshot.Listed{}, err
	}
	name := draft.Name()
	failpoint.Step("fill layer")
	if err := b.Build(draft.Bytes()[:b.Size()], working); err != nil {
		d.settle(name)
		return name, snapshot.Listed{}, errors.Join(fmt.Errorf("build layer: %w", err), draft.Discard())
	}
	failpoint.Step("fill layer")
	if _, err := draft.Publish(); err != nil {
		d.settle(name)
		return name, snapshot.Listed{}, errors.Join(fmt.Errorf("publish layer: %w", err), draft.Discard())
	}
	return name, snapshot.Listed{
		ID: name.ID64(), Bytes: uint64(b.Size()), Created: now(),
		Entries: uint64(b.Len()), Tombstones: uint64(b.Tombstones()),
	}, nil
}

// fold is one fold: the last operation on each key between two positions.
type fold struct {
	d       *Dict
	base    *base
	from    uint64
	to      uint64
	live    uint64
	working func() error

	dicts map[uint64]*foldedDict
	room
}

// room is memory that one fold leaves to the next, so that folding allocates
// next to nothing.
type room struct {
	index   map[string]int // of the root dictionary
	entries []folded
	arena   arena // keys and values
	scratch []byte
	builder *snapshot.Builder
}

func (r room) forNext() room {
	if cap(r.arena) > keepArena || cap(r.entries) > keepEntries {
		return room{}
	}
	clear(r.index)
	clear(r.entries)
	return room{r.index, r.entries[:0], r.arena[:0], r.scratch[:0], r.builder}
}

type folded struct {
	snapshot.Entry
	born uint64 // the put since when the key has been live
	anew bool   // the key was absent before born for certain
}

type foldedDict struct {
	horizon uint64
	index   map[string]int // of its keys, in entries
	below   uint64         // live entries in the layers beneath
}

// run folds the records up to position to, or a bite of them: whoever waits for
// room should not have to wait for everything. It returns nil where there is
// nothing to fold.
func (f *fold) run(to, bite uint64) (*snapshot.Builder, error) {
	f.from = f.base.position
	r := f.d.str.Reader(f.from)
	if f.index == nil {
		f.index = map[string]int{}
	}
	f.dicts = map[uint64]*foldedDict{0: {index: f.index}}
	for n := 0; r.Position()-f.from < bite; n++ {
		if n%256 == 0 {
			if err := f.working(); err != nil {
				return nil, err
			}
		}
		rec, ok, err := r.Next(to)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if err := f.record(rec); err != nil {
			return nil, err
		}
	}
	f.to = r.Position()
	if f.to == f.from {
		return nil, nil
	}
	return f.build()
}

func (f *fold) record(rec stream.Record) error {
	ops, body, err := f.d.operations(rec)
	if err != nil {
		return err
	}
	for len(ops) > 0 {
		var op record.Op
		if ops, err = record.Next(ops, &op); err != nil {
			return f.d.malformed(rec, err)
		}
		dict := f.dicts[op.Dict]
		if dict == nil {
			dict = &foldedDict{index: map[string]int{}}
			f.dicts[op.Dict] = dict
		}
		if op.Kind == record.Clear {
			dict.horizon = horizon(rec)
			for key, i := range dict.index {
				if e := &f.entries[i]; e.Revision > dict.horizon {
					e.anew = true
				} else {
					f.entries[i].Key, f.entries[i].Value = "", nil
					f.entries[i].Revision = 0 // dropped
					delete(dict.index, key)
				}
			}
			continue
		}
		f.operation(&op, dict, rec.End, body)
	}
	return nil
}

func (f *fold) operation(op *record.Op, dict *foldedDict, revision, body uint64) {
	i, seen := dict.index[view(op.Key)]
	if !seen {
		key := view(f.arena.keep(op.Key))
		i = len(f.entries)
		dict.index[key] = i
		f.entries = append(f.entries, folded{
			Entry: snapshot.Entry{Dict: op.Dict, Key: key, Tombstone: true},
			anew:  dict.horizon != 0,
		})
	}
	e := &f.entries[i]
	e.Revision = revision
	if op.Kind == record.Delete {
		e.Tombstone, e.Value, e.External, e.Marks = true, nil, 0, 0
		e.anew = true
		return
	}
	if e.Tombstone {
		e.born = revision
	}
	e.Tombstone, e.External, e.Marks = false, 0, 0
	f.arena.room(deadlineSize + max(len(op.Value), placeSize))
	at := len(f.arena)
	if op.Deadline != 0 {
		e.Marks = markExpiring
		f.arena = binary.LittleEndian.AppendUint64(f.arena, uint64(op.Deadline))
	}
	switch {
	case op.InBody:
		e.External = body
		f.arena = append(f.arena, place{body, op.Place}.encode()...)
	case op.Nested:
		e.Marks |= markNested
		fallthrough
	default:
		f.arena = append(f.arena, op.Value...)
	}
	e.Value = f.arena[at:len(f.arena):len(f.arena)]
}

// build settles what existed below and hands the rest to a builder.
func (f *fold) build() (*snapshot.Builder, error) {
	if f.builder == nil {
		f.builder = snapshot.NewBuilder(f.from, f.to)
	}
	b := f.builder
	b.Reset(f.from, f.to)
	// Of the dictionaries that no record was about, nothing changes.
	if n := len(f.base.list.Layers); n > 0 {
		f.live = f.base.list.Layers[n-1].Live
	}
	live := map[uint64]uint64{}
	for id, dict := range f.dicts {
		n, err := f.base.stack.Live(id)
		if err != nil {
			return nil, err
		}
		dict.below = n
		f.live -= n
		if dict.horizon == 0 {
			live[id] = n
		}
	}
	for i := range f.entries {
		if i%1024 == 0 {
			if err := f.working(); err != nil {
				return nil, err
			}
		}
		e := &f.entries[i]
		if e.Revision == 0 {
			continue
		}
		existed := false
		e.Created = e.born
		if f.dicts[e.Dict].horizon == 0 {
			below, ok, err := f.base.stack.Find(e.Dict, e.Key, f.scratch[:0])
			if err != nil {
				return nil, err
			}
			if ok {
				existed, f.scratch = true, below.Value
				if !e.anew {
					e.Created = below.Created
				}
			}
		}
		switch {
		case e.Tombstone && !existed:
			continue
		case e.Tombstone:
			live[e.Dict]--
		case !existed:
			live[e.Dict]++
		}
		if err := b.Add(e.Entry); err != nil {
			return nil, err
		}
	}
	for id, dict := range f.dicts {
		if id >= FirstNested && dict.below == 0 && live[id] == 0 {
			continue // it has come and gone: there is nothing to hide
		}
		b.SetHeader(snapshot.Header{Dict: id, Horizon: dict.horizon, Live: live[id]})
		f.live += live[id]
	}
	return b, nil
}
