package snapshot

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
)

// Merge folds adjacent layers into one. It is made by [PlanMerge] and used by
// one goroutine.
//
// Entries are read twice, once to find out which survive and how much room
// they take, newest first, once to copy them, oldest first. In between a merge
// remembers one bit an entry and what it keeps of dictionary headers and
// externals; in the first pass also where the entries of the newer layers lie,
// which takes 12 bytes each, and 12 MiB at most.
type Merge struct {
	plan
	layers []*Layer
	base   bool
	keep   []uint64 // a bit an entry, in the order in which they are copied
	said   *said    // by the newer layers, in the first pass
}

// PlanMerge finds out what becomes of layers, oldest first, each beginning
// where the one before ends. base says that no layer lies beneath them.
//
// An entry survives unless a newer one of the layers has its key, or a horizon
// in a newer one hides it. A dictionary keeps the newest count of live entries
// and the highest horizon. With base, tombstones and horizons have nothing
// left to hide and go, and with them the header of a dictionary that is empty.
//
// Unless it is nil, progress is called every few thousand entries; its error
// ends the work and is returned. Other errors: *[errs.CorruptError].
func PlanMerge(layers []*Layer, base bool, progress func() error) (*Merge, error) {
	return planMerge(layers, base, saidEntries, progress)
}

// planMerge is [PlanMerge] that remembers so many entries at most.
func planMerge(layers []*Layer, base bool, remembered uint64, progress func() error) (*Merge, error) {
	if len(layers) == 0 {
		return nil, fmt.Errorf("snapshot: nothing to merge")
	}
	m := &Merge{
		plan:   plan{from: layers[0].from, to: layers[len(layers)-1].to, seed: rand.Uint64()},
		layers: layers,
		base:   base,
	}
	var total, before uint64
	for i, l := range layers {
		if i > 0 && l.from != before {
			return nil, fmt.Errorf("snapshot: layer %s begins at %d, the one before ends at %d", l.name, l.from, before)
		}
		before = l.to
		total += l.entries
	}
	m.keep = make([]uint64, (total+63)/64)
	m.said = newSaid(layers, remembered)
	err := m.walk(progress, m.consider)
	m.said = nil
	if err != nil {
		return nil, fmt.Errorf("plan merge: %w", err)
	}
	m.externals = compactSorted(m.externals)
	return m, nil
}

// From returns the position after which the merged layer begins.
func (m *Merge) From() uint64 { return m.from }

// To returns the position as of which the merged layer ends.
func (m *Merge) To() uint64 { return m.to }

// Len returns the number of entries that survive, tombstones included.
func (m *Merge) Len() int { return int(m.entries) }

// Tombstones returns the number of tombstones that survive.
func (m *Merge) Tombstones() int { return int(m.tombstones) }

// Size returns the exact number of bytes that [Merge.Build] will fill.
func (m *Merge) Size() int64 { return int64(m.size()) }

// Externals returns the ids of everything outside the merged layer that its
// entries refer to, ascending, each once. The caller must not change it.
func (m *Merge) Externals() []uint64 { return m.externals }

// Build writes the merged layer into dst, which has [Merge.Size] bytes and
// need not be zeroed; the first [Reserved] bytes are left alone. Nobody else
// may touch dst meanwhile. For progress and errors see [PlanMerge]; after an
// error dst holds nothing of use.
func (m *Merge) Build(dst []byte, progress func() error) error {
	w, err := newWriter(m.plan, dst)
	if err != nil {
		return err
	}
	err = m.walk(progress, func(s *step) error {
		if m.keep[s.number/64]>>(s.number%64)&1 == 0 {
			return nil
		}
		e := s.head.entry(view(s.key), s.value)
		return w.add(&e)
	})
	if err == nil {
		err = w.finish(&ticker{progress: progress})
	}
	if err != nil {
		return fmt.Errorf("merge: %w", err)
	}
	return nil
}

// step is one entry met on the way through the layers.
type step struct {
	walker
	number uint64   // counts the entries of all layers, oldest first in each dictionary
	layer  int      // in which the entry lies
	newer  []*Layer // those newer than it that have entries of its dictionary and are not remembered
	above  uint64   // the highest horizon of the newer ones
}

// consider decides whether an entry survives.
func (m *Merge) consider(s *step) error {
	h := &s.head
	dead := h.flags&flagTombstone != 0
	useless := dead && m.base || hidden(h.revision, s.above)
	if useless && s.layer < m.said.first {
		return nil
	}
	over, err := m.said.again(s.layer, h, view(s.key))
	if over || useless || err != nil {
		return err
	}
	if over, err = overruled(s.newer, s.dict, view(s.key)); over || err != nil {
		return err
	}
	m.keep[s.number/64] |= 1 << (s.number % 64)
	m.entries++
	m.bytes += h.size
	if dead {
		m.tombstones++
	}
	if h.external != 0 {
		m.externals = append(m.externals, h.external)
		if n := len(m.externals); n == cap(m.externals) {
			m.externals = compactSorted(m.externals) // many entries may share a few
		}
	}
	return nil
}

// walk goes through all dictionaries, ascending, and within each through the
// layers, oldest first. The first time that is newest first, and it also
// collects the headers.
func (m *Merge) walk(progress func() error, visit func(*step) error) error {
	defer runtime.KeepAlive(m.layers)
	var (
		t       = &ticker{progress: progress}
		s       step
		planned = m.headers != nil
		next    = make([]uint64, len(m.layers)) // header to be read next
		heads   = make([]dictEntry, len(m.layers))
		has     = make([]bool, len(m.layers)) // heads[i] is one that was read and not used yet
	)
	for {
		dict, any := uint64(math.MaxUint64), false
		for i, l := range m.layers {
			if !has[i] && next[i] < l.dicts {
				before := heads[i].Dict
				if err := l.readDict(&heads[i], next[i]); err != nil {
					return err
				}
				if next[i] > 0 && heads[i].Dict <= before {
					return l.disordered(next[i])
				}
				next[i]++
				has[i] = true
			}
			if has[i] {
				dict, any = min(dict, heads[i].Dict), true
			}
		}
		if !any {
			break
		}
		if !planned {
			m.addHeader(dict, heads, has)
		}
		if err := m.walkDict(dict, heads, has, &s, t, visit); err != nil {
			return err
		}
		for i := range heads {
			if heads[i].Dict == dict {
				has[i] = false
			}
		}
	}
	if m.headers == nil {
		m.headers = []Header{}
	}
	return nil
}

// addHeader adds the merged header of a dictionary.
func (m *Merge) addHeader(dict uint64, heads []dictEntry, has []bool) {
	sum := Header{Dict: dict}
	for i := range heads {
		if has[i] && heads[i].Dict == dict {
			sum.Live = heads[i].Live
			sum.Horizon = max(sum.Horizon, heads[i].Horizon)
		}
	}
	if m.base {
		if sum.Live == 0 {
			return
		}
		sum.Horizon = 0
	}
	m.headers = append(m.headers, sum)
}

// walkDict visits the entries of one dictionary.
func (m *Merge) walkDict(dict uint64, heads []dictEntry, has []bool, s *step, t *ticker, visit func(*step) error) error {
	first := s.number
	for k := range m.layers {
		i := k
		if m.said != nil {
			i = len(m.layers) - 1 - k
		}
		if !has[i] || heads[i].Dict != dict || heads[i].Entries == 0 {
			continue
		}
		s.number, s.layer, s.newer, s.above = first, i, s.newer[:0], 0
		for j := len(m.layers) - 1; j >= 0; j-- {
			switch {
			case j == i || !has[j] || heads[j].Dict != dict:
			case j < i:
				s.number += heads[j].Entries
			default:
				s.above = max(s.above, heads[j].Horizon)
				if m.said != nil && j < m.said.first && heads[j].Entries > 0 {
					s.newer = append(s.newer, m.layers[j])
				}
			}
		}
		if covered(m.layers[i], s.above) {
			continue
		}
		if err := m.walkLayer(&heads[i], s, t, visit); err != nil {
			return err
		}
	}
	s.number = first
	for i := range heads {
		if has[i] && heads[i].Dict == dict {
			s.number += heads[i].Entries
		}
	}
	return nil
}

// walkLayer visits the entries of one dictionary in one layer.
func (m *Merge) walkLayer(d *dictEntry, s *step, t *ticker, visit func(*step) error) error {
	l := m.layers[s.layer]
	buf := s.buf
	s.walker = l.walk(d)
	s.buf = buf
	for {
		ok, err := s.next()
		if err != nil || !ok {
			return err
		}
		if s.number/64 >= uint64(len(m.keep)) {
			return l.corrupt(offEntries, "more entries than the header says")
		}
		if err := visit(s); err != nil {
			return err
		}
		s.number++
		if err := t.tick(); err != nil {
			return err
		}
	}
}
