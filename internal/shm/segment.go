package shm

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
)

// Segment is a mapped file. Its methods are safe for concurrent use, except
// Close. A Segment is unmapped when it is closed, or else some time after it
// has become unreachable.
type Segment struct {
	data     []byte
	name     Name
	header   Header // as it was checked
	writable bool
	file     *os.File // nil unless kept
	mapping  *mapping
	cleanup  runtime.Cleanup
}

// mapping is what has to be undone. It must not refer to its Segment.
type mapping struct {
	data []byte
	kind Kind
	done atomic.Bool
}

// mapped counts the mappings of this process by kind.
var mapped [Body + 1]struct{ count, bytes atomic.Int64 }

// newSegment maps an open file whose header has been checked.
func newSegment(fd int, path string, name Name, h Header, size int, writable bool) (*Segment, error) {
	data, err := sysMap(fd, size, writable)
	if err != nil {
		return nil, pathError("map", path, err)
	}
	m := &mapping{data: data, kind: name.Kind}
	mapped[m.kind].count.Add(1)
	mapped[m.kind].bytes.Add(int64(size))
	s := &Segment{data: data, name: name, header: h, writable: writable, mapping: m}
	s.cleanup = runtime.AddCleanup(s, func(m *mapping) { _ = m.unmap() }, m)
	return s, nil
}

// unmap undoes the mapping, once.
func (m *mapping) unmap() error {
	if !m.done.CompareAndSwap(false, true) {
		return nil
	}
	size := len(m.data)
	if err := sysUnmap(m.data); err != nil {
		return err
	}
	m.data = nil
	mapped[m.kind].count.Add(-1)
	mapped[m.kind].bytes.Add(-int64(size))
	return nil
}

// Mapped returns how many segments this process has mapped, and their size in
// bytes. Among them are those that nobody can reach any more and that wait for
// the garbage collector.
func Mapped() (count, bytes int64) {
	for k := Control; k <= Body; k++ {
		c, b := MappedKind(k)
		count, bytes = count+c, bytes+b
	}
	return count, bytes
}

// MappedKind is [Mapped] for the segments of one kind.
func MappedKind(k Kind) (count, bytes int64) {
	if !k.valid() {
		return 0, 0
	}
	return mapped[k].count.Load(), mapped[k].bytes.Load()
}

// Bytes returns the whole mapping, header included; nil after Close. Other
// processes may change it at any time. Writing into it is allowed behind the
// header, and only if [Segment.Writable]: a store into a read-only mapping is a
// fault that cannot be recovered from.
//
// No slice of it may outlive the Segment. Whoever reads from it ends in
// runtime.KeepAlive(segment).
func (s *Segment) Bytes() []byte { return s.data }

// Name returns the segment's name.
func (s *Segment) Name() Name { return s.name }

// Header returns a copy of the header, as it was when it was checked.
func (s *Segment) Header() Header { return s.header }

// Instance returns the instance that the segment belongs to.
func (s *Segment) Instance() ID { return s.header.Instance }

// Writable reports whether the mapping may be written.
func (s *Segment) Writable() bool { return s.writable }

// File returns the descriptor from which the mapping was made, or nil if it
// was not kept. It belongs to the Segment. The mapping keeps the open
// description alive: locks on it end when they are released or when both
// mapping and descriptor are gone.
func (s *Segment) File() *os.File { return s.file }

// Close unmaps the segment and closes its file. It is idempotent. It is only
// for callers who know that nobody reads the segment, now or later: a slice of
// it that is still in use faults. Others let go of the Segment instead.
func (s *Segment) Close() error {
	s.data = nil
	s.cleanup.Stop()
	err := s.mapping.unmap()
	if s.file != nil {
		if e := s.file.Close(); !errors.Is(e, os.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}
