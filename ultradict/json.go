package ultradict

import (
	"bufio"
	"context"
	"fmt"
	"io"
)

// JSONOption changes how JSON is written or read, see [Map.WriteJSON] and
// [Map.ReadJSON].
type JSONOption func(*jsonOptions)

type jsonOptions struct {
	replace  bool
	progress func(entries int, bytes int64) error
}

// JSONProgress has fn called now and then, and at the end, with the entries and bytes
// that were written or read by then. An error of it ends the call, which returns it; of
// a read nothing is stored then.
func JSONProgress(fn func(entries int, bytes int64) error) JSONOption {
	return func(o *jsonOptions) { o.progress = fn }
}

// JSONReplace has what is read take the place of everything: entries that it does not
// have are gone afterwards. It counts for reading only.
func JSONReplace() JSONOption { return func(o *jsonOptions) { o.replace = true } }

// jsonStride is how many entries are written or read between two looks at the context.
const jsonStride = 256

func jsonConfig(opts []JSONOption) jsonOptions {
	var o jsonOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// tick is to be called after each entry, and once more at the end.
func (o *jsonOptions) tick(ctx context.Context, entries int, bytes int64, end bool) error {
	if entries%jsonStride != 0 && !end {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.progress != nil {
		return o.progress(entries, bytes)
	}
	return nil
}

// WriteJSON writes the contents as one JSON object, each entry on a line of its own, in
// no particular order: everything as of the moment of the call, whatever is written
// meanwhile. It needs memory for one entry at a time. After an error what was written is
// no whole object.
//
// What [Map.ReadJSON] of a map of the same types reads from it is what was written; an
// entry of which that is not so is an *[EncodeError].
//
// Keys of a string type are the names of members; others are JSON within the name: 7 is
// "7", true is "true", and a struct {"Port":80} is "{\"Port\":80}".
//
// Dynamic values, of a [Dict] and wherever there is an any in a V:
//
//	nil, bool, string     null, true, "text"
//	int64, uint64         5
//	float64               with a point or an exponent: 5.0, 1e+21
//	NaN, infinities       {"$float":"NaN"}, {"$float":"+Inf"}, {"$float":"-Inf"}
//	[]byte                {"$bytes":"AP8+"}, base64
//	time.Time             {"$time":"2026-01-02T03:04:05Z"}
//	[]any, map[string]any [1,2.5], {"a":1}
//
// (A map that has such a name alone is written with a further $, and read with one less.)
//
// Other values are what encoding/json makes of a V, by its rules for types, tags and
// methods, the tag "json" alone; with those a NaN is an error, a []byte plain base64, and
// a field that is not written an error unless it is zero.
//
// Errors: *[EncodeError] for what JSON cannot say; *[TypeError] for a stored value that
// is no V; those of w, of ctx, and of [JSONProgress]; otherwise as [Map.View].
func (m *Map[K, V]) WriteJSON(ctx context.Context, w io.Writer, opts ...JSONOption) error {
	first := []byte("{")
	return m.export(ctx, w, opts, func(dst []byte, f *jsonForm[K, V], e *Entry[K, V]) ([]byte, error) {
		dst, first = append(dst, first...), []byte(",\n")
		dst, err := f.appendKey(dst, e.Key, true)
		if err != nil {
			return dst, err
		}
		return f.appendValue(append(dst, ':'), e.Key, e.Value)
	}, func(dst []byte) []byte {
		if first[0] == '{' {
			dst = append(dst, '{')
		}
		return append(dst, "}\n"...)
	})
}

// WriteNDJSON is [Map.WriteJSON] with a JSON object for each entry, on a line of its own
// (newline-delimited JSON):
//
//	{"key":"a","value":1}
//
// Here keys that are no strings are JSON as it is: 7, true, {"Port":80}. The lines that
// were written before an error are whole.
func (m *Map[K, V]) WriteNDJSON(ctx context.Context, w io.Writer, opts ...JSONOption) error {
	return m.export(ctx, w, opts, func(dst []byte, f *jsonForm[K, V], e *Entry[K, V]) ([]byte, error) {
		dst, err := f.appendKey(append(dst, `{"key":`...), e.Key, false)
		if err != nil {
			return dst, err
		}
		dst, err = f.appendValue(append(dst, `,"value":`...), e.Key, e.Value)
		return append(dst, "}\n"...), err
	}, func(dst []byte) []byte { return dst })
}

// export writes what add makes of each entry, and what end puts behind them.
func (m *Map[K, V]) export(ctx context.Context, w io.Writer, opts []JSONOption,
	add func([]byte, *jsonForm[K, V], *Entry[K, V]) ([]byte, error), end func([]byte) []byte) error {
	fail := func(err error) error { return fmt.Errorf("write JSON of %q: %w", m.Name(), err) }
	o, f := jsonConfig(opts), newJSONForm(m)
	out := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	entries, bytes := 0, int64(0)
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	v, err := m.view()
	if err != nil {
		return fail(err)
	}
	defer v.Close()
	f.view = v
	for e, err := range m.entriesOf(v) {
		if err != nil {
			return fail(err)
		}
		if line, err = add(line[:0], f, &e); err != nil {
			return fail(err)
		}
		n, err := out.Write(line)
		if err != nil {
			return fail(err)
		}
		entries, bytes = entries+1, bytes+int64(n)
		if err := o.tick(ctx, entries, bytes, false); err != nil {
			return fail(err)
		}
		if cap(line) > 1<<20 {
			line = nil // one large value is no reason to keep its size
		}
	}
	n, err := out.Write(end(line[:0]))
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = o.tick(ctx, entries, bytes+int64(n), true)
	}
	if err != nil {
		return fail(err)
	}
	return nil
}
