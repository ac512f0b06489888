package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
)

// tree works out what operations do to the tree of dictionaries.
type tree struct {
	v     *View
	nodes map[uint64]*node // those that were looked at; nil where there is none
	moved map[uint64]bool  // of those, the changed ones
	dead  map[uint64]bool
}

// planted returns operations together with what they do to the tree of dictionaries.
func (d *Dict) planted(ctx context.Context, ops []record.Op, births map[uint64]birth) ([]record.Op, shape, error) {
	if d.control.work.structure.Load() == 0 && len(births) == 0 {
		return ops, shape{}, nil
	}
	v, err := d.View()
	if err != nil {
		return nil, shape{}, err
	}
	defer v.Close()
	t := &tree{v: v, nodes: map[uint64]*node{}, moved: map[uint64]bool{}, dead: map[uint64]bool{}}
	if ops, err = t.plant(ctx, ops, births); err != nil {
		return nil, shape{}, err
	}
	return ops, shape{decided: v.position, changes: len(t.moved) > 0 || len(t.dead) > 0}, nil
}

func (t *tree) plant(ctx context.Context, ops []record.Op, births map[uint64]birth) ([]record.Op, error) {
	for id, b := range births {
		t.nodes[id] = &node{parent: b.parent, key: b.key, kind: b.kind}
	}
	cleared := map[uint64]bool{}
	last := make(map[replica.Key]int, len(ops))
	for i := range ops {
		if ops[i].Kind == record.Clear {
			cleared[ops[i].Dict] = true
			continue
		}
		last[replica.Key{Dict: ops[i].Dict, Str: view(ops[i].Key)}] = i
	}
	for dict := range cleared {
		if err := t.freeBelow(ctx, dict); err != nil {
			return nil, err
		}
	}
	hung := map[uint64]bool{}
	for k, i := range last {
		id, err := t.now(k, cleared)
		if err != nil {
			return nil, err
		}
		next := uint64(0)
		if ops[i].Kind == record.Put && ops[i].Nested {
			next, _ = record.ParseNested(ops[i].Value)
		}
		if id == next {
			continue
		}
		if id != 0 && !t.dead[id] {
			if err := t.free(ctx, id); err != nil {
				return nil, err
			}
			if err := t.count(k.Dict, -1); err != nil {
				return nil, err
			}
		}
		if next != 0 {
			t.moved[next], hung[next] = true, true
			if err := t.count(k.Dict, +1); err != nil {
				return nil, err
			}
		}
	}
	t.bury(births, hung)
	return t.record(ops, births)
}

// now is the dictionary that a key holds, 0 for none.
func (t *tree) now(k replica.Key, cleared map[uint64]bool) (uint64, error) {
	n, err := t.node(k.Dict)
	if err != nil || n == nil || n.children == 0 || cleared[k.Dict] {
		return 0, err
	}
	v, err := t.v.Stored(k)
	if errors.Is(err, errs.ErrNotFound) {
		return 0, nil
	}
	if err != nil || !v.IsNested() {
		return 0, err
	}
	return t.v.d.nestedIn(v, nil)
}

func (t *tree) node(id uint64) (*node, error) {
	if n, known := t.nodes[id]; known {
		return n, nil
	}
	n, listed, err := t.v.node(id)
	if err != nil {
		return nil, err
	}
	t.nodes[id] = nil
	if listed {
		t.nodes[id] = &n
	}
	return t.nodes[id], nil
}

// count notes that one more dictionary hangs from another, or one less.
func (t *tree) count(id uint64, by int) error {
	n, err := t.node(id)
	switch {
	case err != nil:
		return err
	case n == nil && id >= FirstNested:
		return t.v.d.goneDict(id)
	case n == nil:
		n = &node{}
		t.nodes[id] = n
	case by < 0 && n.children == 0:
		return t.v.d.wrap("free in", &errs.CorruptError{Segment: "layer", Reason: fmt.Sprintf("more dictionaries hang from dictionary %d than are counted", id)})
	}
	n.children += uint64(by)
	t.moved[id] = true
	return nil
}

// free marks a dictionary dead, and all below it.
func (t *tree) free(ctx context.Context, id uint64) error {
	if t.dead[id] {
		return nil
	}
	t.dead[id] = true
	return t.freeBelow(ctx, id)
}

func (t *tree) freeBelow(ctx context.Context, id uint64) error {
	n, err := t.node(id)
	if err != nil || n == nil || n.children == 0 {
		return err
	}
	n.children = 0
	t.moved[id] = true
	var below []uint64
	var failed error
	err = t.v.EachStored(id, func(_ string, v *replica.Version) bool {
		if v.IsNested() {
			var child uint64
			if child, failed = t.v.d.nestedIn(v, nil); failed == nil {
				below = append(below, child)
			}
		}
		if failed == nil {
			failed = ctx.Err()
		}
		return failed == nil
	})
	if err = errors.Join(failed, err); err != nil {
		return err
	}
	for _, child := range below {
		if err := t.free(ctx, child); err != nil {
			return err
		}
	}
	return nil
}

// bury marks those dead that a transaction has made and does not need in the end, and
// those that hang from dead ones.
func (t *tree) bury(births map[uint64]birth, hung map[uint64]bool) {
	for again := true; again; {
		again = false
		for id, b := range births {
			if !t.dead[id] && (!hung[id] || t.dead[b.parent]) {
				t.dead[id] = true
				again = true
			}
		}
	}
}

// record is the record: what the operations do to the living, and what becomes of the
// tree.
func (t *tree) record(ops []record.Op, births map[uint64]birth) ([]record.Op, error) {
	all := make([]record.Op, 0, len(ops)+2*len(t.dead)+len(t.moved))
	for i := range ops {
		dict := ops[i].Dict
		if t.dead[dict] {
			continue
		}
		if n, err := t.node(dict); err != nil {
			return nil, err
		} else if n == nil && dict >= FirstNested {
			return nil, t.v.d.goneDict(dict)
		}
		all = append(all, ops[i])
	}
	for id := range t.moved {
		if !t.dead[id] {
			var key [nodeKeySize]byte
			nodeKey(id, &key)
			all = append(all, record.Op{Kind: record.Put, Inline: true, Dict: Dictionaries, Key: key[:], Value: t.nodes[id].encode()})
		}
	}
	for id := range t.dead {
		if _, born := births[id]; born {
			continue // nobody ever knew of it
		}
		var key [nodeKeySize]byte
		nodeKey(id, &key)
		all = append(all, record.Op{Kind: record.Delete, Dict: Dictionaries, Key: key[:]}, record.Op{Kind: record.Clear, Dict: id})
	}
	return all, nil
}
