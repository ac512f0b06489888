package peers

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Whatever stands in the section: no panic, no hang, and nobody alive is
// called dead.
func FuzzHostileSection(f *testing.F) {
	f.Add(uint64(1), uint32(3), uint16(10))
	f.Add(uint64(2), uint32(0), uint16(2048))
	f.Add(uint64(3), uint32(MaxID), uint16(1))
	f.Add(uint64(4), uint32(1<<32-1), uint16(500))
	f.Fuzz(func(t *testing.T, seed uint64, next uint32, words uint16) {
		path := control(t)
		a, b, r := join(t, path), join(t, path), joinReadOnly(t, path)

		rnd := rand.New(rand.NewPCG(seed, 0))
		mem := unsafe.Slice((*uint32)(unsafe.Pointer(a.sec)), size/4)
		for range words {
			// Half of it where the first slots are, half of it small.
			at := rnd.IntN(len(mem) >> (rnd.IntN(2) * 6))
			mem[at] = rnd.Uint32() >> (rnd.IntN(2) * 28)
		}
		a.sec.next.Store(next)

		for _, p := range []*Peer{a, b, r} {
			require.False(t, p.Dead(a.ID()))
			require.False(t, p.Dead(b.ID()))
			for _, info := range p.All() {
				require.False(t, info.Self && !info.Alive)
				p.PID(info.ID)
				require.False(t, info.Alive && p.Dead(info.ID))
			}
			for _, id := range []uint32{0, 1, 2, 3, next, next + 1, rnd.Uint32()} {
				p.Known(id)
				p.PID(id)
				require.False(t, p.Dying(id), "nobody here is dying")
			}
			p.Commits()
		}
		file, sec, done, err := open(path)
		require.NoError(t, err)
		defer done()
		if c, err := Join(file, sec); err == nil {
			require.NotEqual(t, a.ID(), c.ID())
			require.NotEqual(t, b.ID(), c.ID())
			require.False(t, c.Dead(a.ID()))
			require.NoError(t, c.Leave())
		}
	})
}
