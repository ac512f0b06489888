package core

import (
	"errors"
	"fmt"
	"math"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/stream"
)

// create makes a file of this handle. Its name is pending until settle: the
// sweep leaves it alone.
func (d *Dict) create(kind shm.Kind, size int64) (*shm.Draft, error) {
	seq := d.fileSeq.Add(1)
	if seq >= maxFiles {
		d.fileSeq.Store(maxFiles)
		return nil, fmt.Errorf("this handle has made %d files, open a new one: %w", uint32(maxFiles), errs.ErrNoSpace)
	}
	name := shm.Name{Kind: kind, Creator: d.peer.ID(), Seq: seq}
	d.pendingMu.Lock()
	d.pending[name] = true
	d.pendingMu.Unlock()
	draft, err := d.dir.Create(kind, name.Creator, name.Seq, size, d.segment.Instance())
	if err != nil {
		d.settle(name)
		return nil, fmt.Errorf("create %v: %w", kind, err)
	}
	return draft, nil
}

// settle says that the fate of a file is decided: something refers to it, or
// it is gone.
func (d *Dict) settle(name shm.Name) {
	d.pendingMu.Lock()
	defer d.pendingMu.Unlock()
	delete(d.pending, name)
}

func (d *Dict) isPending(name shm.Name) bool {
	d.pendingMu.Lock()
	defer d.pendingMu.Unlock()
	return d.pending[name]
}

// discard removes a file that nothing ever referred to.
func (d *Dict) discard(name shm.Name) {
	if err := d.dir.Remove(name); err != nil {
		d.log.Warn("file not removed", "dictionary", d.name, "file", name.String(), "error", err)
	}
	d.settle(name)
}

// maxFiles is how many files one handle may make in its life: a name has 32
// bits for their number.
const maxFiles = math.MaxUint32

// ringMemory provides the stream with memory. The number of a segment that the
// ring gained is, from the top: one set bit, 31 bits of its creator's
// participant id, 32 bits of its file's sequence number. The first chunks lie in
// one file, made by creator 0: the number is the file's sequence number, then 8
// bits of the index of the chunk in the file. Part of the format.
type ringMemory struct{ d *Dict }

func firstChunk(index int) uint64 { return uint64(firstRing.Seq)<<8 | uint64(index) }

func chunkName(segment uint64) (name shm.Name, index int) {
	if segment&stream.Gained == 0 {
		return shm.Name{Kind: shm.Stream, Creator: uint32(segment >> 32), Seq: uint32(segment) >> 8}, int(segment & 0xff)
	}
	return shm.NameOf(shm.Stream, segment&^stream.Gained), 0
}

// Map implements [stream.Segments].
func (c ringMemory) Map(segment uint64) (stream.Memory, error) {
	name, index := chunkName(segment)
	seg, err := c.d.dir.Open(name, c.d.segment.Instance(), c.d.segment.Writable(), false)
	if err != nil {
		return stream.Memory{}, err
	}
	return c.memory(seg, index)
}

func (c ringMemory) memory(seg *shm.Segment, index int) (stream.Memory, error) {
	size := int(c.d.id.chunk)
	mem := seg.Bytes()
	// In 64 bits: the index comes from shared memory.
	if int64(len(mem)) < streamsOffset+int64(index+1)*int64(size) {
		return stream.Memory{}, &errs.CorruptError{Segment: seg.Name().String(), Offset: int64(len(mem)), Reason: "file ends before its chunk"}
	}
	from := streamsOffset + index*size
	return stream.Memory{Bytes: mem[from : from+size : from+size], Owner: seg}, nil
}

// Create implements [stream.Segments].
func (c ringMemory) Create() (uint64, stream.Memory, error) {
	draft, err := c.d.create(shm.Stream, streamsOffset+int64(c.d.id.chunk))
	if err != nil {
		return 0, stream.Memory{}, err
	}
	seg, err := draft.Publish()
	if err != nil {
		c.d.settle(draft.Name())
		return 0, stream.Memory{}, errors.Join(err, draft.Discard())
	}
	m, err := c.memory(seg, 0)
	return stream.Gained | draft.Name().ID64(), m, err
}

// Remove implements [stream.Segments].
func (c ringMemory) Remove(segment uint64) {
	name, _ := chunkName(segment)
	c.d.discard(name)
}
