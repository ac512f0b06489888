package core

import (
	"errors"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
)

// birth is a dictionary that a transaction is to make.
type birth struct {
	parent uint64
	key    string
	kind   string
}

// Nested is [View.Nested] with what the transaction itself has done; it makes what is
// missing.
func (t *Tx) Nested(from uint64, path []string, kind string) (uint64, error) {
	for i, name := range path {
		k := replica.Key{Dict: from, Str: name}
		id, err := t.nestedAt(k, path[:i+1])
		if err != nil {
			return 0, err
		}
		if id == 0 {
			is := StringKeys
			if i+1 == len(path) {
				is = kind
			}
			id, err = t.hang(k, is)
		} else {
			var is string
			if is, err = t.Kind(id); err == nil {
				err = t.d.kinds(is, path[:i+1], len(path), kind)
			}
		}
		if err != nil {
			return 0, err
		}
		from = id
	}
	return from, nil
}

// Kind is [View.Kind] with what the transaction itself has done.
func (t *Tx) Kind(id uint64) (string, error) {
	if b, born := t.births[id]; born {
		return b.kind, nil
	}
	return t.View.Kind(id)
}

// nestedAt is the dictionary that a key holds, 0 where it holds nothing.
func (t *Tx) nestedAt(k replica.Key, path []string) (uint64, error) {
	if op, known := t.Pending(k); known {
		switch {
		case op == nil:
			return 0, nil
		case !op.Nested:
			return 0, t.d.noDictionary(path)
		}
		id, _ := record.ParseNested(op.Value)
		return id, nil
	}
	v, err := t.Read(k)
	if errors.Is(err, errs.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return t.d.nestedIn(v, path)
}

// hang makes a key hold a new dictionary.
func (t *Tx) hang(k replica.Key, kind string) (uint64, error) {
	id, err := t.d.number()
	if err != nil {
		return 0, err
	}
	t.births[id] = birth{k.Dict, k.Str, kind}
	t.Write(record.Op{Kind: record.Put, Nested: true, Dict: k.Dict, Key: []byte(k.Str), Value: record.AppendNested(nil, id)})
	return id, nil
}

// number is the number of a new dictionary.
func (d *Dict) number() (uint64, error) {
	for {
		id := FirstNested - 1 + d.control.work.numbers.Add(1)
		if id < FirstNested || id >= ForeignDict {
			continue // the counter was damaged
		}
		switch err := d.Living(id); {
		case errors.Is(err, errs.ErrRemoved):
			return id, nil
		case err != nil:
			return 0, err
		}
	}
}

// Hang makes a key hold a new dictionary of string keys, whatever it held before, and
// returns its number.
func (t *Tx) Hang(k replica.Key) (uint64, error) { return t.hang(k, StringKeys) }

// Living is [Dict.Living] with what the transaction itself has done.
func (t *Tx) Living(id uint64) error {
	for below := id; below >= FirstNested; {
		b, born := t.births[below]
		if !born {
			n, listed, err := t.node(below)
			if err != nil {
				return err
			}
			if !listed {
				return t.d.goneDict(id)
			}
			b = birth{parent: n.parent, key: n.key}
		}
		if op, known := t.Pending(replica.Key{Dict: b.parent, Str: b.key}); known || born {
			if op == nil || !op.Nested {
				return t.d.goneDict(id)
			}
			if now, _ := record.ParseNested(op.Value); now != below {
				return t.d.goneDict(id)
			}
		}
		below = b.parent
	}
	return nil
}
