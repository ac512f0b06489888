package ultradict

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/value"
)

// DictTx is a transaction on a dictionary of dynamic values.
type DictTx = Tx[string, any]

// DictView is a view of a dictionary of dynamic values.
type DictView = View[string, any]

func newMap[K comparable, V any](d *core.Dict, id uint64, keys *value.Keys[K], vals *values[V]) *Map[K, V] {
	m := &Map[K, V]{d: d, nested: id != 0, strings: keys.IsString(), small: keys.IsString() && vals.native, keys: keys, values: vals, beside: vals.beside}
	m.which.Store(id)
	m.reader = core.Reader{Values: vals, Form: replica.Plain}
	if m.nested && !vals.dynamic {
		m.reader.Form = replica.Typed
	}
	return m
}

// nestedMap is a handle of a nested dictionary whose keys are of K's kind.
func nestedMap[K comparable, V any](d *core.Dict, id uint64, codec *userCodec) (*Map[K, V], error) {
	keys, vals, err := types[K, V](codec)
	if err != nil {
		return nil, err
	}
	return newMap(d, id, keys, vals), nil
}

func types[K comparable, V any](codec *userCodec) (*value.Keys[K], *values[V], error) {
	keys, err := value.NewKeys[K]()
	if err != nil {
		return nil, nil, fmt.Errorf("key type: %w: %w", err, ErrInvalidOption)
	}
	vals, err := newValues[V](codec)
	if err != nil {
		return nil, nil, fmt.Errorf("value type: %w: %w", err, ErrInvalidOption)
	}
	return keys, vals, nil
}

// Dict returns the dictionary that is nested in this one at the end of a path of keys,
// and makes what is missing of it. It is part of the same dictionary in shared memory:
// it has the same lock, revisions and limits, can be in the same transactions, and needs
// no file of its own.
//
// Overwriting or deleting a key that holds a dictionary frees that and all below it;
// handles of it return [ErrRemoved] from then on. [Map.Get] of such a key returns a
// *Dict, a new handle each time; of one whose keys are no strings it is of no use but to
// tell that, by [ErrInvalidOption]: open that by [Nested]. Handles need not be closed.
//
// Errors: *[TypeError] if a key on the way holds something else, or unless m is a [Dict];
// [ErrInvalidOption] for an empty path, or if the keys of a dictionary on the way are no
// strings; otherwise as [Map.Set]. With [ReadOnly], [ErrNotFound] if something is missing.
func (m *Map[K, V]) Dict(path ...string) (*Dict, error) {
	d, ok := any(m).(*Dict)
	if !ok {
		return nil, m.noDict()
	}
	return Nested[string, any](d, path...)
}

func (m *Map[K, V]) noDict() error {
	return fmt.Errorf("nested dictionary of %q: %w", m.Name(), &TypeError{Want: "a Dict", Reason: "it is " + reflect.TypeFor[Map[K, V]]().String()})
}

// Nested is [Map.Dict] for keys of type K and values of type V, as [OpenMap] is [Open].
// Handles of different types may share a nested dictionary, but for the kind of its
// keys, which is that of whoever made it: [ErrInvalidOption] if it is another.
func Nested[K comparable, V any](d *Dict, path ...string) (*Map[K, V], error) {
	m, err := nestedMap[K, V](d.d, 0, d.values.user)
	if err == nil {
		err = checkPath(path)
	}
	if err != nil {
		return nil, fmt.Errorf("nested dictionary of %q: %w", d.Name(), err)
	}
	v, err := d.view()
	if err != nil {
		return nil, err
	}
	id, err := v.Nested(d.number(), path, m.keys.Kind())
	v.Close()
	if errors.Is(err, ErrNotFound) && !d.d.ReadOnly() {
		err = d.d.Update(context.Background(), func(t *core.Tx) (err error) {
			if err := t.Living(d.number()); err != nil {
				return err
			}
			id, err = t.Nested(d.number(), path, m.keys.Kind())
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	return newMap(d.d, id, m.keys, m.values), nil
}

// checkPath checks the keys of a path.
func checkPath(path []string) error {
	if len(path) == 0 {
		return fmt.Errorf("the path is empty: %w", ErrInvalidOption)
	}
	keys, err := value.NewKeys[string]()
	if err != nil {
		return err
	}
	for _, key := range path {
		if err := keys.Check(key); err != nil {
			return unencodable(key, err)
		}
	}
	return nil
}

// Dict is [Map.Dict] within the transaction: what it makes is there for everybody when
// that commits. Errors: *[TypeError], [ErrInvalidOption], [ErrTxDone], [ErrRemoved].
func (tx *Tx[K, V]) Dict(path ...string) (*DictTx, error) {
	d, ok := any(tx).(*DictTx)
	if !ok {
		return nil, tx.fail(tx.m.noDict())
	}
	return TxNested[string, any](d, path...)
}

// TxNested is [Nested] within a transaction.
func TxNested[K comparable, V any](tx *DictTx, path ...string) (*Tx[K, V], error) {
	if err := tx.usable(); err != nil {
		return nil, err
	}
	keys, vals, err := types[K, V](tx.m.values.user)
	if err == nil {
		err = checkPath(path)
	}
	if err != nil {
		return nil, tx.fail(fmt.Errorf("nested dictionary of %q: %w", tx.m.Name(), err))
	}
	id, err := tx.t.Nested(tx.m.number(), path, keys.Kind())
	if err != nil {
		return nil, tx.fail(err)
	}
	return &Tx[K, V]{newMap(tx.m.d, id, keys, vals), tx.t, tx.session}, nil
}

// Dict is the dictionary at the end of a path, as of the view; it makes nothing. Errors:
// [ErrNotFound], *[TypeError], [ErrInvalidOption], [ErrTxDone].
func (v *View[K, V]) Dict(path ...string) (*DictView, error) {
	d, ok := any(v).(*DictView)
	if !ok {
		return nil, v.m.noDict()
	}
	return ViewNested[string, any](d, path...)
}

// ViewNested is [Nested] in a view: it makes nothing.
func ViewNested[K comparable, V any](v *DictView, path ...string) (*View[K, V], error) {
	if v.done {
		return nil, ErrTxDone
	}
	keys, vals, err := types[K, V](v.m.values.user)
	if err == nil {
		err = checkPath(path)
	}
	if err != nil {
		return nil, fmt.Errorf("nested dictionary of %q: %w", v.m.Name(), err)
	}
	id, err := v.v.Nested(v.m.number(), path, keys.Kind())
	if err != nil {
		return nil, err
	}
	return &View[K, V]{newMap(v.m.d, id, keys, vals), v.v, v.session}, nil
}

// Plain returns a copy of a dictionary as of one position: dictionaries in it become
// map[string]any, and all of it is the caller's own. Errors: as [Map.View]; *[TypeError]
// for a dictionary whose keys are no strings.
func Plain(d *Dict) (map[string]any, error) {
	v, err := d.view()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return d.plain(v)
}

func (m *Map[K, V]) plain(v *core.View) (map[string]any, error) {
	all := map[string]any{}
	var failed error
	err := v.Each(m.number(), func(enc string, ver *replica.Version) bool {
		var x any
		if x, failed = m.plainValue(v, enc, ver); failed == nil {
			all[enc] = x
		}
		return failed == nil
	})
	if err = errors.Join(failed, err); err != nil {
		return nil, err
	}
	return all, nil
}

func (m *Map[K, V]) plainValue(v *core.View, key string, ver *replica.Version) (any, error) {
	if !ver.IsNested() {
		raw, err := v.Raw(ver)
		if err != nil {
			return nil, err
		}
		if x, ok := ver.Value(); ok && raw == "" {
			return x, nil
		}
		x, err := m.values.codec.Decode([]byte(raw))
		return x, named(key, err)
	}
	id, ok := record.ParseNested([]byte(ver.Raw()))
	kind, err := v.Kind(id)
	if err != nil || !ok {
		return nil, err
	}
	if kind != core.StringKeys {
		return nil, &TypeError{Key: key, Want: "a Dict", Reason: "it is a nested dictionary with keys of kind " + kind}
	}
	below, err := nestedMap[string, any](m.d, id, m.values.user)
	if err != nil {
		return nil, err
	}
	return below.plain(v)
}

// view is a view of the dictionary, which exists.
func (m *Map[K, V]) view() (*core.View, error) {
	v, err := m.d.View()
	if err == nil && m.nested {
		if err = v.Living(m.number()); err != nil {
			v.Close()
		}
	}
	return v, err
}

// dictionary is the dictionary that a key holds as a V.
func (m *Map[K, V]) dictionary(from encoded, key K, ver *replica.Version) (V, error) {
	var v V
	id, ok := record.ParseNested([]byte(ver.Raw()))
	if !ok {
		return v, &CorruptError{Segment: "layer", Reason: "malformed number of a dictionary"}
	}
	if !m.values.dynamic {
		return v, &TypeError{Key: key, Want: reflect.TypeFor[V]().String(), Reason: "it is a nested dictionary"}
	}
	// One that was freed since says so itself when it is used.
	kind, err := from.Kind(id)
	if err != nil && !errors.Is(err, ErrRemoved) {
		return v, err
	}
	if err == nil && kind != core.StringKeys {
		id = core.ForeignDict
	}
	d, err := nestedMap[string, any](m.d, id, m.values.user)
	if err == nil {
		v = any(d).(V)
	}
	return v, err
}

// kept is [values.kept] for this dictionary: handles of different types may share a
// nested one.
func (m *Map[K, V]) kept(raw []byte, v V) *replica.Version {
	if m.nested {
		return replica.Encoded(0, string(raw))
	}
	return m.values.kept(raw, v)
}

// tree is a value that is to become a nested dictionary.
func (m *Map[K, V]) tree(v V) (map[string]any, bool) {
	if !m.values.dynamic || !m.strings || !m.d.Recurse() {
		return nil, false
	}
	tree, ok := any(v).(map[string]any)
	return tree, ok && tree != nil
}

// setTree makes a key hold a dictionary with the given contents.
func (m *Map[K, V]) setTree(key K, tree map[string]any) error {
	_, err := m.replaceTree(key, tree, func(*replica.Version) (bool, error) { return true, nil })
	return err
}

// replaceTree is replace with a value that becomes a nested dictionary.
func (m *Map[K, V]) replaceTree(key K, tree map[string]any, should func(old *replica.Version) (bool, error)) (uint64, error) {
	enc, err := m.keys.Append(nil, key)
	if err != nil {
		return 0, unencodable(key, err)
	}
	k := replica.Key{Dict: m.number(), Str: string(enc)}
	return m.d.UpdateAt(context.Background(), func(t *core.Tx) error {
		if err := t.Living(k.Dict); err != nil {
			return err
		}
		old, err := t.Read(k)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if ok, err := should(old); !ok || err != nil {
			return err
		}
		return m.putTree(t, k, tree, 0)
	})
}

// putTree makes a key hold a dictionary with the given contents, within a transaction.
func (m *Map[K, V]) putTree(t *core.Tx, k replica.Key, tree map[string]any, depth int) error {
	if depth == value.MaxDepth {
		return &EncodeError{Key: k.Str, Reason: fmt.Sprintf("more than %d maps are nested", depth)}
	}
	id, err := t.Hang(k)
	if err != nil {
		return err
	}
	d, err := nestedMap[string, any](m.d, id, m.values.user)
	if err != nil {
		return err
	}
	for key, v := range tree {
		if err := d.keys.Check(key); err != nil {
			return unencodable(key, err)
		}
		below := replica.Key{Dict: id, Str: key}
		if tree, ok := d.tree(v); ok {
			if err := d.putTree(t, below, tree, depth+1); err != nil {
				return err
			}
			continue
		}
		raw, err := d.values.codec.Append(nil, v)
		if err != nil {
			return unencodable(key, err)
		}
		t.Write(record.Op{Kind: record.Put, Dict: id, Key: []byte(key), Value: raw})
	}
	return nil
}
