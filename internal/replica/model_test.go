package replica

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// world is a replica that a model follows, with views that stay open.
type world struct {
	*testing.T
	*rand.Rand
	r        *Replica
	history  history
	position uint64
	rebase   *Rebase
	copied   bool
	open     []opened
	spots    map[Key]Spot // looked up at some time, perhaps outdated
}

type opened struct {
	hold  *Hold
	state *State
	p     uint64
}

func TestModel(t *testing.T) {
	steps := 40_000
	if testing.Short() {
		steps = 10_000
	}
	h := history{}
	w := &world{T: t, Rand: seeded(t), history: h, position: 64, spots: map[Key]Spot{}}
	for i := range 50 {
		h.put(key(i), 8*uint64(1+i%8), "of the base")
	}
	w.r = New(h.layers(w.position))
	for range steps {
		w.step()
	}
}

func (w *world) key() Key {
	k := Key{Dict: uint64(w.IntN(8) / 7), Str: fmt.Sprint("key", w.IntN(60))}
	if w.IntN(4) == 0 {
		k.Str = fmt.Sprint("k", w.IntN(4)) // written again and again
	}
	if w.IntN(20) == 0 {
		k.Str = strings.Repeat("x", 6+w.IntN(12)) // around what is hashed and compared in place
	}
	return k
}

func (w *world) step() {
	switch n := w.IntN(1000); {
	case n < 400:
		w.record()
	case n < 850:
		w.look()
	case n < 880:
		w.count()
	case n < 900:
		w.view()
	case n < 920:
		w.release()
	case n < 980:
		if len(w.open) > 0 {
			w.compare(w.open[w.IntN(len(w.open))])
		}
	case n < 998:
		w.rebasing()
	default:
		w.lapped()
	}
}

// record applies one record of some operations.
func (w *world) record() {
	w.r.Lock()
	defer w.r.Unlock()
	start := w.position
	end := start + 8*uint64(1+w.IntN(4))
	if w.IntN(200) == 0 {
		dict := uint64(w.IntN(2))
		w.r.Clear(dict, end-1)
		w.history.clear(dict, end)
	}
	for range 1 + w.IntN(3) {
		k := w.key()
		if w.IntN(4) == 0 {
			w.put(k, Absent(end))
			w.history.delete(k, end)
			continue
		}
		value := fmt.Sprint(k.Str, " at ", end)
		w.history.put(k, end, value)
		switch w.IntN(3) {
		case 0:
			w.put(k, Decoded(end, value))
		case 1:
			w.put(k, External(end, value))
		default:
			w.put(k, Encoded(end, value))
		}
		if w.IntN(10) == 0 { // nobody sees it yet
			s := w.r.State()
			require.Equal(w, start, s.Applied())
			w.check(s, k, start)
		}
	}
	w.r.Advance(end)
	w.position = end
}

// put puts a version where its key was seen last, which may be long ago.
func (w *world) put(k Key, v *Version) {
	at, ok := w.spots[k]
	if !ok || w.IntN(4) == 0 {
		at = w.r.Find(k)
		w.spots[k] = at
	}
	w.r.PutAt(at, k, v)
}

// check compares one key as of a position of a state.
func (w *world) check(s *State, k Key, p uint64) {
	want := w.history.at(k, p)
	v, result := s.Find(k, p)
	if result == Below {
		var err error
		v, err = s.FindBase(k, p)
		require.NoError(w, err)
		require.Equal(w, want.present, v != nil, "%v at %d", k, p)
		if v != nil && w.IntN(2) == 0 {
			s.Promote(k, v)
		}
	} else {
		require.NotEqual(w, Behind, result, "%v at %d", k, p)
		require.Equal(w, want.present, result == Found, "%v at %d: %d, should be of %d", k, p, result, want.from)
	}
	if !want.present {
		return
	}
	require.Equal(w, want.from, v.Revision, "%v at %d", k, p)
	created, err := s.Created(k, v)
	require.NoError(w, err)
	require.Equal(w, want.created, created, "%v at %d", k, p)
	if value, ok := v.Value(); ok {
		require.Equal(w, want.value, value)
		return
	}
	require.Equal(w, want.value, v.Raw())
	d := s.Keep(k, v, v.With(want.value, Plain))
	value, ok := d.Value()
	require.True(w, ok)
	require.Equal(w, want.value, value)
	require.Equal(w, v.IsExternal(), d.IsExternal())
	require.Equal(w, want.from, d.Revision)
}

func (w *world) look() {
	s := w.r.State()
	require.Equal(w, w.position, s.Applied())
	w.check(s, w.key(), w.position)
}

func (w *world) count() {
	w.r.Lock()
	defer w.r.Unlock()
	for dict := range uint64(2) {
		n, err := w.r.Len(dict)
		require.NoError(w, err)
		require.Equal(w, w.history.len(dict, w.position), n)
	}
}

func (w *world) view() {
	if len(w.open) >= 6 {
		return
	}
	s := w.r.State()
	hold := w.r.Views.Register(s.Applied())
	hold.Set(s.Applied())
	w.open = append(w.open, opened{hold, s, s.Applied()})
}

func (w *world) release() {
	if len(w.open) == 0 {
		return
	}
	i := w.IntN(len(w.open))
	w.compare(w.open[i])
	w.open[i].hold.Release()
	w.open[i].hold.Release() // idempotent
	w.open = append(w.open[:i], w.open[i+1:]...)
}

// compare compares all that a view shows, or one key of it.
func (w *world) compare(v opened) {
	if w.IntN(5) > 0 {
		w.check(v.state, w.key(), v.p)
		return
	}
	for dict := range uint64(2) {
		n, err := v.state.Len(dict, v.p)
		require.NoError(w, err)
		require.Equal(w, w.history.len(dict, v.p), n)
		seen := map[string]bool{}
		result := v.state.Each(dict, v.p, func(k string, ver *Version) bool {
			require.False(w, seen[k], "%s comes twice", k)
			seen[k] = true
			want := w.history.at(Key{dict, k}, v.p)
			require.Equal(w, want.present, ver != nil)
			require.True(w, v.state.Covers(Key{dict, k}, v.p))
			if ver != nil {
				require.Equal(w, want.from, ver.Revision)
			}
			return true
		})
		require.Equal(w, Found, result)
		for k := range w.history {
			if k.Dict == dict && !seen[k.Str] {
				require.False(w, v.state.Covers(k, v.p))
				require.LessOrEqual(w, w.history.at(k, v.p).from, max(v.state.Base.Position(), v.state.cleared.Load()+1))
			}
		}
	}
}

// rebasing does the next step of a rebase upon layers of some position since
// the last ones. Records come between the steps.
func (w *world) rebasing() {
	switch {
	case w.rebase == nil:
		from := w.r.State().Base.Position()
		q := (from + (w.position-from)*uint64(w.IntN(5))/4) &^ 7
		w.r.Lock()
		w.rebase, w.copied = w.r.Begin(w.history.layers(q)), false
		w.r.Unlock()
	case !w.copied:
		w.rebase.Copy()
		w.copied = true
	default:
		w.r.Lock()
		w.rebase.Finish()
		w.r.Unlock()
		w.rebase = nil
	}
}

// lapped puts the replica upon newer layers at once.
func (w *world) lapped() {
	w.r.Lock()
	defer w.r.Unlock()
	w.position += 800
	for range 5 { // it did not see these
		w.history.put(w.key(), w.position, "missed")
	}
	w.r.Reset(w.history.layers(w.position))
}
