package snapshot

import (
	"math/bits"
	"math/rand/v2"
)

// said is what a merge remembers of the newer ones of its layers while it
// considers the older ones: where each of their entries lies. So one look in a
// private table says which of them have a key, instead of one in each of them.
//
// A cell that is not 0 is a tag of 16 bits, the number of a layer in 8, and the
// offset of an entry / 8 in 40. It is no more than a hint: the entry is compared
// and verified each time. Collisions are handled by going on to the next cell.
type said struct {
	layers []*Layer
	hash   hasher // of its own, so that no layer can know which keys collide
	first  int    // layers from this one on are remembered
	cells  []uint64
	room   uint64 // entries that may still be added
}

// What is remembered at most. The layers that are too many or too large for it
// are few: they are asked themselves.
const (
	saidEntries = 1 << 20 // 12 MiB
	saidLayers  = 1 << saidLayerBits
	saidSize    = 1 << 40 * entryAlignment

	saidLayerBits  = 8
	saidLayerShift = tagShift - saidLayerBits
)

// newSaid makes the table for as many of the newest layers as it may remember,
// with so many entries at most, but not for the oldest: nobody will ask.
func newSaid(layers []*Layer, limit uint64) *said {
	s := &said{layers: layers, hash: newHasher(rand.Uint64()), first: len(layers)}
	for s.first > 1 {
		l := layers[s.first-1]
		if s.first > saidLayers || l.size > saidSize || l.entries > limit-s.room {
			break
		}
		s.room += l.entries
		s.first--
	}
	s.cells = make([]uint64, s.room+s.room/2+1)
	return s
}

// again reports whether a remembered entry has the key of this one, which lies
// in layer number i, and otherwise remembers it if it should.
func (s *said) again(i int, h *head, key string) (bool, error) {
	sum := s.hash.sum(h.dict, key)
	at, _ := bits.Mul64(sum, uint64(len(s.cells)))
	for ; s.cells[at] != 0; at++ {
		if c := s.cells[at]; c>>tagShift == sum&(1<<16-1) {
			if same, err := s.same(c, h.dict, key); same || err != nil {
				return same, err
			}
		}
		if at == uint64(len(s.cells))-1 {
			at = ^uint64(0)
		}
	}
	if i < s.first {
		return false, nil
	}
	if s.room == 0 { // without this check a forged header could fill the table
		return false, s.layers[i].corrupt(offEntries, "more entries than the header says")
	}
	s.room--
	s.cells[at] = sum<<tagShift | uint64(i)<<saidLayerShift | h.offset/entryAlignment
	return false, nil
}

// same reports whether the entry of a cell has this key.
func (s *said) same(cell, dict uint64, key string) (bool, error) {
	l := s.layers[cell>>saidLayerShift&(saidLayers-1)]
	var h head
	if err := l.readHead(&h, cell&(1<<saidLayerShift-1)*entryAlignment); err != nil {
		return false, err
	}
	stored := l.data[h.keyAt:h.valueAt]
	if h.dict == dict && string(stored) == key {
		return true, l.verify(&h, key, l.data[h.valueAt:h.end])
	}
	return false, l.verify(&h, view(stored), l.data[h.valueAt:h.end])
}
