package snapshot

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

func verify(data []byte) error {
	l, err := Open(data, "layer", nil)
	if err != nil {
		return err
	}
	return l.Verify(nil)
}

// Whatever single byte of a layer is damaged, Verify finds it: behind the
// reserved ones there is none that may be anything.
func TestVerifyFindsEveryByte(t *testing.T) {
	headers, entries := sample()
	data := build(t, 100, 200, headers, entries)
	require.NoError(t, verify(data))
	for at := Reserved; at < len(data); at++ {
		for _, x := range []byte{1, 0x80, 0xff} {
			data[at] ^= x
			require.Error(t, verify(data), "byte %d", at)
			data[at] ^= x
		}
	}
	require.NoError(t, verify(data))
}

// What is whole and wrong all the same: a layer that a broken program built.
func TestVerifyFindsContradictions(t *testing.T) {
	for name, c := range map[string]struct {
		header  Header
		entries []Entry
	}{
		"revision beyond the layer":     {Header{Live: 1}, one(Entry{Key: "k", Revision: 201})},
		"revision below the layer":      {Header{Live: 1}, one(Entry{Key: "k", Revision: 100})},
		"created after its revision":    {Header{Live: 1}, one(Entry{Key: "k", Revision: 150, Created: 151})},
		"revision below the horizon":    {Header{Live: 1, Horizon: 160}, one(Entry{Key: "k", Revision: 150})},
		"horizon beyond the layer":      {Header{Horizon: 201}, nil},
		"horizon below the layer":       {Header{Horizon: 100}, nil},
		"one key twice":                 {Header{Live: 1}, []Entry{{Key: "k", Revision: 150}, {Key: "k", Revision: 151}}},
		"one key twice, once tombstone": {Header{Live: 1}, []Entry{{Key: "k", Revision: 150, Tombstone: true}, {Key: "k", Revision: 151}}},
	} {
		t.Run(name, func(t *testing.T) {
			err := verify(build(t, 100, 200, []Header{c.header}, c.entries))
			require.ErrorIs(t, err, errs.ErrCorrupt)
		})
	}
}

func TestStackVerifyCounts(t *testing.T) {
	base := func(live uint64, entries ...Entry) *Layer {
		return open(t, build(t, 0, 100, []Header{{Live: live}}, entries))
	}
	delta := func(h Header, entries ...Entry) *Layer { return open(t, build(t, 100, 200, []Header{h}, entries)) }
	a, b := Entry{Key: "a", Revision: 50}, Entry{Key: "b", Revision: 60}
	newA, deadB := Entry{Key: "a", Revision: 150}, Entry{Key: "b", Revision: 160, Tombstone: true}
	for name, c := range map[string]struct {
		layers []*Layer
		live   []uint64 // nil: wrong
	}{
		"nothing":                  {nil, []uint64{}},
		"right":                    {[]*Layer{base(2, a, b), delta(Header{Live: 1}, newA, deadB)}, []uint64{2, 1}},
		"right after a clear":      {[]*Layer{base(2, a, b), delta(Header{Live: 1, Horizon: 120}, newA)}, []uint64{2, 1}},
		"wrong in the base":        {[]*Layer{base(3, a, b)}, nil},
		"wrong in the delta":       {[]*Layer{base(2, a, b), delta(Header{Live: 2}, newA, deadB)}, nil},
		"wrong after a clear":      {[]*Layer{base(2, a, b), delta(Header{Live: 2, Horizon: 120}, newA)}, nil},
		"tombstone in the base":    {[]*Layer{base(1, a, Entry{Key: "b", Revision: 60, Tombstone: true})}, nil},
		"tombstone of nothing":     {[]*Layer{base(1, a), delta(Header{Live: 1}, deadB)}, []uint64{1, 1}},
		"a gap between the layers": {[]*Layer{base(1, a), open(t, build(t, 101, 200, []Header{{Live: 1}}, one(newA)))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			live, err := Stack{Layers: c.layers}.Verify(nil)
			if c.live == nil {
				require.ErrorIs(t, err, errs.ErrCorrupt)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.live, live)
		})
	}
}

func one(e Entry) []Entry { return []Entry{e} }

func TestVerifyIsStoppedByProgress(t *testing.T) {
	var entries []Entry
	for i := range 3 * progressEvery {
		entries = append(entries, Entry{Key: string([]byte{byte(i), byte(i >> 8)}), Revision: 150})
	}
	l := open(t, build(t, 0, 200, []Header{{Live: uint64(len(entries))}}, entries))
	stop := errors.New("stop")
	require.ErrorIs(t, l.Verify(func() error { return stop }), stop)
	_, err := Stack{Layers: []*Layer{l}}.Verify(func() error { return stop })
	require.ErrorIs(t, err, stop)
	require.NoError(t, l.Verify(func() error { return nil }))
}
