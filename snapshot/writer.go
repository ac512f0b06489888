package snapshot

import (
	"errors"
	"fmt"
	"math/bits"
)

// plan is all that must be known of a layer before it is written.
type plan struct {
	from, to            uint64
	entries, tombstones uint64
	bytes               uint64   // of the entries
	headers             []Header // ascending by Dict
	externals           []uint64 // ascending, unique
	seed                uint64
}

func (p *plan) layout() layout {
	return layoutOf(uint64(len(p.headers)), uint64(len(p.externals)), bucketsFor(p.entries))
}

func (p *plan) size() uint64 { return p.layout().entries + p.bytes }

// progressEvery is how many entries lie between two calls of a progress
// function.
const progressEvery = 512

// ticker calls a progress function now and then.
type ticker struct {
	progress func() error
	n        uint
}

func (t *ticker) tick() error {
	if t.n++; t.n%progressEvery != 0 || t.progress == nil {
		return nil
	}
	return t.progress()
}

var (
	errPlan   = errors.New("snapshot: the entries are not those of the plan")
	errOrder  = errors.New("snapshot: an entry's dictionary has no header")
	errProbes = errors.New("snapshot: too many entries of one hash; was a key added twice?")
)

// writer fills a layer: the entries one after another, the index as they
// come, the rest at the end. It writes into dst only, whose bytes nobody else
// may touch meanwhile.
type writer struct {
	plan
	dst     []byte
	at      layout
	hash    hasher
	buckets uint64
	probes  uint64
	offset  uint64 // of the next entry
	dict    int    // index of the header whose entries are being written
	written uint64
	dead    uint64 // tombstones written
}

func newWriter(p plan, dst []byte) (*writer, error) {
	if uint64(len(dst)) != p.size() {
		return nil, fmt.Errorf("snapshot: %d bytes for a layer of %d", len(dst), p.size())
	}
	w := &writer{plan: p, dst: dst, at: p.layout(), hash: newHasher(p.seed), buckets: bucketsFor(p.entries)}
	w.offset = w.at.entries
	clear(dst[Reserved:w.at.entries])
	w.start()
	return w, nil
}

// start notes in the current dictionary header where its entries begin.
func (w *writer) start() {
	if w.dict < len(w.headers) {
		le.PutUint64(w.header()[dictOffset:], w.offset)
		w.headers[w.dict].Entries = 0
	}
}

func (w *writer) header() []byte {
	return w.dst[headerEnd+w.dict*dictSize:][:dictSize]
}

// add writes the next entry; entries come ascending by dictionary.
func (w *writer) add(e *Entry) error {
	for w.dict < len(w.headers) && w.headers[w.dict].Dict < e.Dict {
		w.dict++
		w.start()
	}
	if w.dict == len(w.headers) || w.headers[w.dict].Dict != e.Dict {
		return errOrder
	}
	fixed, size := e.sizes()
	if w.written == w.entries || size > uint64(len(w.dst))-w.offset {
		return errPlan
	}
	e.put(w.dst[w.offset:w.offset+size], fixed, w.offset)
	if err := w.index(w.hash.sum(e.Dict, e.Key), w.offset); err != nil {
		return err
	}
	w.offset += size
	w.written++
	w.headers[w.dict].Entries++
	if e.Tombstone {
		w.dead++
	}
	return nil
}

// index puts an offset into its bucket, or into the next with room.
func (w *writer) index(sum, offset uint64) error {
	number, _ := bits.Mul64(sum, w.buckets)
	for probe := uint64(0); probe <= maxProbes && probe < w.buckets; probe++ {
		b := w.dst[w.at.index+number*bucketSize:][:bucketSize]
		if n := b[bucketCount]; n < bucketSlots {
			le.PutUint64(b[bucketFirst+8*int(n):], sum<<tagShift|offset/entryAlignment)
			b[bucketCount] = n + 1
			w.probes = max(w.probes, probe)
			return nil
		}
		b[bucketFlags] |= bucketOverflow
		if number++; number == w.buckets {
			number = 0
		}
	}
	return errProbes
}

// finish writes everything but the entries.
func (w *writer) finish(t *ticker) error {
	if w.written != w.entries || w.dead != w.tombstones || w.offset != uint64(len(w.dst)) {
		return errPlan
	}
	for w.dict+1 < len(w.headers) {
		w.dict++
		w.start()
	}
	for w.dict = range w.headers {
		h, b := w.headers[w.dict], w.header()
		le.PutUint64(b[dictID:], h.Dict)
		le.PutUint64(b[dictHorizon:], h.Horizon)
		le.PutUint64(b[dictLive:], h.Live)
		le.PutUint64(b[dictEntries:], h.Entries)
		le.PutUint32(b[dictCRC:], checksum(place(uint64(w.dict)), b[:dictCRC]))
	}
	externals := w.dst[w.at.externals:][:8*len(w.externals)]
	for i, id := range w.externals {
		le.PutUint64(externals[8*i:], id)
	}
	for n := range w.buckets {
		b := w.dst[w.at.index+n*bucketSize:][:bucketSize]
		le.PutUint32(b[bucketCRC:], checksum(place(n), b[bucketCRC+4:]))
		if err := t.tick(); err != nil {
			return err
		}
	}
	h := w.dst[:headerEnd]
	copy(h[offMagic:], magic)
	h[offVersion] = version
	le.PutUint64(h[offFrom:], w.from)
	le.PutUint64(h[offTo:], w.to)
	le.PutUint64(h[offEntries:], w.entries)
	le.PutUint64(h[offTombstones:], w.tombstones)
	le.PutUint64(h[offSeed:], w.seed)
	le.PutUint64(h[offSize:], uint64(len(w.dst)))
	le.PutUint64(h[offDicts:], uint64(len(w.headers)))
	le.PutUint64(h[offExternals:], uint64(len(w.externals)))
	le.PutUint64(h[offBuckets:], w.buckets)
	le.PutUint32(h[offProbes:], uint32(w.probes))
	le.PutUint32(h[offExternalCRC:], checksum(place(uint64(len(w.externals))), externals))
	le.PutUint32(h[offHeaderCRC:], checksum(0, h[Reserved:offHeaderCRC]))
	return nil
}
