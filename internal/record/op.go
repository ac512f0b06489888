package record

import (
	"encoding/binary"
	"errors"
)

// Kind says what an operation does.
type Kind uint8

// The kinds of operations; part of the format.
const (
	Put    Kind = 1 // the key has this value now
	Delete Kind = 2 // the key is absent now
	Clear  Kind = 3 // everything in the dictionary is absent now
)

// Flags in an operation's first byte; part of the format.
const (
	kindMask = 0x0f
	hasDict  = 0x10
	inBody   = 0x20
	nested   = 0x40
	timed    = 0x80
)

// ErrMalformed says that bytes are not a sequence of operations.
var ErrMalformed = errors.New("malformed operation")

// Place tells where in a body a value stands.
type Place struct {
	Offset uint64 // from the beginning of the body's file
	Length uint64
	Sum    uint32 // CRC-32C of the value
}

// Op is one operation. What Next fills aliases the decoded bytes.
type Op struct {
	Kind     Kind
	InBody   bool   // the value stands at Place, Value is nil
	Inline   bool   // the value stays in the table of a body, however long it is; not decoded
	Nested   bool   // of a Put: the value is the number of a dictionary, see AppendNested
	Expired  bool   // of a Delete: the key's time was up
	Deadline int64  // of a Put, if not 0: when the key's time is up; monotonic clock of the machine, nanoseconds
	Dict     uint64 // 0 is the root dictionary
	Key      []byte
	Value    []byte
	Place    Place
}

// NestedSize is the size in bytes of a value that is a nested dictionary.
const NestedSize = 8

// AppendNested encodes the number of a nested dictionary behind dst.
func AppendNested(dst []byte, id uint64) []byte { return binary.LittleEndian.AppendUint64(dst, id) }

// ParseNested decodes the number of a nested dictionary.
func ParseNested(b []byte) (id uint64, ok bool) {
	if len(b) != NestedSize {
		return 0, false
	}
	id = binary.LittleEndian.Uint64(b)
	return id, id != 0
}

// Append encodes op behind dst.
func Append(dst []byte, op *Op) []byte {
	switch {
	case op.Kind == Clear:
		return appendHead(dst, byte(Clear), op.Dict)
	case op.Kind != Put:
		head := byte(op.Kind)
		if op.Expired {
			head |= timed
		}
		return appendChunk(appendHead(dst, head, op.Dict), op.Key)
	}
	head := byte(Put)
	if op.InBody {
		head |= inBody
	}
	if op.Nested {
		head |= nested
	}
	if op.Deadline != 0 {
		head |= timed
	}
	dst = appendChunk(appendHead(dst, head, op.Dict), op.Key)
	if op.Deadline != 0 {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(op.Deadline))
	}
	if !op.InBody {
		return appendChunk(dst, op.Value)
	}
	dst = binary.AppendUvarint(dst, op.Place.Offset)
	dst = binary.AppendUvarint(dst, op.Place.Length)
	return binary.LittleEndian.AppendUint32(dst, op.Place.Sum)
}

// AppendPut encodes the operation that gives a key a value, behind dst.
func AppendPut(dst []byte, dict uint64, key, value []byte) []byte {
	return appendChunk(appendChunk(appendHead(dst, byte(Put), dict), key), value)
}

func appendHead(dst []byte, head byte, dict uint64) []byte {
	if dict == 0 {
		return append(dst, head)
	}
	return binary.AppendUvarint(append(dst, head|hasDict), dict)
}

func appendChunk(dst, b []byte) []byte {
	if len(b) < 0x80 {
		dst = append(dst, byte(len(b)))
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(b)))
	}
	return append(dst, b...)
}

// Next decodes the operation at the beginning of b into op and returns what
// follows it. It reads b once and trusts no length in it.
func Next(b []byte, op *Op) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, ErrMalformed
	}
	head := b[0]
	b = b[1:]
	*op = Op{Kind: Kind(head & kindMask), InBody: head&inBody != 0, Nested: head&nested != 0}
	switch {
	case op.Kind < Put || op.Kind > Clear,
		op.Kind != Put && head&(inBody|nested) != 0,
		op.Kind == Clear && head&timed != 0,
		op.InBody && op.Nested:
		return nil, ErrMalformed
	}
	var ok bool
	if head&hasDict != 0 {
		if op.Dict, b, ok = uvarint(b); !ok || op.Dict == 0 {
			return nil, ErrMalformed
		}
	}
	if op.Kind == Clear {
		return b, nil
	}
	if op.Key, b, ok = chunk(b); !ok {
		return nil, ErrMalformed
	}
	if op.Kind == Delete {
		op.Expired = head&timed != 0
		return b, nil
	}
	if head&timed != 0 {
		if len(b) < 8 {
			return nil, ErrMalformed
		}
		if op.Deadline = int64(binary.LittleEndian.Uint64(b)); op.Deadline <= 0 {
			return nil, ErrMalformed
		}
		b = b[8:]
	}
	if !op.InBody {
		if op.Value, b, ok = chunk(b); !ok || op.Nested && (len(op.Value) != NestedSize || op.Deadline != 0) {
			return nil, ErrMalformed
		}
		return b, nil
	}
	if op.Place.Offset, b, ok = uvarint(b); !ok {
		return nil, ErrMalformed
	}
	if op.Place.Length, b, ok = uvarint(b); !ok || len(b) < 4 {
		return nil, ErrMalformed
	}
	op.Place.Sum = binary.LittleEndian.Uint32(b)
	return b[4:], nil
}

func chunk(b []byte) (piece, rest []byte, ok bool) {
	n, b, ok := uvarint(b)
	if !ok || n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

func uvarint(b []byte) (uint64, []byte, bool) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), b[1:], true
	}
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}
