package core

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"structs"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
	"github.com/ultradict/go/internal/peers"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/locks"
	"github.com/ultradict/go/snapshot"
	"github.com/ultradict/go/stream"
)

// control is the control segment: fixed sections, each owned by one package.
type control struct {
	_        structs.HostLayout
	header   [shm.HeaderSize]byte
	identity identity
	lock     locks.Word // of the writers
	retry    locks.Word // of transactions that met conflicts
	work     work
	peers    peers.Section
	stream   stream.Header
	snapshot snapshot.Directory
}

// Sizes; part of the format.
const (
	identitySize  = 960
	maxKeyKind    = 200
	streamsOffset = shm.HeaderSize // of the first chunk in a stream segment
)

// identity is what never changes in the life of an instance.
type identity struct {
	_        structs.HostLayout
	checksum uint32 // CRC-32C of what follows
	chunk    uint32 // bytes
	chunks   uint32 // at rest
	limit    uint32 // chunks the ring may grow to
	created  int64  // Unix time in nanoseconds
	maxBytes int64  // 0: no limit
	boot     [16]byte
	mode     uint32 // permission bits of the files
	recurse  uint32 // 1: maps that are stored become dictionaries
	codec    [32]byte
	keyKind  [256]byte
	_        [identitySize - 344 - 24]byte
	origin   [16]byte // instance of the save that it was restored from, or zero
	restored uint64   // the position that this was a save of
}

// work holds the leases and the counters of rare events. Counters of frequent
// ones stand in each participant's entry.
type work struct {
	_         structs.HostLayout
	fold      lease
	merge     lease
	rollovers failpoint.Uint64
	merges    failpoint.Uint64
	growths   failpoint.Uint64
	conflicts failpoint.Uint64
	full      failpoint.Uint32 // 1: the limit is reached, values are refused
	_         [4]byte
	structure failpoint.Uint64 // behind the beginning of the last structural record; 0 before the first
	numbers   failpoint.Uint64 // of nested dictionaries that were given out
	timed     failpoint.Uint32 // 1: something may expire
	_         [4]byte
	expiry    lease
	_         [16]byte
	saving    saving
	_         [16]byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// identityBytes are the identity's bytes in a control segment.
func identityBytes(mem []byte) []byte { return mem[shm.HeaderSize : shm.HeaderSize+identitySize] }

// seal completes the identity in the memory of a control segment.
func seal(mem []byte) {
	b := identityBytes(mem)
	binary.NativeEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
}

// identify copies the identity out of a control segment and verifies it.
func identify(mem []byte) (identity, error) {
	b := bytes.Clone(identityBytes(mem))
	p, _ := shm.At[identity](b, 0)
	id := *p
	damaged := func(reason string) error {
		return &errs.CorruptError{Segment: "control", Offset: shm.HeaderSize, Reason: reason}
	}
	switch {
	case id.checksum != crc32.Checksum(b[4:], castagnoli):
		return id, damaged("checksum of the identity does not match")
	case id.chunk < stream.MinChunk || id.chunk > stream.MaxChunk || id.chunk&(id.chunk-1) != 0,
		id.chunks < 2 || id.limit < id.chunks || id.limit >= stream.MaxChunks:
		return id, damaged(fmt.Sprintf("impossible stream of %d chunks of %d bytes", id.chunks, id.chunk))
	}
	return id, nil
}

// geometry is the ring for a stream of about size bytes: four chunks, or two
// where four would be too small; it may grow to 16 times that, and to 64 chunks
// in any case.
func geometry(size int) (chunk, chunks, limit uint32) {
	chunk = stream.MinChunk
	for int(chunk)*4 < size && chunk < stream.MaxChunk {
		chunk *= 2
	}
	chunks = uint32(max(2, (size+int(chunk)-1)/int(chunk)))
	return chunk, chunks, min(stream.MaxChunks-1, max(16*chunks, 64))
}

// text is the string in a zero-padded field.
func text(field []byte) string {
	for i, c := range field {
		if c == 0 {
			return string(field[:i])
		}
	}
	return string(field)
}

func now() int64 { return time.Now().UnixNano() }
