package core

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
)

// world is a dictionary with some handles, views that stay open, and the model.
type world struct {
	*testing.T
	*rand.Rand
	cfg   Config
	model model
	d     []*Dict
	views []*View
}

func TestModel(t *testing.T) {
	steps := 15_000
	if testing.Short() {
		steps = 4_000
	}
	w := &world{T: t, Rand: seeded(t), cfg: testConfig(memoryDir(t)), model: model{}}
	for range 2 {
		w.d = append(w.d, openDict(t, w.cfg))
	}
	for range steps {
		w.step()
	}
	for _, v := range w.views {
		w.checkView(v)
		v.Close()
	}
	for _, d := range append(w.d, openDict(t, w.cfg)) {
		w.checkAll(d)
	}
	s, err := w.d[0].Status()
	require.NoError(t, err)
	require.NotZero(t, s.Rollovers)
	require.NotZero(t, s.Merges)
	t.Logf("%d commits, %d rollovers, %d merges, %d entries, %d bytes", s.Commits, s.Rollovers, s.Merges, s.Entries, s.Bytes)
}

func (w *world) key() string {
	switch n := w.IntN(100); {
	case n < 50:
		return fmt.Sprint("k", w.IntN(10))
	case n < 97:
		return fmt.Sprint("key", w.IntN(300))
	case n < 98:
		return ""
	default:
		return strings.Repeat("long", 200) + fmt.Sprint(w.IntN(3)) // more than fits into the stream
	}
}

func (w *world) value() string {
	n := 0
	switch x := w.IntN(100); {
	case x < 80:
		n = w.IntN(40)
	case x < 95:
		n = 430 + w.IntN(150) // around what fits into the stream
	default:
		n = 2000 + w.IntN(20_000)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + w.IntN(26))
	}
	return string(b)
}

func (w *world) ops() (ops []record.Op) {
	for range 1 + w.IntN(5) {
		switch n := w.IntN(200); {
		case n < 150:
			ops = append(ops, putOp(w.key(), w.value()))
		case n < 199:
			ops = append(ops, deleteOp(w.key()))
		default:
			ops = append(ops, clearOp())
		}
	}
	return ops
}

// ordered puts a Clear first, as it has to be in a record.
func ordered(ops []record.Op) []record.Op {
	for i := len(ops) - 1; i > 0; i-- {
		if ops[i].Kind == record.Clear {
			return ops[i:]
		}
	}
	return ops
}

func (w *world) write(d *Dict, ops ...record.Op) {
	revision, err := d.Write(context.Background(), ops, nil)
	require.NoError(w, err)
	w.model.commit(ops, revision)
}

func (w *world) step() {
	d := w.d[w.IntN(len(w.d))]
	switch n := w.IntN(1000); {
	case n < 350:
		w.put(d)
	case n < 450:
		w.write(d, deleteOp(w.key()))
	case n < 451:
		w.write(d, clearOp())
	case n < 520:
		w.write(d, ordered(w.ops())...)
	case n < 580:
		w.update(d)
	case n < 880:
		w.read(d)
	case n < 900:
		w.checkLen(d)
	case n < 903:
		w.checkAll(d)
	case n < 910:
		rolloverNow(w, d)
	case n < 915:
		mergeNow(w, d)
	case n < 925:
		adoptNow(w, d, func() {
			for range w.IntN(20) {
				w.write(d, ordered(w.ops())...)
				w.read(d)
			}
		})
	case n < 930:
		sweepNow(w, d)
	case n < 931:
		runtime.GC()
	case n < 934:
		w.replace()
	case n < 950:
		w.openView(d)
	case n < 960:
		w.closeView()
	default:
		if len(w.views) > 0 {
			w.lookAt(w.views[w.IntN(len(w.views))])
		}
	}
}

// put is what the façade does for a Set.
func (w *world) put(d *Dict) {
	key := w.key()
	value := w.value()
	if d.Fits(at(key), len(value)) {
		require.NoError(w, d.Put(at(key), []byte(value), d.values.Version(0, []byte(value))))
	} else {
		_, err := d.Write(context.Background(), []record.Op{putOp(key, value)}, nil)
		require.NoError(w, err)
	}
	w.model.commit([]record.Op{putOp(key, value)}, d.str.Head())
}

// update runs a transaction that looks at what it does.
func (w *world) update(d *Dict) {
	ops := w.ops()
	boom := errors.New("boom")
	fails := w.IntN(5) == 0
	head := d.str.Head()
	err := d.Update(context.Background(), func(t *Tx) error {
		m := model{} // the present one, changed by us
		for k := range w.model {
			if p := w.model.now(k); p.present {
				m[k] = []past{p}
			}
		}
		for _, op := range ops {
			key := w.key()
			if _, known := t.Pending(at(key)); !known {
				w.compare(at(key), w.model.now(key))(t.Read(at(key)))
			}
			t.Write(op)
			m.commit([]record.Op{op}, 1<<62)
			pending, known := t.Pending(at(string(op.Key)))
			require.Equal(w, op.Kind != record.Clear || t.clears[0], known)
			require.Equal(w, op.Kind == record.Put, pending != nil)
		}
		n, err := t.Count(0)
		require.NoError(w, err)
		require.Equal(w, m.len(1<<63), n)
		if fails {
			return boom
		}
		return nil
	})
	if fails {
		require.Equal(w, boom, err)
		require.Equal(w, head, d.str.Head())
		return
	}
	require.NoError(w, err)
	w.model.commit(ops, d.str.Head())
}

// compare checks what was found of a key.
func (w *world) compare(k replica.Key, want past) func(*replica.Version, error) {
	return func(v *replica.Version, err error) {
		w.Helper()
		if !want.present {
			require.Equal(w, errs.ErrNotFound, err, "key %.20q", k.Str)
			return
		}
		require.NoError(w, err, "key %.20q, revision %d", k.Str, want.from)
		require.Equal(w, want.from, v.Revision, "key %.20q", k.Str)
		if value, ok := v.Value(); ok {
			require.True(w, want.value == value, "key %.20q", k.Str)
		}
	}
}

func (w *world) read(d *Dict) {
	key := w.key()
	switch w.IntN(3) {
	case 0:
		has, err := d.Has(at(key))
		require.NoError(w, err)
		require.Equal(w, w.model.now(key).present, has, "key %.20q", key)
	case 1:
		p := d.rep.State().Applied()
		v, err := d.Peek(at(key), reader)
		if q := d.rep.State().Applied(); q != p {
			p = d.str.Head() // a body was gone
		}
		w.compare(at(key), w.model.at(key, p))(v, err)
	default:
		w.compare(at(key), w.model.now(key))(d.Get(at(key), reader))
	}
}

func (w *world) checkLen(d *Dict) {
	n, err := d.Len(0)
	require.NoError(w, err)
	require.Equal(w, w.model.len(d.str.Head()), n)
}

func (w *world) checkAll(d *Dict) {
	w.checkLen(d)
	v, err := d.View()
	require.NoError(w, err)
	defer v.Close()
	require.Equal(w, d.str.Head(), v.Position())
	w.checkView(v)
	for k := range w.model {
		w.compare(at(k), w.model.now(k))(d.Get(at(k), reader))
	}
}

// checkView compares all that a view shows.
func (w *world) checkView(v *View) {
	p := v.Position()
	n, err := v.Len(0)
	require.NoError(w, err)
	require.Equal(w, w.model.len(p), n)
	seen := map[string]bool{}
	require.NoError(w, v.Each(0, func(key string, ver *replica.Version) bool {
		require.False(w, seen[key], "key %.20q comes twice", key)
		seen[key] = true
		want := w.model.at(key, p)
		require.True(w, want.present, "key %.20q", key)
		require.Equal(w, want.from, ver.Revision, "key %.20q", key)
		created, err := v.Created(at(key), ver)
		require.NoError(w, err)
		require.Equal(w, want.created, created, "key %.20q", key)
		value, ok := ver.Value()
		if !ok {
			raw, err := v.Raw(ver)
			require.NoError(w, err)
			value = raw
		}
		require.True(w, want.value == value, "key %.20q", key)
		return true
	}))
	require.Len(w, seen, n)
}

func (w *world) lookAt(v *View) {
	if w.IntN(10) == 0 {
		w.checkView(v)
		return
	}
	key := w.key()
	want := w.model.at(key, v.Position())
	ver, err := v.Get(at(key), reader)
	w.compare(at(key), want)(ver, err)
	if want.present {
		created, err := v.Created(at(key), ver)
		require.NoError(w, err)
		require.Equal(w, want.created, created, "key %.20q", key)
	}
}

func (w *world) openView(d *Dict) {
	if len(w.views) >= 5 {
		return
	}
	v, err := d.View()
	require.NoError(w, err)
	w.views = append(w.views, v)
}

func (w *world) closeView() {
	if len(w.views) == 0 {
		return
	}
	i := w.IntN(len(w.views))
	w.checkView(w.views[i])
	w.views[i].Close()
	w.views = append(w.views[:i], w.views[i+1:]...)
}

// replace closes a handle without views and opens another one in its place.
func (w *world) replace() {
	i := w.IntN(len(w.d))
	for _, v := range w.views {
		if v.d == w.d[i] {
			return
		}
	}
	require.NoError(w, w.d[i].Close())
	d := openDict(w, w.cfg)
	w.d[i] = d
	w.checkAll(d)
}
