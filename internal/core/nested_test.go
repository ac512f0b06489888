package core

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
)

func FuzzNode(f *testing.F) {
	f.Add(uint64(17), (&node{parent: 16, children: 3, kind: "string", key: "jobs"}).encode())
	f.Add(uint64(0), (&node{}).encode())
	f.Add(uint64(16), []byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, id uint64, raw []byte) {
		n, ok := parseNode(id, string(raw))
		if !ok {
			return
		}
		require.True(t, n.parent == 0 || n.parent < id)
		again, ok := parseNode(id, string(n.encode()))
		require.True(t, ok)
		require.Equal(t, n, again)
	})
}

// A writer that stores where its structural record will be, and dies, must not hide one
// that was committed before from a writer that has decided before both.
func TestDeadStructuralWriterHidesNobody(t *testing.T) {
	cfg := testConfig(t.TempDir())
	a, b := openDict(t, cfg), openDict(t, cfg)
	ctx := context.Background()
	nest := func(key string) (id uint64) {
		require.NoError(t, a.Update(ctx, func(tx *Tx) (err error) {
			id, err = tx.Nested(0, []string{key}, StringKeys)
			return err
		}))
		return id
	}
	id := nest("n")
	k := replica.Key{Dict: id, Str: "k"}
	decided, nested, err := b.shapeOf(k)
	require.NoError(t, err)
	require.False(t, nested)
	require.NoError(t, b.fits(decided))
	_, err = a.Write(ctx, []record.Op{deleteOp("n")}, nil)
	require.NoError(t, err)
	require.Equal(t, errMoved, b.fits(decided))
	a.announce(shape{changes: true}) // and dies
	require.Equal(t, errMoved, b.fits(decided), "the dictionary was freed")
	_, _, err = b.shapeOf(k)
	require.ErrorIs(t, err, errs.ErrRemoved)
	// Whoever decides now is not held up.
	_, err = b.Write(ctx, []record.Op{putOp("x", "1")}, nil)
	require.NoError(t, err)
	nest("m")
}

// What is said of a dictionary is found in its record, however long its key is.
func TestNestedUnderALongKey(t *testing.T) {
	cfg := testConfig(t.TempDir())
	d := openDict(t, cfg)
	long := strings.Repeat("k", 5000)
	ctx := context.Background()
	for _, key := range []string{long, "b"} {
		require.NoError(t, d.Update(ctx, func(tx *Tx) error {
			_, err := tx.Nested(0, []string{long, key}, StringKeys)
			return err
		}))
	}
	other := openDict(t, cfg)
	v, err := other.View()
	require.NoError(t, err)
	defer v.Close()
	for _, key := range []string{long, "b"} {
		_, err = v.Nested(0, []string{long, key}, StringKeys)
		require.NoError(t, err)
	}
	require.Empty(t, checked(t, cfg, CheckOptions{}).Problems)
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
