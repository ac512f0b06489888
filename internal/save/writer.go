package save

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Writer writes a save: the entries of dictionary 0, then, after each call of
// [Writer.Next], those of the next dictionary that it was given. It is for one
// goroutine. Make one with [NewWriter].
type Writer struct {
	w      io.Writer
	begin  uint32 // what every checksum begins with
	frame  []byte // head and payload of the frame that is being filled
	totals Totals
	now    uint64 // number of the dictionary whose entries are being written
	small  []byte // the beginning of an item, reused
	offset int64
	err    error // the first one; nothing is written after it
}

var errClosed = errors.New("save: written after its end")

// NewWriter begins a save in w. A codec or a kind of keys that does not fit into the
// header is refused.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	if len(h.Codec) == 0 || len(h.Codec) > codecSize || len(h.KeyKind) == 0 || len(h.KeyKind) > keyKindSize {
		return nil, fmt.Errorf("save: a codec %q and a kind of keys %q do not fit into %d and %d bytes", h.Codec, h.KeyKind, codecSize, keyKindSize)
	}
	b := h.encode()
	s := &Writer{w: w, begin: le.Uint32(b[atChecksum:]), frame: make([]byte, frameHead, frameHead+maxFrame), totals: Totals{Dicts: 1}}
	s.write(b)
	return s, s.err
}

// Offset is how many bytes were written; what was put into the frame that is being
// filled is not among them.
func (s *Writer) Offset() int64 { return s.offset }

// Totals are those of what was put so far.
func (s *Writer) Totals() Totals { return s.totals }

func (s *Writer) write(b []byte) {
	if s.err != nil {
		return
	}
	n, err := s.w.Write(b)
	s.offset += int64(n)
	s.err = err
}

// Put writes an entry of the dictionary that is being written. If the entry holds a
// dictionary, which its KeyKind says, Put sets its number; the entries of that follow
// later, see [Writer.Next]. Neither key nor value is kept.
func (s *Writer) Put(e *Entry) error {
	if len(e.Key) > maxKey || len(e.Value) > maxValue || len(e.KeyKind) > maxKind {
		return fmt.Errorf("save: a key of %d bytes with a value of %d, or keys of a kind of %d bytes, are too large", len(e.Key), len(e.Value), len(e.KeyKind))
	}
	head := byte(itemValue)
	if e.KeyKind != "" {
		head = itemNested
	}
	if e.Deadline != 0 {
		head |= hasExpiry
	}
	b := append(s.small[:0], head)
	b = binary.AppendUvarint(b, uint64(len(e.Key)))
	b = append(b, e.Key...)
	if e.Deadline != 0 {
		b = le.AppendUint64(b, uint64(e.Deadline))
	}
	if e.KeyKind != "" {
		e.Nested = s.totals.Dicts
		s.totals.Dicts++
		b = binary.AppendUvarint(b, e.Nested)
		b = binary.AppendUvarint(b, uint64(len(e.KeyKind)))
		b = append(b, e.KeyKind...)
	} else {
		b = binary.AppendUvarint(b, uint64(len(e.Value)))
	}
	s.small = b
	s.append(b)
	if e.KeyKind == "" {
		s.append(e.Value)
	}
	s.totals.Entries++
	return s.err
}

// Next goes on to the entries of the next dictionary, in the order of their numbers. It
// reports whether there is one.
func (s *Writer) Next() (more bool, err error) {
	if s.now+1 == s.totals.Dicts || s.err != nil {
		return false, s.err
	}
	s.now++
	s.append(binary.AppendUvarint([]byte{itemDict}, s.now))
	return true, s.err
}

// append puts bytes of items into frames.
func (s *Writer) append(b []byte) {
	for len(b) > 0 && s.err == nil {
		n := min(len(b), cap(s.frame)-len(s.frame))
		s.frame = append(s.frame, b[:n]...)
		b = b[n:]
		if len(s.frame) == cap(s.frame) {
			s.flush()
		}
	}
}

// flush writes the frame that was filled.
func (s *Writer) flush() {
	if len(s.frame) == frameHead {
		return
	}
	s.seal(s.frame, kindData)
	s.totals.count(s.frame)
	s.write(s.frame)
	s.frame = s.frame[:frameHead]
}

// seal fills in the head of a frame.
func (s *Writer) seal(frame []byte, kind uint32) {
	payload := frame[frameHead:]
	le.PutUint32(frame[atKind:], kind)
	le.PutUint32(frame[atLength:], uint32(len(payload)))
	le.PutUint32(frame[atSum:], sum(s.begin, payload))
	le.PutUint64(frame[atSequence:], s.totals.Frames)
	le.PutUint32(frame[atCheck:], sum(s.begin, frame[atCheck+4:frameHead]))
}

// Close writes what is left and the end. Without it there is no save. The underlying
// writer is the caller's.
func (s *Writer) Close() error {
	if s.err == nil && s.now+1 != s.totals.Dicts {
		return fmt.Errorf("save: closed at dictionary %d of %d", s.now, s.totals.Dicts)
	}
	s.flush()
	end := append(make([]byte, frameHead, frameHead+endSize), s.totals.encode()...)
	s.seal(end, kindEnd)
	s.write(end)
	if s.err != nil {
		return s.err
	}
	s.err = errClosed
	return nil
}
