package ultradict

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ultradict/go/internal/jsontree"
)

// ReadJSON reads one JSON object, as [Map.WriteJSON] writes it, and stores its members,
// all of them in one commit. It returns how many there were. Everything is read and
// checked before anything is stored, and is in memory until then; an object within a
// value becomes a map[string]any, or what V says.
//
// It is strict. Refused are input that is no object or is followed by something; names
// that stand twice, in whatever object; integers that are neither int64 nor uint64 or do
// not fit where they go, and numbers beyond float64; text that is not UTF-8 or has half a
// surrogate pair; null for what has none, arrays of another length than V's, and members
// that V has no field for.
//
// Errors: *[JSONError], which says where, and carries the *[TypeError] of a value that is
// no V and the *[EncodeError] of what cannot be stored; io.ErrUnexpectedEOF is among its
// causes for input that is cut off. Those of r, of ctx, and of [JSONProgress]; otherwise as
// [Map.Update]. After any of them nothing has changed.
func (m *Map[K, V]) ReadJSON(ctx context.Context, r io.Reader, opts ...JSONOption) (int, error) {
	in := newJSONImport(m, ctx, r, opts)
	err := in.object()
	if err == nil {
		err = in.commit()
	}
	return in.result(err)
}

// ReadNDJSON is [Map.ReadJSON] of lines as [Map.WriteNDJSON] writes them, in whatever
// order. Each is an object of the members "key" and "value" and no other. Lines of
// nothing but space are skipped.
func (m *Map[K, V]) ReadNDJSON(ctx context.Context, r io.Reader, opts ...JSONOption) (int, error) {
	in := newJSONImport(m, ctx, r, opts)
	err := in.lines()
	if err == nil {
		err = in.commit()
	}
	return in.result(err)
}

// jsonImport is one import.
type jsonImport[K comparable, V any] struct {
	m       *Map[K, V]
	ctx     context.Context
	opts    jsonOptions
	form    *jsonForm[K, V]
	source  *jsontree.Source
	base    int64 // offset at which the line begins
	line    int   // from 1, 0 for none
	entries []jsonEntry[K, V]
	seen    map[string]bool // the encoded keys
}

type jsonEntry[K comparable, V any] struct {
	key    K
	value  V
	offset int64
	line   int
}

func newJSONImport[K comparable, V any](m *Map[K, V], ctx context.Context, r io.Reader, opts []JSONOption) *jsonImport[K, V] {
	return &jsonImport[K, V]{
		m: m, ctx: ctx, opts: jsonConfig(opts), form: newJSONForm(m), seen: map[string]bool{},
		source: jsontree.NewSource(untilDone{ctx, r}),
	}
}

// untilDone is a reader until a context is done.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// result is what the import returns.
func (in *jsonImport[K, V]) result(err error) (int, error) {
	if err != nil {
		return 0, fmt.Errorf("read JSON into %q: %w", in.m.Name(), err)
	}
	return len(in.entries), nil
}

// refuse is the error for what was found behind an offset of the line.
func (in *jsonImport[K, V]) refuse(offset int64, key any, format string, args ...any) error {
	return &JSONError{Offset: in.base + offset, Line: in.line, Key: key, Reason: fmt.Sprintf(format, args...)}
}

// failed says where in the input an error is that has only a place in the line.
func (in *jsonImport[K, V]) failed(err error, key any) error {
	e := (*jsontree.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	return &JSONError{Offset: in.base + e.Offset, Line: in.line, Key: key, Reason: e.Reason, Err: named(key, e.Err)}
}

// object reads the one object of ReadJSON.
func (in *jsonImport[K, V]) object() error {
	d := json.NewDecoder(in.source)
	d.UseNumber()
	if err := in.open(d); err != nil {
		return err
	}
	for d.More() {
		at := d.InputOffset()
		t, err := d.Token()
		if err != nil {
			return in.failed(jsontree.Fail(d, err), nil)
		}
		name, ok := t.(string)
		if !ok {
			return in.refuse(at, nil, "no name of a member")
		}
		key, err := in.form.nameOf(name)
		if err != nil {
			return in.badKey(at, err)
		}
		v, err := in.form.readValue(d)
		if err != nil {
			return in.failed(err, key)
		}
		if err := in.add(at, key, v); err != nil {
			return err
		}
	}
	return in.close(d, nil)
}

// open reads the beginning of an object.
func (in *jsonImport[K, V]) open(d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return in.failed(jsontree.Fail(d, err), nil)
	}
	if t != json.Delim('{') {
		return in.refuse(0, nil, "it is no object")
	}
	return nil
}

// close reads the end of an object, of the given key, behind which nothing may follow.
func (in *jsonImport[K, V]) close(d *json.Decoder, key any) error {
	if _, err := d.Token(); err != nil {
		return in.failed(jsontree.Fail(d, err), key)
	}
	at := d.InputOffset()
	_, err := d.Token()
	if err == io.EOF {
		return nil
	}
	if syntax := (*json.SyntaxError)(nil); err != nil && !errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return in.failed(err, nil)
	}
	return in.refuse(at, nil, "something follows the object")
}

// lines reads the lines of ReadNDJSON.
func (in *jsonImport[K, V]) lines() error {
	r := bufio.NewReaderSize(in.source, 64<<10)
	for in.line = 1; ; in.line++ {
		line, err := r.ReadBytes('\n')
		if err != nil && err != io.EOF {
			if e := (*jsontree.Error)(nil); errors.As(err, &e) {
				err = &jsontree.Error{Offset: e.Offset - in.base, Reason: e.Reason}
			}
			return in.failed(err, nil)
		}
		if len(bytes.Trim(line, " \t\r\n")) > 0 {
			if err := in.entry(line); err != nil {
				return err
			}
		}
		in.base += int64(len(line))
		if err == io.EOF {
			return nil
		}
	}
}

// entry reads one line.
func (in *jsonImport[K, V]) entry(line []byte) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := in.open(d); err != nil {
		return err
	}
	var key K
	var v V
	var named any // the key, once it is known
	hasKey, hasValue := false, false
	for d.More() {
		at := d.InputOffset()
		t, err := d.Token()
		switch {
		case err != nil:
			return in.failed(jsontree.Fail(d, err), named)
		case t == "key" && !hasKey:
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				return in.failed(jsontree.Fail(d, err), nil)
			}
			if key, err = in.form.readKey(raw); err != nil {
				return in.badKey(d.InputOffset()-int64(len(raw)), err)
			}
			named, hasKey = key, true
		case t == "value" && !hasValue:
			if v, err = in.form.readValue(d); err != nil {
				return in.failed(err, named)
			}
			hasValue = true
		case t == "key" || t == "value":
			return in.refuse(at, named, "the name %q stands twice", t)
		default:
			return in.refuse(at, named, "the name %.40q is neither \"key\" nor \"value\"", fmt.Sprint(t))
		}
	}
	if err := in.close(d, named); err != nil {
		return err
	}
	switch {
	case !hasKey:
		return in.refuse(0, nil, "there is no \"key\"")
	case !hasValue:
		return in.refuse(0, named, "there is no \"value\"")
	}
	return in.add(0, key, v)
}

// badKey is the error for a key that is none.
func (in *jsonImport[K, V]) badKey(at int64, err error) error {
	return &JSONError{Offset: in.base + at, Line: in.line, Reason: fmt.Sprintf("the key is not %T: %s", *new(K), reasonOf(err)), Err: err}
}

// add takes an entry that begins behind an offset of the line.
func (in *jsonImport[K, V]) add(at int64, key K, v V) error {
	enc, err := in.m.keys.Append(nil, key)
	if err != nil {
		err = unencodable(key, err)
		return &JSONError{Offset: in.base + at, Line: in.line, Reason: reasonOf(err), Err: err}
	}
	if in.seen[string(enc)] {
		return in.refuse(at, key, "the key stands twice")
	}
	in.seen[string(enc)] = true
	in.entries = append(in.entries, jsonEntry[K, V]{key, v, in.base + at, in.line})
	return in.opts.tick(in.ctx, len(in.entries), in.source.Count(), false)
}

// commit stores everything at once.
func (in *jsonImport[K, V]) commit() error {
	if err := in.opts.tick(in.ctx, len(in.entries), in.source.Count(), true); err != nil {
		return err
	}
	return in.m.Update(in.ctx, func(tx *Tx[K, V]) error {
		if in.opts.replace {
			if err := tx.Clear(); err != nil {
				return err
			}
		}
		for i := range in.entries {
			e := &in.entries[i]
			if err := tx.Set(e.key, e.value); err != nil {
				return &JSONError{Offset: e.offset, Line: e.line, Key: e.key, Reason: reasonOf(err), Err: err}
			}
		}
		return nil
	})
}
