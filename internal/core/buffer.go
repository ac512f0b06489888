package core

import "sync"

// Buffer is scratch space for one commit.
type Buffer struct {
	Value  []byte // the encoded value
	record []byte
	key    []byte
	check  check
}

var buffers = sync.Pool{New: func() any { return &Buffer{Value: make([]byte, 0, 256), record: make([]byte, 0, 512)} }}

// GetBuffer returns a buffer whose content is of no meaning.
func GetBuffer() *Buffer { return buffers.Get().(*Buffer) }

// Release gives the buffer back.
func (b *Buffer) Release() {
	b.check = check{} // which may refer to a handle
	if cap(b.Value) <= 64<<10 && cap(b.record) <= 64<<10 {
		buffers.Put(b)
	}
}
