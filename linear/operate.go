package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ultradict/go/ultradict"
)

// operate does one random operation and records it.
func (c *client) operate() error {
	op := &operation{Group: c.rand.IntN(c.Groups)}
	key := c.rand.IntN(keysPerGroup)
	name := keyName(op.Group, key)
	var do func() ([]uint64, error)
	switch n := c.rand.IntN(100); {
	case n < 28:
		op.Kind, op.Steps = "Get", []step{{Do: "get", Key: key}}
		do = func() ([]uint64, error) { return seen(number(c.m.Get(name))) }
	case n < 34:
		op.Kind, op.Steps = "Has", []step{{Do: "has", Key: key}}
		do = func() ([]uint64, error) { return seen(bit(c.m.Has(name))) }
	case n < 54:
		value := c.fresh()
		stored := c.text(value)
		op.Kind, op.Steps = "Set", []step{{Do: "set", Key: key, Value: value}}
		do = func() ([]uint64, error) { return seen(0, c.m.Set(name, stored)) }
	case n < 64:
		op.Kind, op.Steps = "Delete", []step{{Do: "delete", Key: key}}
		do = func() ([]uint64, error) { return seen(bit(c.m.Delete(name))) }
	case n < 72:
		do = c.compute(op, key)
	case n < 78:
		return c.conditional(op, key)
	case n < 90:
		do = c.update(op)
	default:
		do = c.view(op)
	}
	return c.journal.record(op, do)
}

// number is the number of a value as a read of the library returns it.
func number(s string, err error) (uint64, error) {
	if errors.Is(err, ultradict.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return parse(s)
}

func bit(b bool, err error) (uint64, error) { return one(b), err }

func seen(n uint64, err error) ([]uint64, error) { return []uint64{n}, err }

// compute replaces, removes or keeps a value: what its function was given is the
// first thing to be seen, what Compute returned is the last.
func (c *client) compute(op *operation, key int) func() ([]uint64, error) {
	look := step{Do: "get", Key: key}
	op.Kind, op.Steps = "Compute", []step{look}
	choice := []ultradict.Op{ultradict.Keep, ultradict.Store, ultradict.Store, ultradict.Drop}[c.rand.IntN(4)]
	var stored string
	switch choice {
	case ultradict.Store:
		value := c.fresh()
		stored = c.text(value)
		op.Steps = append(op.Steps, step{Do: "set", Key: key, Value: value})
	case ultradict.Drop:
		op.Steps = append(op.Steps, step{Do: "delete", Key: key})
	}
	op.Steps = append(op.Steps, look)
	return func() ([]uint64, error) {
		var old uint64
		var bad error
		returned, err := c.m.Compute(context.Background(), keyName(op.Group, key), func(s string, ok bool) (string, ultradict.Op) {
			if old = 0; ok {
				old, bad = parse(s)
			}
			return stored, choice
		})
		if err = errors.Join(err, bad); err != nil {
			return nil, err
		}
		seen := []uint64{old}
		switch choice {
		case ultradict.Store:
			seen = append(seen, 0)
		case ultradict.Drop: // it does not say whether it found anything, but old does
			seen = append(seen, min(old, 1))
		}
		var last uint64
		if returned != "" {
			last, err = parse(returned)
		}
		return append(seen, last), err
	}
}

// conditional is a write that depends on what is there. One that depends on a
// revision has to look for that first, which is an operation of its own.
func (c *client) conditional(op *operation, key int) error {
	name, value := keyName(op.Group, key), c.fresh()
	stored := c.text(value)
	s := step{Key: key, Value: value}
	var do func() ([]uint64, error)
	switch c.rand.IntN(5) {
	case 0:
		op.Kind, s.Do = "SetIfAbsent", "add"
		do = func() ([]uint64, error) {
			_, set, err := c.m.SetIfAbsent(name, stored)
			return seen(one(set), err)
		}
	case 1:
		op.Kind, s.Do = "Replace", "replace"
		do = func() ([]uint64, error) { return seen(bit(c.m.Replace(name, stored))) }
	case 2:
		op.Kind = "Swap"
		op.Steps, s.Do = []step{{Do: "get", Key: key}}, "set"
		do = func() ([]uint64, error) { return c.taken(c.m.Swap(name, stored)) }
	case 3:
		op.Kind = "GetAndDelete"
		op.Steps, s = []step{{Do: "get", Key: key}}, step{Do: "delete", Key: key}
		do = func() ([]uint64, error) {
			was, existed, err := c.m.GetAndDelete(name)
			n, err := c.taken(was, existed, err)
			return append(n[:1], one(existed)), err
		}
	default:
		var revision uint64
		before := &operation{Kind: "GetEntry", Group: op.Group, Steps: []step{{Do: "get", Key: key}}}
		err := c.journal.record(before, func() ([]uint64, error) {
			e, err := c.m.GetEntry(name)
			revision = e.Revision
			s.Old, err = number(e.Value, err)
			return seen(s.Old, err)
		})
		if err != nil {
			return err
		}
		op.Kind, s.Do = "CompareAndSet", "swap"
		do = func() ([]uint64, error) {
			_, err := c.m.CompareAndSet(name, revision, stored)
			if errors.Is(err, ultradict.ErrConflict) {
				return seen(0, nil)
			}
			return seen(1, err)
		}
	}
	op.Steps = append(op.Steps, s)
	return c.journal.record(op, do)
}

// taken is what a call shows that returns the value that it replaces or removes.
func (c *client) taken(was string, existed bool, err error) ([]uint64, error) {
	var n uint64
	if existed && err == nil {
		n, err = parse(was)
	}
	return []uint64{n, 0}, err
}

// update is a transaction of two to five steps. Its reads see its own writes.
func (c *client) update(op *operation) func() ([]uint64, error) {
	op.Kind = "Update"
	var texts []string
	for range 2 + c.rand.IntN(4) {
		s := step{Key: c.rand.IntN(keysPerGroup)}
		stored := ""
		switch n := c.rand.IntN(10); {
		case n < 4:
			s.Do = "get"
		case n < 5:
			s.Do = "has"
		case n < 9:
			s.Do, s.Value = "set", c.fresh()
			stored = c.text(s.Value)
		default:
			s.Do = "delete"
		}
		op.Steps, texts = append(op.Steps, s), append(texts, stored)
	}
	return func() ([]uint64, error) {
		seen := make([]uint64, len(op.Steps))
		err := c.m.Update(context.Background(), func(tx *ultradict.Tx[string, string]) (err error) {
			for i, s := range op.Steps {
				key := keyName(op.Group, s.Key)
				switch s.Do {
				case "get":
					seen[i], err = number(tx.Get(key))
				case "has":
					seen[i], err = bit(tx.Has(key))
				case "set":
					err = tx.Set(key, texts[i])
				case "delete":
					seen[i], err = bit(tx.Delete(key))
				}
				if err != nil {
					return fmt.Errorf("step %d: %w", i, err)
				}
			}
			return nil
		})
		return seen, err
	}
}

// view looks at every key of a group, in random order.
func (c *client) view(op *operation) func() ([]uint64, error) {
	op.Kind = "View"
	for _, k := range c.rand.Perm(keysPerGroup) {
		op.Steps = append(op.Steps, step{Do: "get", Key: k})
	}
	return func() ([]uint64, error) { return look(c.m, op) }
}

// look does the gets of an operation in one view.
func look(m *ultradict.Map[string, string], op *operation) ([]uint64, error) {
	seen := make([]uint64, len(op.Steps))
	err := m.View(func(v *ultradict.View[string, string]) (err error) {
		for i, s := range op.Steps {
			if seen[i], err = number(v.Get(keyName(op.Group, s.Key))); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
		}
		return nil
	})
	return seen, err
}
