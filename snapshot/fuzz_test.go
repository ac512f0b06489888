package snapshot

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// stackOfThree are layers on top of each other: entries, a horizon over them,
// tombstones over that.
func stackOfThree(t testing.TB) [][]byte {
	headers, entries := sample()
	return [][]byte{
		large(t, 30),
		build(t, 30, 200, headers, entries),
		build(t, 200, 300, []Header{{Dict: 0, Horizon: 103, Live: 3}, {Dict: 7, Live: 0}}, []Entry{
			{Key: "key-000003", Revision: 250, Created: 250, Value: []byte("again")},
			{Key: "c", Revision: 260, Tombstone: true},
			{Dict: 7, Key: "a", Revision: 270, Tombstone: true},
		}),
	}
}

// FuzzStack damages three layers that lie upon each other, seals them again or
// not, and asks the stack of them, and merges of them, everything.
func FuzzStack(f *testing.F) {
	f.Add([]byte{0, 0, 200, 1}, true)
	f.Add([]byte{1, 0, 72, 0xff, 2, 0, 200, 4}, true)
	f.Add([]byte{2, 0, 216, 0xff, 1, 1, 130, 3, 0, 2, 0, 9}, false)
	pristine := stackOfThree(f)
	f.Fuzz(func(t *testing.T, damage []byte, sealed bool) {
		var s Stack
		total := 0
		for i, whole := range pristine {
			data := append([]byte(nil), whole...)
			for d := damage; len(d) >= 4; d = d[4:] {
				if int(d[0])%len(pristine) == i {
					data[(int(d[1])<<8|int(d[2]))%len(data)] ^= d[3]
				}
			}
			if sealed {
				seal(data)
			}
			l, err := Open(data, "layer", nil)
			if err != nil {
				require.True(t, isTyped(err), "%v", err)
				return
			}
			s.Layers = append(s.Layers, l)
			if n := len(s.Layers); n > 1 && s.Layers[n-2].To() != l.From() {
				return // who lists layers sees to it
			}
			total += len(data)
		}
		typed := func(err error) bool {
			require.True(t, err == nil || isTyped(err), "%v", err)
			return err == nil
		}
		for _, dict := range []uint64{0, 7, 9, 1 << 40} {
			for _, key := range []string{"", "a", "c", "key-000003", "key-000029", "absent"} {
				_, _, err := s.Find(dict, key, nil)
				typed(err)
			}
			n := 0
			for _, err := range s.All(dict) {
				typed(err)
				n++
			}
			require.LessOrEqual(t, n, total/entryHead, "more than can be in it")
			_, _, err := s.Header(dict)
			typed(err)
			_, err = s.Live(dict)
			typed(err)
		}
		_, err := s.Externals()
		typed(err)
		for _, base := range []bool{true, false} {
			m, err := PlanMerge(s.Layers, base, nil)
			if !typed(err) {
				continue
			}
			require.LessOrEqual(t, m.Size(), int64(2*total+4096))
			dst := make([]byte, m.Size())
			if m.Build(dst, nil) == nil {
				for _, err := range open(t, dst).All() {
					require.NoError(t, err)
				}
			}
		}
	})
}

func isTyped(err error) bool {
	return errors.Is(err, errs.ErrCorrupt) || errors.Is(err, errs.ErrVersion)
}
