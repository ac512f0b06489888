package snapshot

import (
	"slices"
	"structs"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
)

// Part of the format.
const (
	MaxLayers     = 24   // layers a list can have
	DirectorySize = 4096 // bytes of a [Directory]
	listedWords   = 8    // 64-bit words of a [Listed]
	slotsOffset   = 64   // of the slots in a [Directory]
	slotSize      = 1600 // bytes of a slot
	sequenceShift = 16   // a sequence word is number << 16 | check
)

// Directory is the list of the layers in force, in memory shared by processes.
// The zero value is an empty list. It changes as a whole: whoever reads gets
// one list that was in force during the call.
//
// There are two slots, of which the sequence word names the one in force. A
// publisher fills the other and then advances the word; a reader copies the
// slot, makes sure that the word still is what it was, and verifies the
// slot's checksum, which depends on the word. A publisher may die anywhere:
// only the step from one word to the next can be seen.
type Directory struct {
	_        structs.HostLayout
	sequence failpoint.Uint64
	_        [56]byte
	slots    [2]directorySlot
	_        [832]byte
}

// directorySlot holds one list. Words are atomic, as a publisher may fill the
// slot that a slow reader still copies.
type directorySlot struct {
	_     structs.HostLayout
	sum   failpoint.Uint64 // checksum << 32 | number of layers
	_     [56]byte
	words [MaxLayers * listedWords]failpoint.Uint64
}

// Listed is a layer as the [Directory] lists it.
type Listed struct {
	ID         uint64 // the caller's name for the layer's file; unique in a list
	From, To   uint64 // as in the layer
	Entries    uint64 // as in the layer, tombstones included
	Tombstones uint64 // as in the layer
	Live       uint64 // live entries of all dictionaries together, as of To
	Bytes      uint64 // size of the layer
	Created    int64  // Unix time in nanoseconds
}

// List is a copy of what a [Directory] said.
type List struct {
	Sequence uint64   // for [Directory.Publish]; grows with each list
	Layers   []Listed // oldest first, each beginning where the one before ends
}

// Position returns the end of the newest layer, 0 without one.
func (l List) Position() uint64 {
	if len(l.Layers) == 0 {
		return 0
	}
	return l.Layers[len(l.Layers)-1].To
}

// Bytes returns the size of all layers together.
func (l List) Bytes() uint64 { return sumBytes(l.Layers) }

func sumBytes(layers []Listed) (n uint64) {
	for i := range layers {
		n += layers[i].Bytes
	}
	return n
}

// Replace returns the layers of the list with the adjacent layers old, told
// by their ids, replaced by one, and false unless all of old are still listed.
// The slice is new.
func (l List) Replace(old []Listed, by Listed) ([]Listed, bool) {
	if len(old) == 0 {
		return nil, false
	}
	first := slices.IndexFunc(l.Layers, func(x Listed) bool { return x.ID == old[0].ID })
	if first < 0 || len(l.Layers)-first < len(old) {
		return nil, false
	}
	for i, x := range l.Layers[first : first+len(old)] {
		if x.ID != old[i].ID {
			return nil, false
		}
	}
	layers := make([]Listed, 0, len(l.Layers)-len(old)+1)
	layers = append(layers, l.Layers[:first]...)
	layers = append(layers, by)
	return append(layers, l.Layers[first+len(old):]...), true
}

// Sequence returns the present sequence word, at the price of one load: while
// it equals [List.Sequence], that list is in force.
func (d *Directory) Sequence() uint64 { return d.sequence.Load() }

// Read returns the list in force. It may be called at any time, by anyone.
// Error: *[errs.CorruptError], with the offset in the directory.
func (d *Directory) Read() (List, error) {
	const patience = 10_000 // lists published while one is copied: nobody is that fast for that long
	for range patience {
		word := d.sequence.Load()
		slot := &d.slots[word>>sequenceShift&1]
		sum := slot.sum.Load()
		count := min(uint32(sum), MaxLayers)
		var words [MaxLayers * listedWords]uint64
		for i := range count * listedWords {
			words[i] = slot.words[i].Load()
		}
		if d.sequence.Load() != word {
			continue
		}
		if word != sequenceWord(word>>sequenceShift) {
			return List{}, corruptDirectory(0, "sequence word of the list of layers")
		}
		if sum != sumWord(word, words[:count*listedWords]) {
			return List{}, corruptDirectory(slotOffset(word), "checksum of the list of layers")
		}
		list := List{Sequence: word, Layers: make([]Listed, count)}
		for i := range list.Layers {
			list.Layers[i].load(words[i*listedWords:])
		}
		if !adjacent(list.Layers) {
			return List{}, corruptDirectory(slotOffset(word), "listed layers do not follow each other")
		}
		return list, nil
	}
	return List{}, corruptDirectory(0, "the list of layers does not come to rest")
}

// Publish puts a list into force, if the one of which old is the
// [List.Sequence] still is. The caller sees to it that no other process calls
// it meanwhile: it holds the lock of those who write. It allocates nothing and
// makes no system call.
//
// Errors: [errs.ErrConflict] if another list has been published since;
// [errs.ErrNoSpace] for more than [MaxLayers] layers.
func (d *Directory) Publish(old uint64, layers []Listed) error {
	if len(layers) > MaxLayers {
		return errs.ErrNoSpace
	}
	if d.sequence.Load() != old {
		return errs.ErrConflict
	}
	next := sequenceWord(old>>sequenceShift + 1)
	slot := &d.slots[next>>sequenceShift&1]
	var words [MaxLayers * listedWords]uint64
	for i := range layers {
		layers[i].store(words[i*listedWords:])
	}
	n := len(layers) * listedWords
	for i, w := range words[:n] {
		slot.words[i].Store(w)
	}
	slot.sum.Store(sumWord(next, words[:n]))
	if !d.sequence.CompareAndSwap(old, next) {
		return errs.ErrConflict
	}
	return nil
}

// sequenceWord gives the word of a number: a check beside it makes a damaged
// word known for what it is, as otherwise the one before would still lead to
// a whole, outdated list. Part of the format.
func sequenceWord(number uint64) uint64 {
	number &= 1<<(64-sequenceShift) - 1
	return number<<sequenceShift | number*hashK0>>(64-sequenceShift)
}

// sumWord gives the first word of a slot. That of the empty list in the first
// slot under number 0 is 0, so that zeroed memory is a valid directory. Part
// of the format.
func sumWord(sequence uint64, words []uint64) uint64 {
	var raw [8]byte
	le.PutUint64(raw[:], sequence)
	crc := checksum(^uint32(0), raw[:]) ^ checksum(^uint32(0), make([]byte, 8))
	for _, w := range words {
		le.PutUint64(raw[:], w)
		crc = checksum(crc, raw[:])
	}
	return uint64(crc)<<32 | uint64(len(words)/listedWords)
}

func (x *Listed) store(w []uint64) {
	_ = w[listedWords-1]
	w[0], w[1], w[2], w[3] = x.ID, x.From, x.To, x.Entries
	w[4], w[5], w[6], w[7] = x.Tombstones, x.Live, x.Bytes, uint64(x.Created)
}

func (x *Listed) load(w []uint64) {
	_ = w[listedWords-1]
	x.ID, x.From, x.To, x.Entries = w[0], w[1], w[2], w[3]
	x.Tombstones, x.Live, x.Bytes, x.Created = w[4], w[5], w[6], int64(w[7])
}

// slotOffset returns the offset of the slot that a sequence word names.
func slotOffset(word uint64) int64 { return slotsOffset + int64(word>>sequenceShift&1)*slotSize }

func adjacent(layers []Listed) bool {
	for i := range layers {
		if layers[i].From > layers[i].To || i > 0 && layers[i].From != layers[i-1].To {
			return false
		}
	}
	return true
}

func corruptDirectory(offset int64, reason string) error {
	return &errs.CorruptError{Segment: "control", Offset: offset, Reason: reason}
}
