package snapshot

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// model is a history with the plain maps that it should give, and the stack
// that it is folded into.
type model struct {
	t        *testing.T
	rnd      *rand.Rand
	position uint64
	dicts    []uint64
	live     map[uint64]map[string]Entry
	freed    map[uint64]bool

	pending map[uint64]map[string]Entry // since the last fold
	horizon map[uint64]uint64
	touched map[uint64]bool

	stack Stack
	list  List
	id    uint64
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, rnd: rand.New(rand.NewPCG(seed, 0)), dicts: []uint64{0}, position: 10}
	m.live = map[uint64]map[string]Entry{0: {}}
	m.freed = map[uint64]bool{}
	m.forget()
	m.touched[0] = true
	return m
}

func (m *model) forget() {
	m.pending, m.horizon, m.touched = map[uint64]map[string]Entry{}, map[uint64]uint64{}, map[uint64]bool{}
}

func (m *model) put(dict uint64, e Entry) {
	if m.pending[dict] == nil {
		m.pending[dict] = map[string]Entry{}
	}
	m.pending[dict][e.Key] = e
	m.touched[dict] = true
}

func (m *model) op() {
	m.position += 8
	dict := m.dicts[m.rnd.IntN(len(m.dicts))]
	key := fmt.Sprint("key ", m.rnd.IntN(40))
	if m.freed[dict] {
		return
	}
	switch n := m.rnd.IntN(200); {
	case n < 120:
		e := Entry{Dict: dict, Key: key, Revision: m.position, Created: m.position}
		if old, ok := m.live[dict][key]; ok {
			e.Created = old.Created
		}
		e.Value = bytes.Repeat([]byte{byte(m.position)}, m.rnd.IntN(40))
		if n < 10 {
			e.External = uint64(1 + n)
		}
		m.live[dict][key] = e
		m.put(dict, e)
	case n < 190:
		delete(m.live[dict], key)
		m.put(dict, Entry{Dict: dict, Key: key, Revision: m.position, Created: m.position, Tombstone: true})
	case n < 195:
		clear(m.live[dict])
		delete(m.pending, dict)
		m.horizon[dict] = m.position
		m.touched[dict] = true
	case n < 198 && len(m.dicts) < 12:
		m.dicts = append(m.dicts, m.position)
		m.live[m.position] = map[string]Entry{}
		m.touched[m.position] = true
	case n >= 198 && dict != 0:
		clear(m.live[dict])
		delete(m.pending, dict)
		m.freed[dict] = true
		m.horizon[dict] = m.position
		m.touched[dict] = true
	}
}

func (m *model) total() (n uint64) {
	for _, d := range m.live {
		n += uint64(len(d))
	}
	return n
}

// fold publishes what is pending as a delta.
func (m *model) fold() {
	b := NewBuilder(m.stack.Position(), m.position)
	for dict := range m.touched {
		b.SetHeader(Header{Dict: dict, Horizon: m.horizon[dict], Live: uint64(len(m.live[dict]))})
		for _, e := range m.pending[dict] {
			if e.Tombstone && len(m.stack.Layers) == 0 {
				continue
			}
			require.NoError(m.t, b.Add(e))
		}
	}
	data := make([]byte, b.Size())
	require.NoError(m.t, b.Build(data, nil))
	l := open(m.t, data)
	require.Equal(m.t, b.Tombstones(), l.Tombstones())
	m.stack.Layers = append(slices.Clone(m.stack.Layers), l)
	m.list.Layers = append(slices.Clone(m.list.Layers), m.listed(l))
	m.forget()
}

func (m *model) listed(l *Layer) Listed {
	m.id++
	return Listed{
		ID: m.id, From: l.From(), To: l.To(), Entries: uint64(l.Len()), Tombstones: uint64(l.Tombstones()),
		Live: m.total(), Bytes: uint64(l.Size()),
	}
}

// merge replaces layers i to j by one.
func (m *model) merge(i, j int, base bool) {
	p, err := PlanMerge(m.stack.Layers[i:j], base, nil)
	require.NoError(m.t, err)
	data := bytes.Repeat([]byte{0xee}, int(p.Size()))
	require.NoError(m.t, p.Build(data, nil))
	for _, remembered := range []uint64{0, m.rnd.Uint64N(100)} { // what is asked of layers instead comes to the same
		q, err := planMerge(m.stack.Layers[i:j], base, remembered, nil)
		require.NoError(m.t, err)
		q.seed = p.seed
		again := bytes.Repeat([]byte{0xee}, int(q.Size()))
		require.NoError(m.t, q.Build(again, nil))
		require.Equal(m.t, data, again)
	}
	l := open(m.t, data)
	require.Equal(m.t, p.Len(), l.Len())
	require.Equal(m.t, p.Tombstones(), l.Tombstones())
	require.Equal(m.t, []uint64{p.From(), p.To()}, []uint64{l.From(), l.To()})
	ids, err := l.Externals()
	require.NoError(m.t, err)
	require.Equal(m.t, append([]uint64{}, p.Externals()...), ids)
	if base {
		require.Zero(m.t, l.Tombstones())
		for h, err := range l.Headers() {
			require.NoError(m.t, err)
			require.Zero(m.t, h.Horizon)
			if j == len(m.stack.Layers) {
				require.False(m.t, m.freed[h.Dict], "header of a freed dictionary in a base")
			}
		}
		if j == len(m.stack.Layers) {
			require.EqualValues(m.t, m.total(), l.Len(), "a base of everything has exactly what is live")
		}
	}
	listed := m.listed(l)
	layers, ok := m.list.Replace(m.list.Layers[i:j], listed)
	require.True(m.t, ok)
	m.list.Layers = layers
	m.stack.Layers = slices.Concat(m.stack.Layers[:i], []*Layer{l}, m.stack.Layers[j:])
}

// check compares the stack with the maps.
func (m *model) check() {
	t, s := m.t, m.stack
	for _, l := range s.Layers {
		require.NoError(t, l.Verify(nil))
	}
	counted, err := s.Verify(nil)
	require.NoError(t, err)
	require.Len(t, counted, len(s.Layers))
	if len(counted) > 0 && len(m.pending) == 0 {
		require.Equal(t, m.total(), counted[len(counted)-1])
	}
	require.Equal(t, s.Position(), m.list.Position())
	require.EqualValues(t, s.Size(), m.list.Bytes())
	externals, err := s.Externals()
	require.NoError(t, err)
	for _, dict := range append(slices.Clone(m.dicts), 3) {
		live := m.live[dict]
		n, err := s.Live(dict)
		require.NoError(t, err)
		require.EqualValues(t, len(live), n)
		h, ok, err := s.Header(dict)
		require.NoError(t, err)
		require.EqualValues(t, len(live), h.Live)
		if len(live) > 0 {
			require.True(t, ok, "header of dictionary %d", dict)
		}
		for i := range 41 {
			key := fmt.Sprint("key ", i)
			want, there := live[key]
			got, ok, err := s.Find(dict, key, nil)
			require.NoError(t, err)
			if there != ok || ok && !same(want, got) {
				require.Fail(t, "wrong entry", "%d %s: %v %+v, want %v %+v", dict, key, ok, got, there, want)
			}
			if ok && got.External != 0 {
				require.Contains(t, externals, got.External)
			}
		}
		seen := map[string]Entry{}
		for e, err := range s.All(dict) {
			require.NoError(t, err)
			require.NotContains(t, seen, e.Key, "yielded twice")
			seen[e.Key] = clone(e)
		}
		if !maps.EqualFunc(seen, live, same) {
			require.Fail(t, "All differs", "dictionary %d: %v, want %v", dict, seen, live)
		}
	}
}

func TestModel(t *testing.T) {
	merges, bases := 0, 0
	for seed := range uint64(30) {
		m := newModel(t, seed)
		for range 60 {
			for range m.rnd.IntN(80) {
				m.op()
			}
			m.fold()
			m.check()
			for m.rnd.IntN(3) > 0 {
				i, j, base, ok := Pick(m.list)
				if seed%2 == 1 && len(m.list.Layers) > 1 && m.rnd.IntN(3) > 0 { // any adjacent ones will do
					i = m.rnd.IntN(len(m.list.Layers) - 1)
					j = i + 2 + m.rnd.IntN(len(m.list.Layers)-i-1)
					base, ok = i == 0, true
				}
				if !ok {
					break
				}
				merges++
				if base {
					bases++
				}
				m.merge(i, j, base)
				m.check()
			}
		}
	}
	require.Greater(t, merges-bases, 100)
	require.Greater(t, bases, 100)
}

func TestMergeRefuses(t *testing.T) {
	_, err := PlanMerge(nil, true, nil)
	require.Error(t, err)
	a, b := open(t, build(t, 0, 5, nil, nil)), open(t, build(t, 6, 9, nil, nil))
	_, err = PlanMerge([]*Layer{a, b}, true, nil)
	require.ErrorContains(t, err, "begins at 6")
}

// Whatever byte of a layer is damaged, a merge of it fails or comes out right.
func TestMergeOfDamaged(t *testing.T) {
	headers, entries := sample()
	older := build(t, 100, 200, headers, entries)
	newer := build(t, 200, 300, []Header{{Live: 1}, {Dict: 7, Live: 3}},
		[]Entry{{Key: "a", Revision: 201}, {Key: "x", Revision: 202, Tombstone: true}, {Dict: 7, Key: "b", Revision: 203}})
	merge := func() ([]byte, error) {
		a, err := Open(older, "older", nil)
		if err != nil {
			return nil, err
		}
		b, err := Open(newer, "newer", nil)
		if err != nil {
			return nil, err
		}
		m, err := PlanMerge([]*Layer{a, b}, false, nil)
		if err != nil {
			return nil, err
		}
		m.seed = 1
		data := make([]byte, m.Size())
		return data, m.Build(data, nil)
	}
	want, err := merge()
	require.NoError(t, err)
	caught := 0
	for _, data := range [][]byte{older, newer} {
		for at := Reserved; at < len(data); at++ {
			for _, x := range []byte{1, 0x80, 0xff} {
				data[at] ^= x
				got, err := merge()
				if err != nil {
					caught++
				} else if !bytes.Equal(want, got) {
					require.Fail(t, "a wrong merge", "byte %d", at)
				}
				data[at] ^= x
			}
		}
	}
	require.Greater(t, caught, len(older))
}

// Of dictionaries that are empty nothing is left in the lowest layer.
func TestMergeEmptied(t *testing.T) {
	lower := build(t, 0, 9, []Header{{Live: 1}, {Dict: 5, Live: 1}, {Dict: 6, Live: 1}},
		[]Entry{{Key: "a", Revision: 1}, {Dict: 5, Key: "b", Revision: 2}, {Dict: 6, Key: "c", Revision: 3}})
	upper := build(t, 9, 20, []Header{{Dict: 5, Horizon: 12}, {Dict: 6}}, []Entry{{Dict: 6, Key: "c", Revision: 13, Tombstone: true}})
	m, err := PlanMerge([]*Layer{open(t, lower), open(t, upper)}, true, nil)
	require.NoError(t, err)
	require.Equal(t, 1, m.Len())
	require.Len(t, m.headers, 1)
	require.NoError(t, m.Build(make([]byte, m.Size()), nil))
}
