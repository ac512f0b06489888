package ultradict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/jsontree"
	"github.com/ultradict/go/internal/value"
)

// jsonForm is how the keys and values of a map are said in JSON.
type jsonForm[K comparable, V any] struct {
	m    *Map[K, V]
	tree bool       // V is a tree of dynamic values
	anys anyTypes   // of what is in V if it is none
	view *core.View // of an export
}

func newJSONForm[K comparable, V any](m *Map[K, V]) *jsonForm[K, V] {
	t := reflect.TypeFor[V]()
	tree := isAny(t) || t == reflect.TypeFor[[]any]() || t == reflect.TypeFor[map[string]any]()
	return &jsonForm[K, V]{m: m, tree: tree, anys: anyTypes{}}
}

// appendKey appends a key, as the name of a member or as a value.
func (f *jsonForm[K, V]) appendKey(dst []byte, key K, name bool) ([]byte, error) {
	refused := func(err error) ([]byte, error) {
		return dst, &EncodeError{Key: key, Reason: fmt.Sprintf("the key as JSON: %v", err), Err: err}
	}
	if f.m.strings {
		out, err := jsontree.AppendString(dst, stringOf(&key))
		if err != nil {
			return refused(err)
		}
		return out, nil
	}
	text, err := marshalJSON(key)
	if err != nil {
		return refused(err)
	}
	if back, err := f.readKey(text); err != nil || back != key {
		return refused(fmt.Errorf("%s would not come back as it is", text))
	}
	if !name {
		return append(dst, text...), nil
	}
	return jsontree.AppendString(dst, string(text))
}

// nameOf is the key that the name of a member stands for.
func (f *jsonForm[K, V]) nameOf(name string) (K, error) {
	if f.m.strings {
		return keyOf[K](name), nil
	}
	return f.readKey([]byte(name))
}

// readKey is the key that text says, exactly as it is written: of a struct all fields,
// and nothing else.
func (f *jsonForm[K, V]) readKey(text []byte) (K, error) {
	var none K
	if f.m.strings {
		var s string
		if err := unmarshalJSON(text, &s); err != nil || !bytes.HasPrefix(text, []byte{'"'}) {
			return none, fmt.Errorf("the key %.40s is no string", text)
		}
		return keyOf[K](s), nil
	}
	key, _, err := fitJSON[K](text, func(said, again any) string {
		if !reflect.DeepEqual(said, again) {
			return "it is not written as a key is"
		}
		return ""
	})
	return key, err
}

// appendValue appends the value of a key.
//
// A nested dictionary becomes an object, as of the same position.
func (f *jsonForm[K, V]) appendValue(dst []byte, key K, v V) ([]byte, error) {
	refused := func(err error) ([]byte, error) {
		return dst, &EncodeError{Key: key, Reason: fmt.Sprintf("as JSON: %v", err), Err: err}
	}
	if f.tree {
		tree := any(v)
		if d, ok := tree.(*Dict); ok {
			plain, err := d.plain(f.view)
			if err != nil {
				return dst, named(key, err)
			}
			tree = plain
		}
		out, err := jsontree.Append(dst, tree)
		if err != nil {
			return refused(err)
		}
		return out, nil
	}
	raw, err := f.m.values.codec.Append(nil, v)
	if err != nil {
		return dst, unencodable(key, err)
	}
	said := v
	if f.anys.in(reflect.TypeFor[V]()) { // they are said as everywhere: in a copy, for v is to be compared
		if said, err = f.m.values.codec.Decode(raw); err != nil {
			return dst, named(key, err)
		}
		if err := f.anys.each(reflect.ValueOf(&said).Elem(), func(tree any) (any, error) {
			text, err := jsontree.Append(nil, tree)
			return json.RawMessage(text), err
		}); err != nil {
			return refused(err)
		}
	}
	text, err := marshalJSON(said)
	if err != nil {
		return refused(err)
	}
	back, err := f.readText(text)
	if err != nil {
		return refused(fmt.Errorf("it would not come back: %w", err))
	}
	if again, err := f.m.values.codec.Append(nil, back); err != nil || !bytes.Equal(again, raw) && !reflect.DeepEqual(back, v) {
		return refused(fmt.Errorf("it would not come back as it is"))
	}
	return append(dst, text...), nil
}

// readValue reads the next value. The error is a [*jsontree.Error], or that of the
// source.
func (f *jsonForm[K, V]) readValue(d *json.Decoder) (v V, err error) {
	at := d.InputOffset()
	if f.tree {
		tree, err := jsontree.Read(d)
		if err != nil || tree == nil {
			return v, err
		}
		v, ok := tree.(V)
		if !ok {
			return v, within(at, &TypeError{Want: reflect.TypeFor[V]().String(), Reason: fmt.Sprintf("it is %T", tree)})
		}
		return v, nil
	}
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return v, jsontree.Fail(d, err)
	}
	if v, err = f.readText(raw); err != nil {
		return v, within(d.InputOffset()-int64(len(raw)), err)
	}
	return v, nil
}

// within is the error of a text that begins at an offset.
func within(offset int64, err error) error {
	if e := (*jsontree.Error)(nil); errors.As(err, &e) {
		return &jsontree.Error{Offset: offset + e.Offset, Reason: e.Reason, Err: e.Err}
	}
	return &jsontree.Error{Offset: offset, Reason: reasonOf(err), Err: err}
}

// reasonOf is an error's text without what the one that it goes into says as well.
func reasonOf(err error) string {
	var te *TypeError
	var ee *EncodeError
	var je *jsontree.Error
	switch {
	case errors.As(err, &je):
		return je.Reason
	case errors.As(err, &te):
		return fmt.Sprintf("the value is not %s: %s", te.Want, te.Reason)
	case errors.As(err, &ee):
		return ee.Reason
	}
	return err.Error()
}

// readText is the value, no tree, that text says. The error is a *[TypeError], or a
// [*jsontree.Error].
func (f *jsonForm[K, V]) readText(text []byte) (V, error) {
	var none V
	v, p, err := fitJSON[V](text, changed)
	if err == nil && f.anys.in(reflect.TypeFor[V]()) {
		err = f.anys.each(p.Elem(), jsontree.Exact)
		v = *p.Interface().(*V)
	}
	if e := (*jsontree.Error)(nil); err != nil && !errors.As(err, &e) {
		err = &TypeError{Want: reflect.TypeFor[V]().String(), Reason: err.Error(), Err: err}
	}
	if err != nil {
		return none, err
	}
	return v, nil
}

// fitJSON is the T that text says by the rules of encoding/json, and a pointer to it.
// These are lax: what is said again for the T must pass differ, which returns a reason
// against it.
func fitJSON[T any](text []byte, differ func(said, again any) string) (v T, p reflect.Value, err error) {
	said, err := plainJSON(text)
	if err != nil {
		return v, p, err
	}
	into := new(T)
	if err := unmarshalJSON(text, into); err != nil {
		return v, p, err
	}
	out, err := marshalJSON(*into)
	if err != nil {
		return v, p, err
	}
	var again any
	if err := unmarshalJSON(out, &again); err != nil {
		return v, p, err
	}
	if reason := differ(said, again); reason != "" {
		return v, p, fmt.Errorf("%s", reason)
	}
	return *into, reflect.ValueOf(into), nil
}

// plainJSON is the one value in text, as a tree that says what stands there.
func plainJSON(text []byte) (any, error) {
	if err := jsontree.Check(text); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := jsontree.ReadPlain(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the value")
	}
	return v, nil
}

// marshalJSON and unmarshalJSON run methods of the user's types, which may panic.
func marshalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := value.Recovered(func() error { return e.Encode(v) })
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func unmarshalJSON(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	d.DisallowUnknownFields()
	return value.Recovered(func() error { return d.Decode(v) })
}
