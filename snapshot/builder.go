package snapshot

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/ultradict/go/internal/errs"
)

// Builder collects the entries of one layer and writes them. It is made by
// [NewBuilder] and used by one goroutine.
type Builder struct {
	plan
	list      []Entry
	byDict    map[uint64]Header
	mentioned []uint64 // externals, as they came
	planned   bool
}

// NewBuilder returns a builder of the layer that holds what changed after
// position from, up to and with to. The first layer of a stack is a base: it
// begins before everything, and needs neither tombstones nor horizons.
func NewBuilder(from, to uint64) *Builder {
	b := &Builder{byDict: make(map[uint64]Header)}
	b.Reset(from, to)
	return b
}

// Reset empties the builder for another layer and keeps its memory, so that
// building layers of about one size allocates nothing but the first time.
func (b *Builder) Reset(from, to uint64) {
	clear(b.list)
	clear(b.byDict)
	*b = Builder{
		plan:   plan{from: from, to: to, seed: rand.Uint64()},
		list:   b.list[:0],
		byDict: b.byDict,
	}
}

// SetSeed fixes the seed of the layer's hash, which is otherwise random, so
// that equal contents give equal bytes. Hostile keys can be fitted to a seed
// that is known beforehand.
func (b *Builder) SetSeed(seed uint64) { b.seed = seed }

// Add takes an entry, whose key must not have been added to its dictionary
// before. Key and Value are kept, not copied, until [Builder.Build] returns.
// Error: [errs.ErrNoSpace] if key or value is longer than a layer can hold.
func (b *Builder) Add(e Entry) error {
	if len(e.Key) > MaxKey || len(e.Value) > MaxValue {
		return fmt.Errorf("add a key of %d and a value of %d bytes to a layer: %w", len(e.Key), len(e.Value), errs.ErrNoSpace)
	}
	e = e.stored()
	_, size := e.sizes()
	if size > maxSize-b.bytes {
		return fmt.Errorf("add %d bytes to a layer of %d: %w", size, b.bytes, errs.ErrNoSpace)
	}
	b.bytes += size
	b.entries++
	if e.Tombstone {
		b.tombstones++
	}
	if e.External != 0 {
		b.mentioned = append(b.mentioned, e.External)
	}
	b.list = append(b.list, e)
	b.planned = false
	return nil
}

// SetHeader sets what the layer says of a dictionary as a whole. Every
// dictionary with an entry in the layer needs one; others may have one. The
// last call for a dictionary counts.
func (b *Builder) SetHeader(h Header) {
	h.Entries = 0
	b.byDict[h.Dict] = h
	b.planned = false
}

// Len returns the number of entries added, tombstones included.
func (b *Builder) Len() int { return len(b.list) }

// Tombstones returns the number of tombstones added.
func (b *Builder) Tombstones() int { return int(b.tombstones) }

// Size returns the exact number of bytes that [Builder.Build] will fill, the
// [Reserved] ones included.
func (b *Builder) Size() int64 {
	b.prepare()
	return int64(b.size())
}

// prepare sorts what must be sorted.
func (b *Builder) prepare() {
	if b.planned {
		return
	}
	byDict := func(x, y Entry) int { return cmp.Compare(x.Dict, y.Dict) }
	if !slices.IsSortedFunc(b.list, byDict) {
		slices.SortStableFunc(b.list, byDict)
	}
	b.headers = slices.SortedFunc(maps.Values(b.byDict), func(x, y Header) int { return cmp.Compare(x.Dict, y.Dict) })
	b.mentioned = compactSorted(b.mentioned)
	b.externals = b.mentioned
	b.planned = true
}

// Build writes the layer into dst, which has [Builder.Size] bytes and need not
// be zeroed; the first [Reserved] bytes are left alone. Nobody else may touch
// dst meanwhile. The bytes depend on nothing but the entries, their order, the
// headers and the seed. Within a dictionary entries keep the order in which
// they were added.
//
// Unless it is nil, progress is called every few thousand entries; its error
// ends the work and is returned. After an error dst holds nothing of use.
func (b *Builder) Build(dst []byte, progress func() error) error {
	b.prepare()
	w, err := newWriter(b.plan, dst)
	if err != nil {
		return err
	}
	t := &ticker{progress: progress}
	for i := range b.list {
		if err := w.add(&b.list[i]); err != nil {
			return fmt.Errorf("write entry %d of dictionary %d: %w", i, b.list[i].Dict, err)
		}
		if err := t.tick(); err != nil {
			return err
		}
	}
	return w.finish(t)
}

// compactSorted sorts ids in place and returns them with each once.
func compactSorted(ids []uint64) []uint64 {
	slices.Sort(ids)
	return slices.Compact(ids)
}
