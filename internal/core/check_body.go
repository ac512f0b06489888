package core

import (
	"errors"
	"io/fs"
	"sync/atomic"

	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/shm"
)

// bodyShelf keeps a few bodies mapped: many entries may lie in one.
type bodyShelf struct {
	open    map[shm.Name]*shm.Segment
	missing map[shm.Name]bool
	broken  map[shm.Name]bool // cannot be mapped; the files were complained about
}

const shelfSize = 16

func (s *bodyShelf) close() {
	for name, seg := range s.open {
		_ = seg.Close() // nothing of it is kept
		delete(s.open, name)
	}
}

// body maps a body, nil where that cannot be: see missing and broken. What is
// returned is good until the next call.
func (c *checkup) body(name shm.Name) *shm.Segment {
	s := &c.bodies
	if s.open == nil {
		s.open, s.missing, s.broken = map[shm.Name]*shm.Segment{}, map[shm.Name]bool{}, map[shm.Name]bool{}
	}
	if seg := s.open[name]; seg != nil {
		return seg
	}
	if s.broken[name] {
		return nil
	}
	if len(s.open) == shelfSize {
		s.close()
	}
	seg, err := c.d.dir.Open(name, c.d.segment.Instance(), false, false)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.missing[name] = true
		return nil
	case err != nil:
		s.broken[name] = true
		c.judge(ruleFile, name.String(), 0, err)
		return nil
	case len(seg.Bytes()) < record.BodyStart:
		s.broken[name] = true
		c.found(ruleBody, name.String(), int64(len(seg.Bytes())), "it ends before its table")
		_ = seg.Close()
		return nil
	}
	s.open[name] = seg
	c.step(int64(len(seg.Bytes())))
	return seg
}

// read verifies a piece of a body, and returns it where it lies. What is in a
// body does not change as long as it is mapped.
func (c *checkup) read(seg *shm.Segment, at record.Place, what string) []byte {
	mem := seg.Bytes()
	size := uint64(len(mem))
	if at.Offset < record.BodyStart || at.Offset > size || at.Length > size-at.Offset {
		c.found(ruleBody, seg.Name().String(), int64(min(at.Offset, size)), "%s leaves the body", what)
		return nil
	}
	piece := mem[at.Offset : at.Offset+at.Length : at.Offset+at.Length]
	if record.Sum(piece) != at.Sum {
		c.found(ruleBody, seg.Name().String(), int64(at.Offset), "checksum of a %s does not match", what)
		return nil
	}
	return piece
}

// refersTo checks what a body says of the record that refers to it.
func (c *checkup) refersTo(seg *shm.Segment, end uint64) {
	w, ok := shm.At[atomic.Uint64](seg.Bytes(), committedOffset)
	if !ok {
		return
	}
	// 0 while, or because, its creator did not come to note it.
	if at := w.Load(); at != 0 && at != end {
		c.found(ruleBody, seg.Name().String(), committedOffset, "it says that its record ends at %d, which is at %d", at, end)
	}
}

// committed is what a body says of its record, if it is still there.
func (c *checkup) committed(name shm.Name) (at uint64, there bool) {
	seg := c.body(name)
	if seg == nil {
		return 0, !c.bodies.missing[name]
	}
	if w, ok := shm.At[atomic.Uint64](seg.Bytes(), committedOffset); ok {
		at = w.Load()
	}
	return at, true
}
