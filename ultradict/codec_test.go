package ultradict_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/ultradict"
)

func init() { roles["coder"] = coder }

// jsonCodec is encoding/json as a codec.
type jsonCodec struct{ name string }

func (c jsonCodec) Name() string                  { return c.name }
func (jsonCodec) Marshal(v any) ([]byte, error)   { return json.Marshal(v) }
func (jsonCodec) Unmarshal(b []byte, v any) error { return json.Unmarshal(b, v) }

// exactJSON is encoding/json that keeps numbers as their text.
type exactJSON struct{ jsonCodec }

func (exactJSON) Unmarshal(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

// gobCodec is encoding/gob as a codec.
type gobCodec struct{}

func (gobCodec) Name() string { return "gob" }
func (gobCodec) Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}
func (gobCodec) Unmarshal(b []byte, v any) error {
	return gob.NewDecoder(bytes.NewReader(b)).Decode(v)
}

// funcs is a codec made of functions.
type funcs struct {
	marshal   func(v any) ([]byte, error)
	unmarshal func(b []byte, v any) error
}

func (funcs) Name() string                      { return "funcs" }
func (f funcs) Marshal(v any) ([]byte, error)   { return f.marshal(v) }
func (f funcs) Unmarshal(b []byte, v any) error { return f.unmarshal(b, v) }

var withJSON = ultradict.WithCodec(jsonCodec{"json"})

func openMap[K comparable, V any](t testing.TB, dir string, opts ...ultradict.Option) *ultradict.Map[K, V] {
	t.Helper()
	m, err := ultradict.OpenMap[K, V]("test", append([]ultradict.Option{ultradict.WithDir(dir)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func TestCodecsThatCannotBe(t *testing.T) {
	dir := ultradict.WithDir(t.TempDir())
	var none *jsonCodec
	for name, c := range map[string]ultradict.Codec{
		"nil": nil, "nil pointer": none, "no name": jsonCodec{}, "our name": jsonCodec{"cbor"},
		"long name": jsonCodec{strings.Repeat("n", 33)}, "space": jsonCodec{"my json"}, "newline": jsonCodec{"json\n"},
		"zero": jsonCodec{"a\x00b"}, "not ASCII": jsonCodec{"jsön"}, "not UTF-8": jsonCodec{"\xff"},
	} {
		_, err := ultradict.Open("x", dir, ultradict.WithCodec(c))
		require.ErrorIs(t, err, ultradict.ErrInvalidOption, name)
	}
	list, err := ultradict.List(dir)
	require.NoError(t, err)
	require.Empty(t, list)
	for _, name := range []string{"j", "json/2", strings.Repeat("n", 32)} {
		for range 2 { // made, and found again
			d, err := ultradict.Open("x", dir, ultradict.WithCodec(jsonCodec{name}))
			require.NoError(t, err)
			require.NoError(t, d.Close())
		}
		require.NoError(t, ultradict.Remove("x", dir))
	}
}

// Processes with different codecs cannot share a dictionary, and are told both names;
// those that agree can, whoever made it.
func TestCodecsOfProcesses(t *testing.T) {
	for _, c := range []struct{ creator, other string }{{"cbor", "json"}, {"json", "cbor"}, {"json", "json2"}} {
		dir := t.TempDir()
		d := open(t, dir, codecNamed(c.creator)...)
		require.NoError(t, d.Set("k", []any{"from the parent"}))
		p := proctest.Start(t, "coder", dir, c.other)
		line := p.Line()
		require.Contains(t, line, `"`+c.creator+`"`)
		require.Contains(t, line, `"`+c.other+`"`)
		require.Contains(t, line, ultradict.ErrInvalidOption.Error())
		require.NoError(t, p.Wait())

		p = proctest.Start(t, "coder", dir, c.creator)
		require.Equal(t, "[from the parent] <nil>", p.Line())
		require.NoError(t, p.Wait())
		v, err := d.Get("k")
		require.NoError(t, err)
		require.Equal(t, map[string]any{"from": "the child"}, v)
		requireHealthy(t, dir)
	}
	// The other way round: a child makes it.
	dir := t.TempDir()
	p := proctest.Start(t, "coder", dir, "json")
	require.Equal(t, "<nil> ultradict: key not found", p.Line())
	require.NoError(t, p.Wait())
	_, err := ultradict.Open("test", ultradict.WithDir(dir))
	require.ErrorIs(t, err, ultradict.ErrInvalidOption)
	require.ErrorContains(t, err, `"json"`)
	require.ErrorContains(t, err, `"cbor"`)
	v, err := open(t, dir, withJSON, ultradict.ReadOnly()).Get("k")
	require.NoError(t, err)
	require.Equal(t, map[string]any{"from": "the child"}, v)
	// Who does not look at values needs no codec.
	list, err := ultradict.List(ultradict.WithDir(dir))
	require.NoError(t, err)
	require.Equal(t, 1, list[0].Entries)
	requireHealthy(t, dir, ultradict.WithRepair())
}

func codecNamed(name string) []ultradict.Option {
	if name == "cbor" {
		return nil
	}
	return []ultradict.Option{ultradict.WithCodec(jsonCodec{name})}
}

func coder(args []string) error {
	d, err := ultradict.Open("test", append(codecNamed(args[1]), ultradict.WithDir(args[0]))...)
	if err != nil {
		proctest.Say("%v", err)
		return nil
	}
	v, err := d.Get("k")
	proctest.Say("%v %v", v, err)
	if err := d.Set("k", map[string]any{"from": "the child"}); err != nil {
		return err
	}
	return d.Close()
}

// Everything that a dictionary does it does with encoding/json as its codec, also when
// records turn into layers meanwhile.
func TestJSONAsCodec(t *testing.T) {
	dir := memoryDir(t)
	ctx := t.Context()
	a, b := open(t, dir, withJSON, ultradict.WithStreamSize(4<<10)), open(t, dir, withJSON)
	watch := b.Watch(ctx)

	// What comes back is what the codec makes of it, in the writer's process too.
	for _, c := range []struct{ stored, want any }{
		{nil, nil}, {true, true}, {1, 1.0}, {uint8(7), 7.0}, {-1.5, -1.5}, {"text", "text"}, {"", ""}, {[]byte("hi"), "aGk="},
		{[]int{1, 2}, []any{1.0, 2.0}}, {map[int]string{1: "x"}, map[string]any{"1": "x"}}, {struct{ A, b int }{1, 2}, map[string]any{"A": 1.0}},
		{time.Unix(0, 0).UTC(), "1970-01-01T00:00:00Z"}, {json.Number("12"), 12.0}, {strings.Repeat("l", 3<<20), strings.Repeat("l", 3<<20)},
	} {
		require.NoError(t, a.Set("k", c.stored))
		for _, d := range []*ultradict.Dict{a, b} {
			for range 2 {
				v, err := d.Get("k")
				require.NoError(t, err)
				require.Equal(t, c.want, v)
				v, err = d.Peek("k")
				require.NoError(t, err)
				require.Equal(t, c.want, v)
			}
		}
	}
	for e, err := range watch { // the first of them
		require.NoError(t, err)
		require.Equal(t, ultradict.EventPut, e.Kind)
		require.Nil(t, e.Value)
		break
	}
	require.NoError(t, a.Clear())

	// Conditional writes.
	v, stored, err := a.SetIfAbsent("c", 1)
	require.True(t, stored, err)
	require.Equal(t, 1, v)
	v, stored, err = b.SetIfAbsent("c", 2)
	require.NoError(t, err)
	require.False(t, stored)
	require.Equal(t, 1.0, v)
	e, err := b.GetEntry("c")
	require.NoError(t, err)
	require.Equal(t, 1.0, e.Value)
	revision, err := b.CompareAndSet("c", e.Revision, []any{"two"})
	require.NoError(t, err)
	_, err = a.CompareAndSet("c", e.Revision, 3)
	require.ErrorIs(t, err, ultradict.ErrConflict)
	old, existed, err := a.Swap("c", "three")
	require.NoError(t, err)
	require.True(t, existed)
	require.Equal(t, []any{"two"}, old)
	require.ErrorIs(t, b.CompareAndDelete("c", revision), ultradict.ErrConflict)
	existed, err = b.Replace("c", 4)
	require.NoError(t, err)
	require.True(t, existed)
	old, existed, err = a.GetAndDelete("c")
	require.NoError(t, err)
	require.True(t, existed)
	require.Equal(t, 4.0, old)

	// Transactions.
	require.NoError(t, a.Update(ctx, func(tx *ultradict.Tx[string, any]) error {
		require.NoError(t, tx.Set("x", map[string]any{"n": 1}))
		v, err := tx.Get("x")
		require.NoError(t, err)
		require.Equal(t, map[string]any{"n": 1.0}, v)
		v.(map[string]any)["n"] = "the caller's own"
		n := 0
		for k, v := range tx.All() {
			require.Equal(t, "x", k)
			require.Equal(t, map[string]any{"n": 1.0}, v)
			n++
		}
		require.Equal(t, 1, n)
		return tx.Set("y", 2)
	}))
	v, err = b.Compute(ctx, "y", func(old any, ok bool) (any, ultradict.Op) { return old.(float64) + 1, ultradict.Store })
	require.NoError(t, err)
	require.Equal(t, 3.0, v)
	require.NoError(t, b.View(func(v *ultradict.View[string, any]) error {
		require.NoError(t, a.Set("y", "later"))
		y, err := v.Get("y")
		require.NoError(t, err)
		require.Equal(t, 3.0, y)
		return nil
	}))

	// Waiting, computing, locking: claims are the library's own, whatever the codec.
	v, err = b.GetOrCompute(ctx, "computed", func(context.Context) (any, error) { return []int{1}, nil })
	require.NoError(t, err)
	require.Equal(t, []any{1.0}, v)
	v, err = a.Wait(ctx, "computed")
	require.NoError(t, err)
	require.Equal(t, []any{1.0}, v)
	held, err := a.Lock(ctx, "name")
	require.NoError(t, err)
	_, got, err := b.TryLock("name")
	require.NoError(t, err)
	require.False(t, got)
	require.NoError(t, held.Unlock())

	// Through layers, and in the eyes of a newcomer.
	for i := range 2000 {
		require.NoError(t, a.Set(fmt.Sprint("key-", i%300), map[string]int{"i": i}))
	}
	for _, d := range []*ultradict.Dict{a, b, open(t, dir, withJSON)} {
		n := 0
		for e, err := range ultradict.Range(d, "key-", "key.", 0) {
			require.NoError(t, err)
			var i int
			_, err = fmt.Sscanf(e.Key, "key-%d", &i)
			require.NoError(t, err)
			last := i + 1800
			if last >= 2000 {
				last -= 300
			}
			require.Equal(t, map[string]any{"i": float64(last)}, e.Value)
			n++
		}
		require.Equal(t, 300, n)
	}
	requireHealthy(t, dir)
}

// A watch decodes what it tells through the codec: from records, from contents, and
// after a resync.
func TestWatchWithCodec(t *testing.T) {
	type job struct {
		Name string
		At   time.Time
	}
	dir := memoryDir(t)
	m := openMap[int, job](t, dir, withJSON, ultradict.WithStreamSize(4<<10))
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	require.NoError(t, m.Set(1, job{"first", at}))
	start, err := m.GetEntry(1)
	require.NoError(t, err)
	contents := m.Watch(t.Context(), ultradict.WithContents())
	require.NoError(t, m.Set(2, job{"second", at}))
	var names []string
	for e, err := range contents {
		require.NoError(t, err)
		if e.Kind == ultradict.EventPut {
			require.Equal(t, at, e.Value.At)
			names = append(names, e.Value.Name)
		}
		if len(names) == 2 {
			break
		}
	}
	require.Equal(t, []string{"first", "second"}, names)
	for range 2000 {
		require.NoError(t, m.Set(3, job{strings.Repeat("x", 100), at}))
	}
	resynced := map[string]bool{}
	for e, err := range m.Watch(t.Context(), ultradict.FromRevision(start.Revision)) {
		require.NoError(t, err)
		if e.Kind == ultradict.EventPut {
			resynced[e.Value.Name] = true
		}
		if !e.More && len(resynced) > 0 {
			break
		}
	}
	require.Len(t, resynced, 3)
}

// Numbers are the codec's as well: nothing decodes them on its own.
func TestNumbersWithCodec(t *testing.T) {
	dir := t.TempDir()
	ints := openMap[string, int8](t, dir, withJSON)
	floats := openMap[string, float64](t, dir, withJSON)
	bools := openMap[string, bool](t, dir, withJSON)
	require.NoError(t, ints.Set("n", -128))
	f, err := floats.Get("n")
	require.NoError(t, err)
	require.Equal(t, -128.0, f)
	require.NoError(t, floats.Set("n", 0.5))
	var te *ultradict.TypeError
	for range 2 {
		_, err = ints.Get("n")
		require.ErrorAs(t, err, &te)
		require.Equal(t, "n", te.Key)
		_, err = bools.Get("n")
		require.ErrorAs(t, err, &te)
	}
	var wrong *json.UnmarshalTypeError
	require.ErrorAs(t, err, &wrong, "the codec's own error is there")
	var encode *ultradict.EncodeError
	require.ErrorAs(t, floats.Set("n", math.NaN()), &encode)
	require.Equal(t, "n", encode.Key)
	var unsupported *json.UnsupportedValueError
	require.ErrorAs(t, floats.Set("n", math.NaN()), &unsupported)
}

func TestAddWithCodec(t *testing.T) {
	for _, codec := range []ultradict.Codec{jsonCodec{"j"}, exactJSON{jsonCodec{"j"}}} {
		dir := t.TempDir()
		a, b := open(t, dir, ultradict.WithCodec(codec)), open(t, dir, ultradict.WithCodec(codec))
		for i := range 5 {
			n, err := []*ultradict.Dict{a, b}[i%2].Add("n", 10)
			require.NoError(t, err)
			require.EqualValues(t, 10*(i+1), n)
		}
		// Beyond what a float64 can be, to the last digit.
		require.NoError(t, a.Set("big", int64(1<<62+1)))
		n, err := b.Add("big", 2)
		require.NoError(t, err)
		require.Equal(t, int64(1<<62+3), n)
		n, err = a.Add("big", -1)
		require.NoError(t, err)
		require.Equal(t, int64(1<<62+2), n)
		_, err = a.Add("big", math.MaxInt64)
		require.ErrorIs(t, err, ultradict.ErrOverflow)
		require.NoError(t, a.Set("bigger", uint64(math.MaxUint64)))
		_, err = b.Add("bigger", -1)
		require.ErrorIs(t, err, ultradict.ErrOverflow)
		var te *ultradict.TypeError
		for _, v := range []any{nil, true, "5", 0.5, []any{}, map[string]any{}, 2251799813685248.5} {
			require.NoError(t, a.Set("none", v))
			_, err := b.Add("none", 1)
			require.ErrorAs(t, err, &te, "%v", v)
			require.Equal(t, "none", te.Key)
		}
		typed := openMap[string, uint8](t, dir, ultradict.WithCodec(codec))
		n, err = typed.Add("small", 250)
		require.NoError(t, err)
		require.EqualValues(t, 250, n)
		_, err = typed.Add("small", 6)
		require.ErrorIs(t, err, ultradict.ErrOverflow)
		_, err = typed.Add("small", -251)
		require.ErrorIs(t, err, ultradict.ErrOverflow)
		v, err := typed.Get("small")
		require.NoError(t, err)
		require.EqualValues(t, 250, v)
		_, err = openMap[string, float64](t, dir, ultradict.WithCodec(codec)).Add("small", 1)
		require.ErrorAs(t, err, &te)
	}
}

// Types that CBOR would refuse are the codec's affair alone.
func TestTypesOfACodec(t *testing.T) {
	type byPoint map[[2]int]complex128
	dir := t.TempDir()
	opt := ultradict.WithCodec(gobCodec{})
	a, b := openMap[uint16, byPoint](t, dir, opt), openMap[uint16, byPoint](t, dir, opt)
	want := byPoint{{1, 2}: complex(3, 4)}
	require.NoError(t, a.Set(7, want))
	got, err := b.Get(7)
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = a.Get(7)
	require.NoError(t, err)
	got[[2]int{}] = 1
	require.Len(t, want, 1, "what was given to Set is not what is kept")

	shown := openMap[uint16, fmt.Stringer](t, dir, opt) // an interface that gob knows no type for
	_, err = shown.Get(7)
	require.ErrorIs(t, err, &ultradict.TypeError{})
}

// A codec that makes no bytes at all of some values.
func TestEmptyEncodings(t *testing.T) {
	codec := funcs{
		func(v any) ([]byte, error) { return []byte(v.(string)), nil },
		func(b []byte, v any) error {
			if b == nil {
				return errors.New("nil")
			}
			switch v := v.(type) {
			case *any:
				*v = string(b)
			case *string:
				*v = string(b)
			}
			return nil
		},
	}
	dir := t.TempDir()
	d, s := open(t, dir, ultradict.WithCodec(codec)), openMap[string, string](t, dir, ultradict.WithCodec(codec))
	for range 2 {
		require.NoError(t, d.Set("k", ""))
		v, err := d.Get("k")
		require.NoError(t, err)
		require.Equal(t, "", v)
		e, err := s.GetEntry("k")
		require.NoError(t, err)
		require.Equal(t, "", e.Value)
		old, existed, err := s.Swap("k", "full")
		require.NoError(t, err)
		require.True(t, existed)
		require.Equal(t, "", old)
	}
}

// A codec may keep the bytes that it is given: they are nobody else's.
func TestCodecThatKeepsItsBytes(t *testing.T) {
	codec := funcs{
		func(v any) ([]byte, error) { return v.([]byte), nil },
		func(b []byte, v any) error { *v.(*[]byte) = b; return nil },
	}
	dir := t.TempDir()
	a, b := openMap[string, []byte](t, dir, ultradict.WithCodec(codec)), openMap[string, []byte](t, dir, ultradict.WithCodec(codec))
	mine := []byte("value")
	require.NoError(t, a.Set("k", mine))
	mine[0] = 'X'
	for _, m := range []*ultradict.Map[string, []byte]{a, b} {
		e, err := m.GetEntry("k")
		require.NoError(t, err)
		e.Value[0] = 'Y'
		require.Equal(t, "Yalue", string(append(e.Value, "more"...))[:5])
		for e, err := range m.Entries() {
			require.NoError(t, err)
			e.Value[0] = 'Z'
		}
		v, err := m.Get("k")
		require.NoError(t, err)
		require.Equal(t, "value", string(v))
	}
	require.NoError(t, a.Update(t.Context(), func(tx *ultradict.Tx[string, []byte]) error {
		require.NoError(t, tx.Set("new", []byte("first")))
		v, err := tx.Get("new")
		require.NoError(t, err)
		copy(v, "mine.")
		for _, v := range tx.All() {
			clear(v)
		}
		return nil
	}))
	v, err := b.Get("new")
	require.NoError(t, err)
	require.Equal(t, "first", string(v))
}

// everyRead calls all that decodes the value of a key, on a handle whose codec, or whose
// type, cannot: each returns what refused accepts, and nothing changes.
func everyRead[V any](t *testing.T, m *ultradict.Map[string, V], key string, refused func(err error, call string)) {
	t.Helper()
	ctx := t.Context()
	var v V
	before, err := m.Status()
	require.NoError(t, err)
	for range 2 {
		_, err := m.Get(key)
		refused(err, "Get")
		_, err = m.Peek(key)
		refused(err, "Peek")
	}
	got, err := m.Get(key)
	require.Zero(t, got)
	refused(err, "Get")
	entry, err := m.GetEntry(key)
	require.Zero(t, entry)
	refused(err, "GetEntry")
	_, err = m.Wait(ctx, key)
	refused(err, "Wait")
	_, err = m.WaitFor(ctx, key, func(V) bool { t.Error("WaitFor shows it"); return true })
	refused(err, "WaitFor")
	_, _, err = m.Swap(key, v)
	refused(err, "Swap")
	_, _, err = m.GetAndDelete(key)
	refused(err, "GetAndDelete")
	_, _, err = m.SetIfAbsent(key, v)
	refused(err, "SetIfAbsent")
	_, err = m.GetOrCompute(ctx, key, func(context.Context) (V, error) { t.Error("GetOrCompute calls"); return v, nil })
	refused(err, "GetOrCompute")
	_, err = m.Compute(ctx, key, func(V, bool) (V, ultradict.Op) { t.Error("Compute calls"); return v, ultradict.Store })
	refused(err, "Compute")
	refused(m.Update(ctx, func(tx *ultradict.Tx[string, V]) error {
		got, err := tx.Get(key)
		require.Zero(t, got)
		refused(err, "Tx.Get")
		return nil // it is sticky
	}), "Update")
	refused(m.Update(ctx, func(tx *ultradict.Tx[string, V]) error {
		for range tx.All() {
			t.Error("Tx.All shows it")
		}
		return nil
	}), "Tx.All")
	refused(m.View(func(v *ultradict.View[string, V]) error {
		got, err := v.Get(key)
		require.Zero(t, got)
		return err
	}), "View.Get")
	refused(m.View(func(v *ultradict.View[string, V]) error {
		for range v.All() {
			t.Error("View.All shows it")
		}
		return nil
	}), "View.All")
	for name, seq := range map[string]func(func(ultradict.Entry[string, V], error) bool){
		"Entries": m.Entries(), "Range": ultradict.Range(m, "", "", 0),
	} {
		n := 0
		for e, err := range seq {
			refused(err, name)
			require.Zero(t, e.Value)
			n++
		}
		require.Equal(t, 1, n, name)
	}
	for range m.All() {
		t.Error("All shows it")
	}
	for range m.Values() {
		t.Error("Values shows it")
	}
	n := 0
	for e, err := range m.Watch(ctx, ultradict.WithContents()) {
		refused(err, "Watch")
		require.Zero(t, e.Value)
		n++
	}
	require.Equal(t, 1, n)
	has, err := m.Has(key)
	require.NoError(t, err)
	require.True(t, has, "it is there")
	after, err := m.Status()
	require.NoError(t, err)
	require.Equal(t, before.Head, after.Head, "nothing was written")
}

// Bytes that the codec refuses, or that make it panic, are an error that names the key,
// wherever they are read; and so is what could not be encoded.
func TestCodecsThatFail(t *testing.T) {
	dir := t.TempDir()
	writer := open(t, dir, withJSON)
	for name, unmarshal := range map[string]func([]byte, any) error{
		"fails": func(b []byte, v any) error {
			if p, ok := v.(*any); ok {
				*p = "half done"
			}
			return errBoom
		},
		"panics":           func([]byte, any) error { panic(errBoom) },
		"panics otherwise": func([]byte, any) error { panic("boom") },
		"runtime error":    func([]byte, any) error { return (*funcs)(nil).Unmarshal(nil, nil) },
	} {
		bad := named{funcs{func(any) ([]byte, error) { return []byte("1"), nil }, unmarshal}, "json"}
		reader := open(t, dir, ultradict.WithCodec(bad))
		for _, value := range []string{"small", strings.Repeat("large", 1<<19)} {
			require.NoError(t, writer.Set("k", value))
			everyRead(t, reader, "k", func(err error, call string) {
				t.Helper()
				var te *ultradict.TypeError
				require.ErrorAs(t, err, &te, "%s: %s", name, call)
				require.Equal(t, "k", te.Key, "%s: %s", name, call)
				require.Contains(t, te.Reason, `codec "json"`)
				if name == "fails" || name == "panics" {
					require.ErrorIs(t, err, errBoom)
				}
			})
			_, err := reader.Add("k", 1)
			require.ErrorIs(t, err, &ultradict.TypeError{})
			v, err := writer.Get("k")
			require.NoError(t, err)
			require.Equal(t, value, v)
		}
		// In the middle of a transaction, and by whoever watches.
		events := reader.Watch(t.Context())
		require.NoError(t, reader.Update(t.Context(), func(tx *ultradict.Tx[string, any]) error { return tx.Set("own", 1) }))
		for _, err := range events {
			require.ErrorIs(t, err, &ultradict.TypeError{})
		}
		require.ErrorIs(t, reader.Update(t.Context(), func(tx *ultradict.Tx[string, any]) error {
			require.NoError(t, tx.Set("own", 2))
			_, err := tx.Get("own")
			return err
		}), &ultradict.TypeError{})
		_, err := writer.Delete("own")
		require.NoError(t, err)
	}
	for name, marshal := range map[string]func(any) ([]byte, error){
		"fails":            func(any) ([]byte, error) { return []byte("half"), errBoom },
		"panics":           func(any) ([]byte, error) { panic(errBoom) },
		"panics otherwise": func(any) ([]byte, error) { panic("boom") },
	} {
		bad := named{funcs{marshal, json.Unmarshal}, "json"}
		d := open(t, dir, ultradict.WithCodec(bad))
		require.NoError(t, writer.Set("k", 5))
		before, err := writer.Status()
		require.NoError(t, err)
		refused := func(err error) {
			t.Helper()
			var ee *ultradict.EncodeError
			require.ErrorAs(t, err, &ee, name)
			require.Equal(t, "k", ee.Key, name)
		}
		for range 3 {
			refused(d.Set("k", 1))
			_, err = d.Add("k", 1)
			refused(err)
			_, _, err = d.Swap("k", 1)
			refused(err)
			_, err = d.Replace("k", 1)
			refused(err)
			_, _, err = d.SetIfAbsent("k", 1)
			refused(err)
			_, err = d.CompareAndSet("k", 0, 1)
			refused(err)
			_, err = d.Compute(t.Context(), "k", func(any, bool) (any, ultradict.Op) { return 1, ultradict.Store })
			refused(err)
			refused(d.Update(t.Context(), func(tx *ultradict.Tx[string, any]) error { _ = tx.Set("k", 1); return nil }))
		}
		after, err := writer.Status()
		require.NoError(t, err)
		require.Equal(t, before.Head, after.Head, "nothing was committed")
		// A computation that fails is the next one's.
		_, err = d.GetOrCompute(t.Context(), "computed", func(context.Context) (any, error) { return 1, nil })
		require.ErrorIs(t, err, &ultradict.EncodeError{})
		v, err := writer.GetOrCompute(t.Context(), "computed", func(context.Context) (any, error) { return "next", nil })
		require.NoError(t, err)
		require.Equal(t, "next", v)
		_, err = writer.Delete("computed")
		require.NoError(t, err)
	}
	requireHealthy(t, dir)
}

// named is a codec under another name.
type named struct {
	ultradict.Codec
	name string
}

func (n named) Name() string { return n.name }

// A goroutine that a codec ends leaves no lock behind.
func TestCodecThatEndsItsGoroutine(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, withJSON)
	require.NoError(t, d.Set("k", 1))
	bad := open(t, dir, ultradict.WithCodec(named{funcs{
		func(any) ([]byte, error) { runtime.Goexit(); return nil, nil },
		func([]byte, any) error { runtime.Goexit(); return nil },
	}, "json"}))
	for _, call := range []func(){
		func() { _ = bad.Set("k", 2) },
		func() { _, _ = bad.Get("k") },
		func() { _, _ = bad.Add("k", 1) },
		func() { _, _, _ = bad.Swap("k", 1) },
		func() {
			_ = bad.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error { return tx.Set("k", 1) })
		},
		func() {
			_, _ = bad.GetOrCompute(context.Background(), "new", func(context.Context) (any, error) { return 1, nil })
		},
	} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			call()
			t.Error("it went on")
		}()
		<-done
		n, err := d.Add("k", 1)
		require.NoError(t, err)
		require.NotZero(t, n)
	}
	v, err := d.GetOrCompute(t.Context(), "new", func(context.Context) (any, error) { return "mine", nil })
	require.NoError(t, err)
	require.Equal(t, "mine", v)
	requireHealthy(t, dir)
}

// encodedOnly is for a handle that writes bytes of its own making.
type encodedOnly struct{}

func (encodedOnly) Version(revision uint64, raw []byte) *replica.Version {
	return replica.Encoded(revision, string(raw))
}
func (encodedOnly) Decoded(v *replica.Version, raw string, as replica.Form) (*replica.Version, error) {
	return v.With(raw, as), nil
}

// What no codec's handle writes is damage, whatever the codec would say of it: numbers
// that CBOR would decode at once included.
func TestForeignBytesUnderACodec(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, withJSON)
	typed := openMap[string, int](t, dir, withJSON)
	raw, err := core.Open("test", core.Config{Dir: dir, KeyKind: "string", Codec: "json", Values: encodedOnly{}})
	require.NoError(t, err)
	defer raw.Close()
	for _, stored := range []string{"\x05", "\xf5", "\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00", "\x615", "\xf6", "", "5", "\x41", "\x41" + "55", "\x58", "\x5f\x41" + "5\xff", "\xd8\x63\x01"} {
		_, err := raw.Write(t.Context(), []record.Op{{Kind: record.Put, Key: []byte("k"), Value: []byte(stored)}}, nil)
		require.NoError(t, err)
		refused := func(err error, call string) {
			t.Helper()
			require.ErrorIs(t, err, ultradict.ErrCorrupt, "%q: %s", stored, call)
		}
		everyRead(t, d, "k", refused)
		everyRead(t, typed, "k", refused)
		_, err = d.Add("k", 1)
		refused(err, "Add")
		require.NoError(t, typed.Set("k", 5), "and it can be replaced")
		n, err := typed.Add("k", 1)
		require.NoError(t, err)
		require.EqualValues(t, 6, n)
	}
	// And sound ones that are no JSON are the codec's to refuse.
	_, err = raw.Write(t.Context(), []record.Op{{Kind: record.Put, Key: []byte("k"), Value: []byte("\x44{\"a\"")}}, nil)
	require.NoError(t, err)
	everyRead(t, typed, "k", func(err error, call string) {
		t.Helper()
		require.ErrorIs(t, err, &ultradict.TypeError{}, call)
		var syntax *json.SyntaxError
		require.ErrorAs(t, err, &syntax, call)
	})
}
