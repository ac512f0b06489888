package jsontree

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// Source passes JSON text on and refuses what encoding/json would replace by U+FFFD
// without a word: bytes that are not UTF-8, and escapes that are half of a surrogate
// pair. The error is an [*Error]; what stands in front of the place is passed on before.
type Source struct {
	r     io.Reader
	room  []byte // where buf stands
	buf   []byte // read, and not passed on
	good  int    // of buf, bytes that were checked
	count int64  // bytes passed on
	err   error  // once good is 0
	pair  surrogates
}

// NewSource returns a source of what r reads.
func NewSource(r io.Reader) *Source { return &Source{r: r, room: make([]byte, sourceBuffer)} }

// Count is the number of bytes that were passed on.
func (s *Source) Count() int64 { return s.count }

const (
	sourceBuffer  = 32 << 10 // bytes
	maxEmptyReads = 100      // in a row
)

// Read implements [io.Reader].
func (s *Source) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for s.good == 0 && s.err == nil {
		s.fill()
	}
	if s.good == 0 {
		return 0, s.err
	}
	n := copy(p, s.buf[:s.good])
	s.buf, s.good, s.count = s.buf[n:], s.good-n, s.count+int64(n)
	return n, nil
}

// Check is for a whole text what a [Source] is for one that is being read.
func Check(text []byte) error {
	good, _ := wholeRunes(text)
	if at, ok := new(surrogates).check(text[:good], 0); !ok {
		return &Error{Offset: at, Reason: "an escape is half of a surrogate pair"}
	}
	if good < len(text) {
		return &Error{Offset: int64(good), Reason: "it is not UTF-8"}
	}
	return nil
}

// fill reads more, and checks it up to the last whole character.
func (s *Source) fill() {
	kept := copy(s.room, s.buf) // the beginning of a character
	n, err := 0, error(nil)
	for range maxEmptyReads {
		if n, err = s.r.Read(s.room[kept:]); n != 0 || err != nil {
			break
		}
	}
	if n < 0 || n > len(s.room)-kept || n == 0 && err == nil {
		n, err = 0, io.ErrNoProgress
	}
	s.buf, s.err = s.room[:kept+n], err
	good, whole := wholeRunes(s.buf)
	if !whole || err == io.EOF && good < len(s.buf) {
		s.err = &Error{Offset: s.count + int64(good), Reason: "it is not UTF-8"}
	}
	if at, ok := s.pair.check(s.buf[:good], s.count); !ok {
		s.err = &Error{Offset: at, Reason: "an escape is half of a surrogate pair"}
		good = int(max(at-s.count, 0))
	}
	s.good = good
}

// wholeRunes returns how much of b is valid, and false if what follows cannot be the
// beginning of a character.
func wholeRunes(b []byte) (n int, ok bool) {
	if utf8.Valid(b) {
		return len(b), true
	}
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size <= 1 {
			return n, !utf8.FullRune(b[n:])
		}
		n += size
	}
	return n, true
}

// surrogates follows the escapes in a text. A backslash occurs only in strings; elsewhere
// it is an error that somebody else finds.
type surrogates struct {
	state int   // 0: no escape; 1: behind its backslash; 2 to 5: that many hexadecimal digits are to come, less 1
	start int64 // offset of the backslash
	code  uint32
	high  int64 // offset of the first half that waits for its second, less 1; 0 for none
}

// check goes through b, which begins at the given offset. It returns the offset of half
// a pair and false if it finds one.
func (s *surrogates) check(b []byte, offset int64) (at int64, ok bool) {
	for i := 0; i < len(b); i++ {
		if s.state == 0 && s.high == 0 {
			next := bytes.IndexByte(b[i:], '\\')
			if next < 0 {
				return 0, true
			}
			i += next
		}
		switch c := b[i]; {
		case s.state == 0 && c == '\\':
			s.state, s.start = 1, offset+int64(i)
		case s.state == 0:
			return s.high - 1, false
		case s.state == 1 && c == 'u':
			s.state, s.code = 5, 0
		case s.state == 1:
			if s.state = 0; s.high != 0 {
				return s.high - 1, false
			}
		default:
			digit, isDigit := hexadecimal(c)
			if !isDigit {
				s.state = 0 // somebody else finds that
				continue
			}
			s.code = s.code<<4 | digit
			if s.state--; s.state > 1 {
				continue
			}
			s.state = 0
			switch first, second := s.code>>10 == 0xd800>>10, s.code>>10 == 0xdc00>>10; {
			case s.high != 0 && !second:
				return s.high - 1, false
			case s.high == 0 && second:
				return s.start, false
			case first:
				s.high = s.start + 1
			default:
				s.high = 0
			}
		}
	}
	return 0, true
}

func hexadecimal(c byte) (digit uint32, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return uint32(c - '0'), true
	case c >= 'a' && c <= 'f':
		return uint32(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return uint32(c-'A') + 10, true
	}
	return 0, false
}
