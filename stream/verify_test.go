package stream

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// Each kind of damage to a header is found, and where it is.
func TestVerifyFindsDamage(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(h *Header)
		offset int64
	}{
		"tail within a chunk":    {func(h *Header) { h.tail.Add(8) }, atTail},
		"tail at 0":              {func(h *Header) { h.tail.Store(0) }, atTail},
		"tail above floor":       {func(h *Header) { h.tail.Store(1 << 40) }, atFloor},
		"floor above head":       {func(h *Header) { h.floor.Store(h.head.Load() + 8) }, atHead},
		"floor misaligned":       {func(h *Header) { h.floor.Add(1) }, atFloor},
		"head misaligned":        {func(h *Header) { h.head.Add(1) }, atHead},
		"head far away":          {func(h *Header) { h.head.Store(1 << 50) }, atHead},
		"chunk missing":          {func(h *Header) { h.slots[2].number.Store(0) }, atSlots + 2*16},
		"chunk in another slot":  {func(h *Header) { h.slots[9].number.Store(3) }, atSlots + 9*16},
		"chunk of the future":    {func(h *Header) { h.slots[9].number.Store(MaxChunks + 10) }, atSlots + 9*16},
		"chunk without memory":   {func(h *Header) { h.slots[1].segment.Store(0) }, atSlots + 1*16},
		"two in the same memory": {func(h *Header) { h.slots[2].segment.Store(h.slots[1].segment.Load()) }, atSlots + 2*16},
		"memory lost":            {func(h *Header) { h.slots[2].segment.Store(Gained | 99) }, atSlots},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRing(t, MinChunk, 3, 8)
			for r.s.Head() < 3*MinChunk+100 {
				r.append(make([]byte, 100))
			}
			r.check()
			c.damage(r.h)
			found, ok := r.s.Verify()
			require.True(t, ok)
			require.NotEmpty(t, found)
			var damaged *errs.CorruptError
			require.True(t, errors.As(found[0], &damaged))
			require.Equal(t, c.offset, damaged.Offset, "%v", damaged)
		})
	}
}
