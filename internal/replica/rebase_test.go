package replica

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Keys that were read from the base and then written to have to be taken along
// by a rebase like any others, however many there are.
func TestRebaseAfterPromotion(t *testing.T) {
	const keys = 5_000
	h := history{}
	for i := range keys {
		h.put(key(i), 8, "of the base")
	}
	r := New(h.layers(8))
	s := r.State()
	for i := range keys {
		v, err := s.FindBase(key(i), 8)
		require.NoError(t, err)
		s.Promote(key(i), v)
	}
	r.Lock()
	slots, _ := r.Weight()
	r.Unlock()
	require.Zero(t, slots, "what was only read weighs nothing")
	for i := range keys {
		at := uint64(16 + 8*i)
		r.Lock()
		r.Put(key(i), Encoded(at, "new"))
		r.Advance(at)
		r.Unlock()
		h.put(key(i), at, "new")
	}
	r.Lock()
	slots, bytes := r.Weight()
	b := r.Begin(h.layers(16))
	r.Unlock()
	require.Equal(t, keys, slots)
	require.GreaterOrEqual(t, bytes, int64(keys*entryCost))
	b.Copy()
	r.Lock()
	done := b.Finish()
	r.Unlock()
	require.True(t, done)
	for i := range keys {
		v, result := r.State().Find(key(i), r.State().Applied())
		if i == 0 { // the new base has it
			require.Equal(t, Below, result)
			continue
		}
		require.Equal(t, Found, result)
		require.Equal(t, "new", v.Raw())
	}
}
