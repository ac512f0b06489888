package core

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/replica"
)

func FuzzNode(f *testing.F) {
	f.Add((&node{parent: 16, children: 3, kind: "string", key: "jobs"}).encode())
	f.Add((&node{}).encode())
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, ok := parseNode(string(raw))
		if !ok {
			return
		}
		again, ok := parseNode(string(n.encode()))
		require.True(t, ok)
		require.Equal(t, n, again)
	})
}

// The schedule is what a map of deadlines says.
func TestSchedule(t *testing.T) {
	r := seeded(t)
	s, model := newSchedule(), map[string]int64{}
	for now := int64(1); now < 20_000; now++ {
		key := string(rune('a' + r.IntN(40)))
		k := replica.Key{Dict: uint64(len(key)), Str: key}
		switch r.IntN(4) {
		case 0, 1:
			deadline := now + r.Int64N(100)
			s.put(k, uint64(now), deadline)
			model[key] = deadline
		case 2:
			s.drop(k)
			delete(model, key)
		case 3:
			last := int64(0)
			for _, e := range s.take(now, 1<<20) {
				require.GreaterOrEqual(t, e.deadline, last)
				require.Equal(t, model[e.key.Str], e.deadline)
				last = e.deadline
				delete(model, e.key.Str)
			}
			for _, deadline := range model {
				require.Greater(t, deadline, now)
			}
		}
		require.Len(t, s.keys, len(model))
		require.Len(t, s.heap, len(model))
		first, ok := s.next()
		require.Equal(t, len(model) > 0, ok)
		for _, deadline := range model {
			require.LessOrEqual(t, first, deadline)
		}
	}
	require.Len(t, s.take(1<<62, 1), min(1, len(model)), "at least one, however few bytes")
}
