package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
)

// list publishes layers in place of a list, of which the last is new and has the
// given name, or refuses because the list is no longer the current one.
func (d *Dict) list(old snapshot.List, layers []snapshot.Listed, name shm.Name) error {
	position := layers[len(layers)-1].To
	err := d.publish(func() error {
		if err := d.control.snapshot.Publish(old.Sequence, layers); err != nil {
			return err
		}
		d.str.Release(position)
		return nil
	})
	if err != nil {
		return err
	}
	d.settle(name)
	d.control.work.rollovers.Add(1)
	d.measure()
	return nil
}

// push publishes a new layer on top of a list, also where layers of the list
// were merged meanwhile: that changes nothing for the new one.
func (d *Dict) push(list snapshot.List, layer snapshot.Listed, name shm.Name) error {
	position := list.Position()
	for {
		err := d.list(list, append(list.Layers, layer), name)
		if !errors.Is(err, errs.ErrConflict) {
			return err
		}
		now, e := d.control.snapshot.Read()
		if e != nil || now.Position() != position || len(now.Layers) == snapshot.MaxLayers {
			return err
		}
		list = now
	}
}

// publish does a few stores under the writers' lock.
func (d *Dict) publish(stores func() error) error {
	if err := d.lock.Lock(context.Background(), d.cfg.LockTimeout); err != nil {
		return d.lockFailed(err)
	}
	err := errs.ErrRemoved
	if !d.str.Ended() {
		err = stores()
	}
	d.lock.Unlock()
	return err
}

// absorb publishes what was folded together with the newest layer, in its
// place: the list is full.
func (d *Dict) absorb(b *base, builder *snapshot.Builder, live uint64) error {
	working := d.working(&d.control.work.fold)
	mem := make([]byte, builder.Size())
	if err := builder.Build(mem, working); err != nil {
		return fmt.Errorf("build layer: %w", err)
	}
	delta, err := snapshot.Open(mem, "delta", nil)
	if err != nil {
		return err
	}
	last := len(b.stack.Layers) - 1
	m, err := snapshot.PlanMerge([]*snapshot.Layer{b.stack.Layers[last], delta}, last == 0, working)
	if err != nil {
		return err
	}
	name, listed, err := d.buildLayer(m, working)
	if err != nil {
		return err
	}
	listed.From, listed.To = m.From(), m.To()
	listed.Live = live
	replaced := b.list.Layers[last]
	layers, _ := b.list.Replace([]snapshot.Listed{replaced}, listed)
	if err := d.list(b.list, layers, name); err != nil {
		d.discard(name)
		return err
	}
	d.retire([]snapshot.Listed{replaced})
	return nil
}
