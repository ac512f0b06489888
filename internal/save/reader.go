package save

import (
	"errors"
	"fmt"
	"io"

	"github.com/ultradict/go/internal/errs"
)

// Reader reads a save and verifies it as it goes. It is for one goroutine. Make one
// with [NewReader].
type Reader struct {
	r      io.Reader
	path   string
	header Header
	begin  uint32
	totals Totals // of what was read
	now    uint64 // number of the dictionary whose entries are being read

	offset  int64 // in the file, of what comes next
	frame   []byte
	at      int   // in frame
	frameAt int64 // offset of frame[0] in the file
	itemAt  int64 // offset of the item that is being read
	key     []byte
	value   []byte
	buf     []byte // of a frame
	err     error  // sticky; io.EOF after the end
}

// NewReader reads the header of a save. path is what errors call it.
//
// Errors: *[errs.SaveError]; [errs.ErrVersion] for a save of another version; those of
// r, with the path.
func NewReader(r io.Reader, path string) (*Reader, error) {
	s := &Reader{r: r, path: path, totals: Totals{Dicts: 1}, buf: make([]byte, maxFrame)}
	b := s.buf[:headerSize]
	n, err := io.ReadFull(r, b)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, s.damaged(int64(n), "the file ends within its header of %d bytes", headerSize)
	default:
		return nil, s.failed(err)
	}
	switch {
	case string(b[:atVersion]) != magic:
		return nil, s.damaged(0, "it does not begin as a save does")
	case headerSum(b) != le.Uint32(b[atChecksum:]): // before the version, which may be what is damaged
		return nil, s.damaged(0, "checksum of the header does not match")
	case le.Uint32(b[atVersion:]) != version:
		return nil, fmt.Errorf("save %s is of version %d, this program reads version %d: %w", path, le.Uint32(b[atVersion:]), version, errs.ErrVersion)
	}
	s.header.decode(b)
	s.begin = le.Uint32(b[atChecksum:])
	s.offset = headerSize
	return s, nil
}

// Header is the save's.
func (s *Reader) Header() Header { return s.header }

// Offset is how many bytes of the file were read.
func (s *Reader) Offset() int64 { return s.offset }

// At is the offset of the entry that was read last.
func (s *Reader) At() int64 { return s.itemAt }

// Totals are those of what was read so far; after [io.EOF], the save's.
func (s *Reader) Totals() Totals { return s.totals }

func (s *Reader) damaged(at int64, format string, args ...any) error {
	return &errs.SaveError{Path: s.path, Offset: at, Reason: fmt.Sprintf(format, args...)}
}

func (s *Reader) failed(err error) error {
	return fmt.Errorf("read save %s at offset %d: %w", s.path, s.offset, err)
}

// Next reads the next entry into e. Key and value are good until the next call. It
// returns [io.EOF] when it has seen the end of the save, and that it is whole.
func (s *Reader) Next(e *Entry) error {
	if s.err == nil {
		s.err = s.next(e)
	}
	return s.err
}

func (s *Reader) next(e *Entry) error {
	*e = Entry{}
	for {
		if s.at == len(s.frame) {
			if err := s.load(); err != nil {
				return err
			}
		}
		s.itemAt = s.frameAt + int64(s.at)
		head, err := s.byte()
		if err != nil {
			return err
		}
		switch kind := head & itemKinds; {
		case head == itemDict:
			if err := s.dict(); err != nil {
				return err
			}
			continue
		case head&^(itemKinds|hasExpiry) != 0, kind != itemValue && kind != itemNested:
			return s.malformed("an item of kind %#02x", head)
		}
		return s.within(s.entry(e, head))
	}
}

// within says of the end of the file that it came too early.
func (s *Reader) within(err error) error {
	if err == io.EOF {
		return s.malformed("the save ends within an item")
	}
	return err
}

// malformed is for what a frame that is whole holds.
func (s *Reader) malformed(format string, args ...any) error {
	return s.damaged(s.itemAt, "what its checksum covers makes no sense: "+format, args...)
}

// dict reads the beginning of the next dictionary.
func (s *Reader) dict() error {
	n, err := s.uvarint()
	if err != nil {
		return s.within(err)
	}
	if n != s.now+1 || n >= s.totals.Dicts {
		return s.malformed("dictionary %d after dictionary %d of %d", n, s.now, s.totals.Dicts)
	}
	s.now = n
	return nil
}

func (s *Reader) entry(e *Entry, head byte) (err error) {
	e.In = s.now
	if s.key, err = s.chunk(s.key[:0], maxKey, "key"); err != nil {
		return err
	}
	e.Key = s.key
	if head&hasExpiry != 0 {
		var b [8]byte
		for i := range b {
			if b[i], err = s.byte(); err != nil {
				return err
			}
		}
		e.Deadline = int64(le.Uint64(b[:]))
	}
	if head&itemKinds == itemValue {
		if s.value, err = s.chunk(s.value[:0], maxValue, "value"); err != nil {
			return err
		}
		e.Value = s.value
	} else {
		if e.Nested, err = s.uvarint(); err != nil {
			return err
		}
		kind, err := s.chunk(nil, maxKind, "kind of keys")
		if err != nil {
			return err
		}
		if e.Nested != s.totals.Dicts || len(kind) == 0 {
			return s.malformed("an entry with dictionary %d, of keys of the kind %q, after %d dictionaries", e.Nested, kind, s.totals.Dicts)
		}
		e.KeyKind = string(kind)
		s.totals.Dicts++
	}
	s.totals.Entries++
	return nil
}

func (s *Reader) byte() (byte, error) {
	if s.at == len(s.frame) {
		if err := s.load(); err != nil {
			return 0, err
		}
	}
	s.at++
	return s.frame[s.at-1], nil
}

func (s *Reader) uvarint() (n uint64, err error) {
	for shift := 0; ; shift += 7 {
		b, err := s.byte()
		if err != nil {
			return 0, err
		}
		if shift == 63 && b > 1 {
			return 0, s.malformed("a number of more than 64 bits")
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n, nil
		}
	}
}

// chunk reads bytes behind their length, and appends them to dst. However long they
// are said to be, dst grows by what there is.
func (s *Reader) chunk(dst []byte, most uint64, what string) ([]byte, error) {
	n, err := s.uvarint()
	if err != nil {
		return dst, err
	}
	if n > most {
		return dst, s.malformed("a %s of %d bytes", what, n)
	}
	for n > 0 {
		if s.at == len(s.frame) {
			if err := s.load(); err != nil {
				return dst, err
			}
		}
		piece := s.frame[s.at:min(len(s.frame), s.at+int(n))]
		dst = append(dst, piece...)
		s.at += len(piece)
		n -= uint64(len(piece))
	}
	return dst, nil
}

// load reads the next frame. The last one makes it return [io.EOF], if all is there
// that it speaks of and nothing follows.
func (s *Reader) load() error {
	head, err := s.piece(s.buf[:frameHead])
	if err != nil {
		return err
	}
	at := s.offset
	kind, length, sequence := le.Uint32(head[atKind:]), le.Uint32(head[atLength:]), le.Uint64(head[atSequence:])
	switch {
	case sum(s.begin, head[atCheck+4:]) != le.Uint32(head[atCheck:]):
		return s.damaged(at, "checksum of the head of frame %d does not match", s.totals.Frames)
	case sequence != s.totals.Frames:
		return s.damaged(at, "frame %d where frame %d belongs", sequence, s.totals.Frames)
	case kind == kindData && (length == 0 || length > maxFrame), kind == kindEnd && length != endSize, kind != kindData && kind != kindEnd:
		return s.damaged(at, "frame %d is of kind %d and has %d bytes", sequence, kind, length)
	}
	var own [frameHead]byte
	copy(own[:], head)
	s.offset += frameHead
	payload, err := s.piece(s.buf[:length])
	if err != nil {
		return err
	}
	if sum(s.begin, payload) != le.Uint32(own[atSum:]) {
		return s.damaged(s.offset, "checksum of the %d bytes of frame %d does not match", length, sequence)
	}
	s.offset += int64(length)
	if kind == kindEnd {
		return s.end(payload)
	}
	s.totals.count(own[:])
	s.frame, s.at, s.frameAt = payload, 0, s.offset-int64(length)
	return nil
}

// piece fills b from the file. The offset is the caller's to move.
func (s *Reader) piece(b []byte) ([]byte, error) {
	n, err := io.ReadFull(s.r, b)
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, s.damaged(s.offset+int64(n), "the file ends here, after %d whole frames and before the last one", s.totals.Frames)
	}
	return nil, s.failed(err)
}

// end compares what was read with what the last frame says.
func (s *Reader) end(payload []byte) error {
	at := s.offset - int64(len(payload))
	if s.now+1 != s.totals.Dicts {
		return s.damaged(at, "it ends at dictionary %d of %d", s.now, s.totals.Dicts)
	}
	if string(payload) != string(s.totals.encode()) {
		return s.damaged(at, "what was read, %d entries of %d dictionaries in %d bytes of %d frames, is not what its end says",
			s.totals.Entries, s.totals.Dicts, s.totals.Bytes, s.totals.Frames)
	}
	var more [1]byte
	n, err := io.ReadFull(s.r, more[:])
	switch {
	case n > 0:
		return s.damaged(s.offset, "something follows its end")
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return s.failed(err)
}
