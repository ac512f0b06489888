package value

import "fmt"

// A value that another codec has encoded is stored as one CBOR byte string, so that
// all that is stored is one item, whoever made it: empty bytes are told from none, and
// what belongs to the library itself can never be what a codec of the user's made.

// AppendForeign appends data, which another codec has made of a value, as [Foreign]
// reads it. The error is an [*Unencodable], and then dst is returned as it was.
func AppendForeign(dst, data []byte) ([]byte, error) {
	if len(data) > MaxLen {
		return dst, tooLong(len(data))
	}
	return append(appendHead(dst, majorBytes, uint64(len(data))), data...), nil
}

// Foreign returns what was given to [AppendForeign]. It shares the memory of raw.
// Bytes that it does not make answer an error that is errs.ErrCorrupt.
func Foreign(raw []byte) ([]byte, error) {
	h := readHead(raw)
	switch rest := uint64(len(raw) - h.size); {
	case h.size == 0:
		return nil, damaged("no item in %d bytes", len(raw))
	case h.major != majorBytes:
		return nil, damaged("%s where a codec's bytes should be", describe(h))
	case rest < h.arg:
		return nil, damaged("a string of %d bytes in %d bytes", h.arg, rest)
	case rest > h.arg:
		return nil, trailing(int(rest - h.arg))
	}
	return raw[h.size:len(raw):len(raw)], nil
}

// Recovered calls fn, and returns what it panics with as an error: fn is code of the
// user's that reads bytes, which may be anybody's and must not end the process.
func Recovered(fn func() error) (err error) {
	defer recovered(&err)
	return fn()
}

// recovered is deferred by what calls such code.
func recovered(err *error) {
	switch p := recover().(type) {
	case nil:
	case error:
		*err = fmt.Errorf("it panicked: %w", p)
	default:
		*err = fmt.Errorf("it panicked: %v", p)
	}
}
