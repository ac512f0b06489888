package stream

import (
	"encoding/binary"
	"hash/crc32"
	"runtime"
	"sync/atomic"

	"github.com/ultradict/go/internal/errs"
)

// batch is how many bytes a reader copies out at once, at most, unless a
// single record is larger.
const batch = 64 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Record is one record as a reader sees it.
type Record struct {
	Kind    Kind   // Data or Reference
	Start   uint64 // position where the reader stood: padding counts to the record behind it
	End     uint64 // position where the record ends and the next one begins
	Payload []byte // private memory, good until the next call of Next
}

// Reader follows a stream from a position. One goroutine at a time may use it.
type Reader struct {
	s     *Stream
	pos   uint64 // of the next record, or of padding before it
	fence atomic.Uint32

	buf  []byte // copied out and known not to be overwritten meanwhile
	base uint64 // position of buf[0]
}

// Reader returns a reader that stands at position.
func (s *Stream) Reader(position uint64) *Reader { return &Reader{s: s, pos: position, base: position} }

// Position is where the reader stands: the end of the last record it returned.
func (r *Reader) Position() uint64 { return r.pos }

// Seek puts the reader at position, which must be a record's end or the
// stream's first position.
func (r *Reader) Seek(position uint64) { r.pos, r.base, r.buf = position, position, r.buf[:0] }

// Next returns the next record that ends at or below limit, a position that
// was the stream's head at some time; ok is false when there is none. It
// returns [ErrLapped] when the record is gone and *errs.CorruptError (which
// matches ErrCorrupt) when it is damaged; the reader stays where it was.
func (r *Reader) Next(limit uint64) (rec Record, ok bool, err error) {
	start := r.pos
	at := r.pos
	for at < limit {
		have := r.have(at)
		if len(have) < frameSize {
			if have, err = r.fill(at, frameSize, limit); err != nil {
				return Record{}, false, err
			}
		}
		length, check, kind, n, size := split(binary.NativeEndian.Uint64(have))
		if !r.s.fits(kind, size, at, limit) {
			return Record{}, false, r.damaged(at, "impossible length of a record")
		}
		if kind == padding {
			if !r.s.isPadding(length, check, size, at, limit) {
				return Record{}, false, r.damaged(at, "padding is not what it must be")
			}
			at += size
			continue
		}
		if len(have) < frameSize+n {
			if have, err = r.fill(at, frameSize+n, limit); err != nil {
				return Record{}, false, err
			}
		}
		payload := have[frameSize : frameSize+n : frameSize+n]
		if mix(crc32.Update(0, castagnoli, payload), at, length) != check {
			return Record{}, false, r.damaged(at, "checksum of a record does not match")
		}
		r.pos = at + size
		return Record{Kind: kind, Start: start, End: r.pos, Payload: payload}, true, nil
	}
	return Record{}, false, nil
}

// have returns what private memory holds from position at.
func (r *Reader) have(at uint64) []byte {
	if i := at - r.base; i < uint64(len(r.buf)) {
		return r.buf[i:]
	}
	return nil
}

// fill copies a batch of at least n bytes from position at, which lie in one
// chunk, into private memory and returns it. They were not overwritten while
// they were copied: copy, fence, look at tail; in this order.
func (r *Reader) fill(at uint64, n int, limit uint64) ([]byte, error) {
	r.buf = r.buf[:0]
	r.base = at
	m, err := r.s.load(at >> r.s.shift)
	if err == errAbsent {
		return nil, r.damaged(at, "the chunk table does not name the chunk")
	}
	if err != nil {
		return nil, err
	}
	offset := at & (uint64(r.s.cfg.Chunk) - 1)
	size := min(uint64(max(n, batch)), uint64(r.s.cfg.Chunk)-offset, limit-at)
	if size < uint64(n) {
		return nil, r.damaged(at, "record leaves its chunk")
	}
	if uint64(cap(r.buf)) < size {
		r.buf = make([]byte, 0, max(min(batch, uint64(r.s.cfg.Chunk)), size))
	}
	r.buf = append(r.buf, m.Bytes[offset:offset+size]...)
	runtime.KeepAlive(m)
	// The fence: a store, then the load. On arm64 that is STLR; LDAR, which
	// are ordered and hold back the copies above; an acquiring load alone
	// would not.
	r.fence.Store(1)
	if err := r.passed(at); err != nil {
		r.buf = r.buf[:0]
		return nil, err
	}
	return r.buf, nil
}

// passed returns an error when the writer has passed a position.
func (r *Reader) passed(at uint64) error {
	tail := r.s.h.tail.Load()
	if tail <= at {
		return nil
	}
	// Readers that are told to begin at a later position must find one.
	if tail > r.s.Head() {
		return errPositions
	}
	return ErrLapped
}

// damaged says what is wrong at a position, unless the writer has passed it
// meanwhile: then nothing is wrong but the reader's speed.
func (r *Reader) damaged(at uint64, reason string) error {
	r.buf = r.buf[:0]
	if err := r.passed(at); err != nil {
		return err
	}
	n := at >> r.s.shift
	return &errs.CorruptError{
		Segment: chunkName(n),
		Offset:  int64(at - n<<r.s.shift),
		Reason:  reason,
	}
}

// Scan calls visit with the payload of each record in [from, head) and the
// record's kind, straight from shared memory, verified in place. The caller
// holds the writers' lock, so nothing is overwritten; visit must neither keep
// nor trust the payload beyond its checksum, and reports whether to go on.
// Scan allocates nothing and makes no system call. It reports false where it
// could not look at every record.
func (s *Stream) Scan(from uint64, visit func(kind Kind, end uint64, payload []byte) bool) bool {
	head := s.Head()
	mask := uint64(s.cfg.Chunk) - 1
	if from%Align != 0 {
		return false
	}
	for at := from; at < head; {
		m := s.chunk(at >> s.shift)
		if m == nil || s.h.tail.Load() > at {
			return false
		}
		mem := m.Bytes[at&mask:]
		length, check, kind, n, size := split(binary.NativeEndian.Uint64(mem))
		if !s.fits(kind, size, at, head) {
			return false
		}
		if kind == padding {
			if !s.isPadding(length, check, size, at, head) {
				return false
			}
		} else {
			payload := mem[frameSize : frameSize+n : frameSize+n]
			if mix(crc32.Update(0, castagnoli, payload), at, length) != check {
				return false
			}
			if !visit(kind, at+size, payload) {
				return false
			}
		}
		at += size
		runtime.KeepAlive(m)
	}
	return true
}
