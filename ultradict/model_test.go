package ultradict_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// known is what a plain map knows of an entry.
type known struct {
	value             any // as it comes back
	revision, created uint64
	expires           bool // in an hour
}

// world is a dictionary with two handles, and the plain map that it should be.
type world struct {
	*testing.T
	*rand.Rand
	dir   string
	d     []*ultradict.Dict
	model map[string]known
	depth int // of views around this step
}

// Random operations do to the dictionary what they do to a plain map, whatever
// the values are and whichever handle is used. Views stay open across them.
func TestModel(t *testing.T) {
	steps := 30_000
	if testing.Short() {
		steps = 6_000
	}
	w := &world{T: t, Rand: seeded(t), dir: memoryDir(t), model: map[string]known{}}
	for range 2 {
		w.d = append(w.d, open(t, w.dir, ultradict.WithStreamSize(4<<10)))
	}
	for range steps {
		w.step()
	}
	for _, d := range append(w.d, open(t, w.dir)) {
		w.checkAll(d)
	}
	s, err := w.d[0].Status()
	require.NoError(t, err)
	require.NotZero(t, s.Rollovers)
	require.NotZero(t, s.Merges)
}

func (w *world) key() string {
	if w.IntN(2) == 0 {
		return fmt.Sprint("k", w.IntN(8))
	}
	return fmt.Sprint("key", w.IntN(400))
}

// value returns something to store, and what it comes back as.
func (w *world) value() (in, out any) {
	switch w.IntN(16) {
	case 0:
		return nil, nil
	case 1:
		b := w.IntN(2) == 0
		return b, b
	case 2:
		n := int(int8(w.Uint32()))
		return n, int64(n)
	case 3:
		n := int64(w.Uint64())
		return n, n
	case 4:
		n := w.Uint64() | 1<<63
		return n, n
	case 5:
		n := uint16(w.Uint32())
		return n, int64(n)
	case 6:
		f := w.NormFloat64()
		return f, f
	case 7:
		f := float32(w.NormFloat64())
		return f, float64(f)
	case 8:
		f := []float64{math.Inf(1), math.MaxFloat64, 0, 1, -1}[w.IntN(5)]
		return f, f
	case 9, 10:
		s := strings.Repeat(fmt.Sprint("ä", w.IntN(10)), w.IntN(20))
		return s, s
	case 11:
		b := make([]byte, w.IntN(900))
		for i := range b {
			b[i] = byte(w.Uint32())
		}
		return b, b
	case 12:
		s := strings.Repeat(fmt.Sprint(w.IntN(10)), 2000+w.IntN(9000))
		return s, s
	case 13:
		at := time.Unix(w.Int64N(1<<32), w.Int64N(1e9)).UTC()
		return at, at
	case 14:
		a, b := w.value()
		c, d := w.value()
		return []any{a, c}, []any{b, d}
	default:
		a, b := w.value()
		return map[string]any{"x": a, "n": 1}, map[string]any{"x": b, "n": int64(1)}
	}
}

// revision is that of the commit just made.
func (w *world) revision(d *ultradict.Dict) (revision uint64) {
	require.NoError(w, d.View(func(v *ultradict.View[string, any]) error {
		revision = v.Revision()
		return nil
	}))
	return revision
}

func (w *world) stored(key string, v any, revision uint64) {
	created := revision
	if old, ok := w.model[key]; ok {
		created = old.created
	}
	w.model[key] = known{v, revision, created, false}
}

func (w *world) step() {
	d := w.d[w.IntN(len(w.d))]
	key := w.key()
	old, present := w.model[key]
	switch n := w.IntN(1000); {
	case n < 350:
		in, out := w.value()
		require.NoError(w, d.Set(key, in))
		w.stored(key, out, w.revision(d))
	case n < 380:
		w.expiry(d, key)
	case n < 450:
		existed, err := d.Delete(key)
		require.NoError(w, err)
		require.Equal(w, present, existed)
		delete(w.model, key)
	case n < 451:
		require.NoError(w, d.Clear())
		clear(w.model)
	case n < 520:
		w.update(d)
	case n < 580:
		in, out := w.value()
		op := ultradict.Op(w.IntN(3))
		got, err := d.Compute(w.Context(), key, func(v any, ok bool) (any, ultradict.Op) {
			require.Equal(w, present, ok)
			w.equal(old.value, v)
			return in, op
		})
		require.NoError(w, err)
		switch op {
		case ultradict.Keep:
			w.equal(old.value, got)
		case ultradict.Store:
			w.stored(key, out, w.revision(d))
		case ultradict.Drop:
			require.Nil(w, got)
			delete(w.model, key)
		}
	case n < 700:
		w.conditional(d, key)
	case n < 850:
		v, err := d.Get(key)
		w.found(key, v, err)
	case n < 900:
		has, err := d.Has(key)
		require.NoError(w, err)
		require.Equal(w, present, has)
	case n < 930:
		require.NoError(w, d.Sync())
		v, err := d.Peek(key)
		w.found(key, v, err)
	case n < 960:
		size, err := d.Len()
		require.NoError(w, err)
		require.Equal(w, len(w.model), size)
	case n < 965:
		w.checkAll(d)
	case n < 967:
		newcomer, err := ultradict.Open("test", ultradict.WithDir(w.dir))
		require.NoError(w, err)
		w.checkAll(newcomer)
		require.NoError(w, newcomer.Close())
	case n < 969:
		w.view(d)
	}
}

// expiry does something about the time that a key has left, which is never up here.
func (w *world) expiry(d *ultradict.Dict, key string) {
	old, present := w.model[key]
	switch w.IntN(4) {
	case 0:
		in, out := w.value()
		require.NoError(w, d.SetWithTTL(key, in, time.Hour))
		w.stored(key, out, w.revision(d))
	case 1:
		ok, err := d.Expire(key, time.Hour)
		require.NoError(w, err)
		require.Equal(w, present, ok)
		if !present {
			return
		}
		w.stored(key, old.value, w.revision(d))
	case 2:
		had, err := d.Persist(key)
		require.NoError(w, err)
		require.Equal(w, old.expires, had)
		if had {
			w.stored(key, old.value, w.revision(d))
		}
		return
	case 3:
		ttl, err := d.TTL(key)
		if !present {
			require.Equal(w, ultradict.ErrNotFound, err)
			return
		}
		require.NoError(w, err)
		require.Equal(w, old.expires, ttl > 0)
		require.LessOrEqual(w, ttl, time.Hour)
		return
	}
	now := w.model[key]
	now.expires = true
	w.model[key] = now
}

// conditional does a write that depends on what is there.
func (w *world) conditional(d *ultradict.Dict, key string) {
	old, present := w.model[key]
	in, out := w.value()
	wrong := w.IntN(3) == 0 // of a revision
	revision := old.revision
	if wrong {
		revision++
	}
	switch w.IntN(7) {
	case 0:
		now, err := d.CompareAndSet(key, revision, in)
		if wrong {
			require.ErrorIs(w, err, ultradict.ErrConflict)
			return
		}
		require.NoError(w, err)
		w.stored(key, out, now)
	case 1:
		err := d.CompareAndDelete(key, revision)
		if wrong {
			require.ErrorIs(w, err, ultradict.ErrConflict)
			return
		}
		require.NoError(w, err)
		delete(w.model, key)
	case 2:
		actual, stored, err := d.SetIfAbsent(key, in)
		require.NoError(w, err)
		require.Equal(w, !present, stored)
		if present {
			w.equal(old.value, actual)
			return
		}
		w.stored(key, out, w.revision(d))
	case 3:
		existed, err := d.Replace(key, in)
		require.NoError(w, err)
		require.Equal(w, present, existed)
		if existed {
			w.stored(key, out, w.revision(d))
		}
	case 4:
		was, existed, err := d.Swap(key, in)
		require.NoError(w, err)
		require.Equal(w, present, existed)
		w.equal(old.value, was)
		w.stored(key, out, w.revision(d))
	case 5:
		was, existed, err := d.GetAndDelete(key)
		require.NoError(w, err)
		require.Equal(w, present, existed)
		w.equal(old.value, was)
		delete(w.model, key)
	case 6:
		n, number := old.value.(int64)
		sum, err := d.Add(key, 3)
		if present && !number {
			require.Error(w, err)
			return
		}
		require.NoError(w, err)
		require.Equal(w, n+3, sum)
		w.stored(key, n+3, w.revision(d))
		now := w.model[key]
		now.expires = old.expires
		w.model[key] = now
	}
}

func (w *world) found(key string, v any, err error) {
	w.Helper()
	want, ok := w.model[key]
	if !ok {
		require.Equal(w, ultradict.ErrNotFound, err)
		return
	}
	require.NoError(w, err)
	w.equal(want.value, v)
}

// equal is require.Equal without its price for what is equal.
func (w *world) equal(want, got any) {
	w.Helper()
	if a, ok := want.(string); ok {
		if b, ok := got.(string); ok && a == b {
			return
		}
	}
	if a, ok := want.(time.Time); ok {
		b, ok := got.(time.Time)
		require.True(w, ok && a.Equal(b), "%v, %v", want, got)
		return
	}
	require.Equal(w, fmt.Sprintf("%T %v", want, want), fmt.Sprintf("%T %v", got, got))
}

// update does several things in one transaction, which sees its own work.
func (w *world) update(d *ultradict.Dict) {
	before := maps.Clone(w.model)
	fails := w.IntN(4) == 0
	written := map[string]bool{}
	err := d.Update(w.Context(), func(tx *ultradict.Tx[string, any]) error {
		for range 1 + w.IntN(6) {
			key := w.key()
			switch n := w.IntN(20); {
			case n < 10:
				in, out := w.value()
				require.NoError(w, tx.Set(key, in))
				w.stored(key, out, 0)
				written[key] = true
			case n < 14:
				_, present := w.model[key]
				existed, err := tx.Delete(key)
				require.NoError(w, err)
				require.Equal(w, present, existed)
				delete(w.model, key)
			case n < 15 && w.IntN(20) == 0:
				require.NoError(w, tx.Clear())
				clear(w.model)
			case n < 18:
				v, err := tx.Get(key)
				w.found(key, v, err)
			default:
				size, err := tx.Len()
				require.NoError(w, err)
				require.Equal(w, len(w.model), size)
				for k, v := range tx.All() {
					w.equal(w.model[k].value, v)
					size--
				}
				require.Zero(w, size)
			}
		}
		if fails {
			return errBoom
		}
		return nil
	})
	if fails {
		require.Equal(w, errBoom, err)
		w.model = before
		return
	}
	require.NoError(w, err)
	revision := w.revision(d)
	for key := range written {
		if k, ok := w.model[key]; ok && k.revision == 0 {
			if k.revision = revision; k.created == 0 {
				k.created = revision
			}
			w.model[key] = k
		}
	}
}

func (w *world) checkAll(d *ultradict.Dict) {
	seen := 0
	for e, err := range d.Entries() {
		require.NoError(w, err)
		want, ok := w.model[e.Key]
		require.True(w, ok, e.Key)
		w.equal(want.value, e.Value)
		require.Equal(w, want.revision, e.Revision, e.Key)
		require.Equal(w, want.created, e.Created, e.Key)
		seen++
	}
	require.Equal(w, len(w.model), seen)
}

// view keeps a view open across further steps and looks again afterwards.
func (w *world) view(d *ultradict.Dict) {
	if w.depth == 4 {
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	then := maps.Clone(w.model)
	require.NoError(w, d.View(func(v *ultradict.View[string, any]) error {
		for range w.IntN(300) {
			w.step()
		}
		now := w.model
		w.model = then
		defer func() { w.model = now }()
		for range 20 {
			key := w.key()
			x, err := v.Get(key)
			w.found(key, x, err)
			has, err := v.Has(key)
			require.NoError(w, err)
			_, present := then[key]
			require.Equal(w, present, has)
		}
		size, err := v.Len()
		require.NoError(w, err)
		require.Equal(w, len(then), size)
		for e, err := range v.Entries() {
			require.NoError(w, err)
			w.equal(then[e.Key].value, e.Value)
			require.Equal(w, then[e.Key].revision, e.Revision)
			require.Equal(w, then[e.Key].created, e.Created)
			size--
		}
		require.Zero(w, size)
		return nil
	}))
}
