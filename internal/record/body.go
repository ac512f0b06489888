package record

import "encoding/binary"

// Sizes of a body; part of the format.
const (
	// BodyStart is the offset of the table: behind the file's header and the
	// body's own, each 64 bytes.
	BodyStart = 128
	// InlineInBody is the size in bytes up to which a value stands in the
	// table itself.
	InlineInBody = 512
	// RefSize is the size in bytes of an encoded Ref.
	RefSize = 32
)

// Ref is what the stream carries in place of a record in a body.
type Ref struct {
	Body  uint64 // the body's file: creator in the upper half, its sequence number in the lower
	Size  uint64 // of the whole file in bytes
	Table uint64 // length of the table in bytes
	Sum   uint32 // CRC-32C of the table
}

// AppendRef encodes r behind dst.
func AppendRef(dst []byte, r Ref) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, r.Body)
	dst = binary.LittleEndian.AppendUint64(dst, r.Size)
	dst = binary.LittleEndian.AppendUint64(dst, r.Table)
	dst = binary.LittleEndian.AppendUint32(dst, r.Sum)
	return binary.LittleEndian.AppendUint32(dst, 0)
}

// ParseRef decodes a Ref and checks its sizes against each other.
func ParseRef(b []byte) (Ref, error) {
	if len(b) != RefSize {
		return Ref{}, ErrMalformed
	}
	r := Ref{
		Body:  binary.LittleEndian.Uint64(b),
		Size:  binary.LittleEndian.Uint64(b[8:]),
		Table: binary.LittleEndian.Uint64(b[16:]),
		Sum:   binary.LittleEndian.Uint32(b[24:]),
	}
	if r.Size < BodyStart || r.Table > r.Size-BodyStart {
		return Ref{}, ErrMalformed
	}
	return r, nil
}

// Body is a record laid out for a segment of its own.
type Body struct {
	Table  []byte
	values [][]byte
	size   uint64
}

// Layout prepares ops for a body. The values stay where they are until Fill.
func Layout(ops []Op) *Body {
	b := &Body{}
	// Where values begin depends on the length of the table, and the table
	// holds where values begin: offsets are therefore laid out from the largest
	// length that the table can have.
	bound := uint64(0)
	for i := range ops {
		bound += 64 + uint64(len(ops[i].Key))
		if ops[i].inline() {
			bound += uint64(len(ops[i].Value))
		}
	}
	at := align8(BodyStart + bound)
	b.Table = make([]byte, 0, bound) // what is not used of it is never touched
	for i := range ops {
		op := ops[i]
		if op.Kind == Put && !op.inline() {
			op.InBody = true
			op.Place = Place{Offset: at, Length: uint64(len(op.Value)), Sum: Sum(op.Value)}
			b.values = append(b.values, op.Value)
			at += align8(uint64(len(op.Value)))
		}
		b.Table = Append(b.Table, &op)
	}
	b.size = at
	return b
}

// inline reports whether the value stands in the table.
func (op *Op) inline() bool { return op.Inline || len(op.Value) <= InlineInBody }

// Size is the size of the body's file in bytes.
func (b *Body) Size() uint64 { return b.size }

// Fill writes the body into mem, which is the whole file, Size bytes.
func (b *Body) Fill(mem []byte) {
	copy(mem[BodyStart:], b.Table)
	at := b.size
	for i := len(b.values) - 1; i >= 0; i-- {
		at -= align8(uint64(len(b.values[i])))
		copy(mem[at:], b.values[i])
	}
}

// Ref is the reference to the body once its file has a name.
func (b *Body) Ref(file uint64) Ref {
	return Ref{Body: file, Size: b.size, Table: uint64(len(b.Table)), Sum: Sum(b.Table)}
}

func align8(n uint64) uint64 { return (n + 7) &^ 7 }
