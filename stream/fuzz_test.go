package stream

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// FuzzReader damages a ring in many places at once, header and chunks. Four
// bytes of input are one damage.
func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3})
	f.Add([]byte{1, 0, 0x80, 7, 1, 1, 0xff, 1})
	f.Add([]byte{1, 2, 1, 1, 1, 5, 1, 0, 2, 0, 0, 4})
	f.Fuzz(func(t *testing.T, damage []byte) {
		r, m := crowded(t)
		head, oldest := r.s.Head(), r.s.Tail()>>r.s.shift
		for ; len(damage) >= 4; damage = damage[4:] {
			d := damage[:4]
			if d[0]&1 == 0 {
				mem := r.memory(oldest + uint64(d[0]>>1)%2)
				if mem != nil { // the slot may be damaged already
					mem[(int(d[1])<<8|int(d[2]))%MinChunk] ^= d[3]
				}
				continue
			}
			word := [...]int{0, 8, 9, 16}[d[1]%4]
			if d[1] >= 4 {
				word = 24 + int(d[1]-4)%40 // the slots in use and some more
			}
			words(r.h)[word] ^= uint64(d[2]) << (d[3] % 64)
		}
		r.reading(m, head)
		r.reading(m, r.s.Head())
		r.writing(m)
		r.reading(m, r.s.Head())
	})
}

// FuzzFrames reads frames of arbitrary shape whose checksums are right. Reader
// and Scan agree on every one of them.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x00----abc-----\x00\x00\x00\x80----"), uint16(24))
	f.Add([]byte("\xf8\x07\x00\x40----"), uint16(2056))
	f.Add([]byte("\xe8\x07\x00\x00----"), uint16(2032))
	f.Fuzz(func(t *testing.T, content []byte, size uint16) {
		r := newRing(t, MinChunk, 2, 2)
		first := r.s.First()
		head := first + uint64(size)%(2*MinChunk)
		for n := range uint64(2) {
			mem := r.memory(1 + n)
			content = content[copy(mem, content):]
			for at := (1 + n) * MinChunk; at < (2+n)*MinChunk; {
				frame := mem[at%MinChunk:]
				length, _, kind, n, size := split(binary.NativeEndian.Uint64(frame))
				if size > r.s.room(at) {
					break
				}
				sum := uint32(0)
				if kind != padding {
					sum = sumOf(frame[8 : 8+n])
				}
				putFrame(frame, length, mix(sum, at, length))
				at += size
			}
		}
		r.h.head.Store(head)

		var read []uint64
		rd := r.s.Reader(first)
		var err error
		for ok := true; ok; {
			var rec Record
			pos := rd.Position()
			if rec, ok, err = rd.Next(head); ok {
				require.Equal(t, pos, rec.Start)
				require.Greater(t, rec.End, rec.Start)
				require.LessOrEqual(t, rec.End, head)
				require.Contains(t, []Kind{Data, Reference}, rec.Kind)
				read = append(read, rec.End)
			}
		}
		if err == nil {
			require.Equal(t, head, rd.Position())
		} else {
			require.True(t, errors.Is(err, errs.ErrCorrupt), "%v", err)
		}
		require.NoError(t, mapAll(r.s, first))
		var scanned []uint64
		complete := r.s.Scan(first, func(_ Kind, end uint64, _ []byte) bool {
			scanned = append(scanned, end)
			return true
		})
		require.Equal(t, err == nil, complete)
		require.Equal(t, read, scanned)
	})
}
