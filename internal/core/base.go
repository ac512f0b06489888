package core

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"weak"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
)

// Marks of entries in layers; part of the format.
const (
	markNested   = 1 // the value is the number of a nested dictionary
	markExpiring = 2 // the value, or its place, stands behind a deadline

	deadlineSize = 8
)

// base is the layers of one moment, as a replica's base.
type base struct {
	list     snapshot.List
	stack    snapshot.Stack
	position uint64
	values   Values
}

// Position is that of the newest layer; of the first record where there is none.
func (b *base) Position() uint64 { return b.position }

// Live is the number of entries of a dictionary.
func (b *base) Live(dict uint64) (int, error) {
	n, err := b.stack.Live(dict)
	return int(n), err
}

// Find reads an entry from the layers.
func (b *base) Find(k replica.Key) (*replica.Version, error) {
	e, ok, err := b.stack.Find(k.Dict, k.Str, nil)
	if err != nil || !ok {
		return nil, err
	}
	return b.version(&e), nil
}

// version is an entry as a version.
func (b *base) version(e *snapshot.Entry) *replica.Version {
	var v *replica.Version
	switch {
	case e.Marks&markExpiring != 0 && len(e.Value) >= deadlineSize:
		v = replica.Deadlined(e.Revision, bytes.Clone(e.Value))
		if e.External != 0 {
			v = v.AsExternal()
		}
	case e.External != 0:
		v = replica.External(e.Revision, string(e.Value))
	case e.Marks&markNested != 0:
		v = replica.Nested(e.Revision, string(e.Value))
	case e.Dict != 0:
		v = replica.Encoded(e.Revision, string(e.Value))
	default:
		v = b.values.Version(e.Revision, e.Value)
	}
	return v.From(e.Created)
}

// openBase opens the layers that are listed now.
func (d *Dict) openBase() (*base, error) {
	for {
		list, err := d.control.snapshot.Read()
		if err != nil {
			return nil, fmt.Errorf("read the list of layers: %w", err)
		}
		stack, err := d.openStack(list)
		if err == nil {
			return &base{list: list, stack: stack, position: max(list.Position(), d.str.First()), values: d.values}, nil
		}
		// A layer may have been superseded and removed between the two.
		if !errors.Is(err, fs.ErrNotExist) || d.str.Ended() {
			return nil, err
		}
		if d.control.snapshot.Sequence() == list.Sequence {
			return nil, &errs.CorruptError{Segment: "control", Reason: "a layer that is listed does not exist: " + err.Error()}
		}
	}
}

func (d *Dict) openStack(list snapshot.List) (snapshot.Stack, error) {
	stack := snapshot.Stack{Layers: make([]*snapshot.Layer, len(list.Layers))}
	for i, listed := range list.Layers {
		l, err := d.layers.open(d, listed)
		if err != nil {
			return snapshot.Stack{}, fmt.Errorf("open layer: %w", err)
		}
		stack.Layers[i] = l
	}
	return stack, nil
}

// layerCache gives each layer one mapping a handle, as long as somebody uses it.
type layerCache struct {
	mu    sync.Mutex
	alive map[uint64]weak.Pointer[snapshot.Layer]
}

func (c *layerCache) open(d *Dict, listed snapshot.Listed) (*snapshot.Layer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.alive[listed.ID].Value(); l != nil {
		return l, nil
	}
	name := shm.NameOf(shm.Layer, listed.ID)
	seg, err := d.dir.Open(name, d.segment.Instance(), false, false)
	if err != nil {
		return nil, err
	}
	l, err := snapshot.Open(seg.Bytes(), name.String(), seg)
	if err != nil {
		return nil, err
	}
	if l.From() != listed.From || l.To() != listed.To {
		return nil, &errs.CorruptError{Segment: name.String(), Reason: "layer is not the one that is listed"}
	}
	if c.alive == nil {
		c.alive = map[uint64]weak.Pointer[snapshot.Layer]{}
	}
	for id, p := range c.alive {
		if p.Value() == nil {
			delete(c.alive, id)
		}
	}
	c.alive[listed.ID] = weak.Make(l)
	return l, nil
}
