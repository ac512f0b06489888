package shm

import (
	"fmt"
	"hash/crc32"
	"math/bits"
	"structs"

	"github.com/ultradict/go/internal/errs"
)

const (
	// HeaderSize is the size of a [Header] in bytes. What a segment is for
	// begins behind it.
	HeaderSize = 64 // part of the format

	// Version is the version of the format. Files of another version are not
	// opened.
	Version uint32 = 1 // part of the format

	// orderMark is written natively; a machine of the other byte order reads
	// it reversed.
	orderMark uint32 = 0x01020304 // part of the format
)

// magic opens every file.
var magic = [8]byte{'U', 'L', 'T', 'R', 'A', 'D', 'C', 'T'} // part of the format

// Header is the first 64 bytes of every segment. It is written once, before
// the file gets its name, and never changes; integers are in the byte order of
// the machine.
type Header struct {
	_        structs.HostLayout
	Magic    [8]byte // "ULTRADCT"
	Version  uint32
	Order    uint32 // 0x01020304
	Kind     Kind
	Checksum uint32 // CRC-32C of the 64 bytes with this field zero
	Instance ID
	Size     uint64 // of the whole file, in bytes
	Creator  uint32 // participant that made the file
	Seq      uint32 // its own count
	Reserved [8]byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newHeader returns the complete header of a file.
func newHeader(kind Kind, creator, seq uint32, id ID, size int64) Header {
	h := Header{
		Magic:    magic,
		Version:  Version,
		Order:    orderMark,
		Kind:     kind,
		Instance: id,
		Size:     uint64(size),
		Creator:  creator,
		Seq:      seq,
	}
	h.Checksum = h.sum()
	return h
}

// sum returns what Checksum must be. It works on a copy.
func (h Header) sum() uint32 {
	h.Checksum = 0
	return crc32.Checksum(h.bytes(), castagnoli)
}

// check compares a header that was copied out of the file called name with
// what that file must hold. A zero id accepts any instance.
func (h *Header) check(name Name, id ID, size int64) error {
	bad := func(offset int64, format string, args ...any) error {
		return &errs.CorruptError{Segment: name.String(), Offset: offset, Reason: fmt.Sprintf(format, args...)}
	}
	if h.Magic != magic {
		return bad(0, "magic is %q, not %q", h.Magic[:], magic[:])
	}
	// The other byte order turns the version around as well: say what is
	// really the matter.
	if h.Order == bits.ReverseBytes32(orderMark) {
		return fmt.Errorf("open segment %s: %w: its byte order is not this machine's", name, errs.ErrVersion)
	}
	if h.Version != Version {
		return fmt.Errorf("open segment %s: %w: it has version %d of the format, this program reads %d", name, errs.ErrVersion, h.Version, Version)
	}
	if h.Order != orderMark {
		return fmt.Errorf("open segment %s: %w: its byte order mark is %#08x", name, errs.ErrVersion, h.Order)
	}
	if sum := h.sum(); h.Checksum != sum {
		return bad(20, "header checksum is %08x, computed %08x", h.Checksum, sum)
	}
	if h.Kind != name.Kind {
		return bad(16, "kind is %v, not %v", h.Kind, name.Kind)
	}
	if name.Kind != Control && (h.Creator != name.Creator || h.Seq != name.Seq) {
		return bad(48, "it was made as %v", Name{h.Kind, h.Creator, h.Seq})
	}
	if h.Instance.IsZero() {
		return bad(24, "instance id is zero")
	}
	if !id.IsZero() && h.Instance != id {
		return bad(24, "it belongs to instance %v, not %v", h.Instance, id)
	}
	if h.Size != uint64(size) {
		return bad(40, "header says %d bytes, the file has %d", h.Size, size)
	}
	return nil
}
