package stream

import (
	"structs"

	"github.com/ultradict/go/internal/bell"
	"github.com/ultradict/go/internal/failpoint"
)

// Sizes; part of the format.
const (
	MinChunk  = 2 << 10  // smallest chunk in bytes
	MaxChunk  = 16 << 20 // largest chunk in bytes
	MaxChunks = 1024     // entries of the chunk table; the ring holds fewer chunks than that
	Align     = 8        // records begin at multiples of this
)

// ended is the bit of head that marks the end of the stream; part of the format.
const ended = 1 << 63

// Header is the stream's part of the shared memory. Its zero value must be
// initialized by [Stream.Init] once. Every contended word has a cache line of
// its own.
type Header struct {
	_    structs.HostLayout
	head failpoint.Uint64 // end of the last record; top bit: the stream has ended
	// written follows head after each append: a head below it was set back.
	written failpoint.Uint64
	_       [48]byte
	tail    failpoint.Uint64 // everything below may be overwritten at any moment
	floor   failpoint.Uint64 // everything below may be given up by the next writer
	_       [48]byte
	bell    bell.Word
	// Chunk n is described by slots[n mod MaxChunks], valid when number == n+1.
	slots [MaxChunks]slot
}

type slot struct {
	_       structs.HostLayout
	number  failpoint.Uint64 // chunk number + 1; stored after segment
	segment failpoint.Uint64
}

// HeaderSize is the size of a Header in bytes; part of the format.
const HeaderSize = 192 + 16*MaxChunks
