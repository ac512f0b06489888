package main

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Wherever a process dies while it writes, its journal says what it did.
func TestJournalOfTheDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := openJournal(path)
	require.NoError(t, err)
	defer j.file.Close()
	set := &operation{Kind: "Set", Steps: []step{{Do: "set", Value: 7}}}
	get := &operation{Kind: "Get", Steps: []step{{Do: "get"}}}
	var marks []int64 // sizes after each entry
	mark := func() {
		info, err := j.file.Stat()
		require.NoError(t, err)
		marks = append(marks, info.Size())
	}
	for _, op := range []*operation{set, get} {
		require.NoError(t, j.record(op, func() ([]uint64, error) {
			mark()
			return []uint64{7}, nil
		}))
		mark()
	}
	whole, err := os.ReadFile(path)
	require.NoError(t, err)

	calls, err := readJournal(path, 3, 0)
	require.NoError(t, err)
	require.Len(t, calls, 2)
	for i, op := range []*operation{set, get} {
		require.Equal(t, op, calls[i].Op)
		require.Equal(t, outcome{Seen: []uint64{7}}, calls[i].Out)
		require.Equal(t, 3, calls[i].Client)
		require.LessOrEqual(t, calls[i].Call, calls[i].Return)
	}
	require.LessOrEqual(t, calls[0].Return, calls[1].Call)

	for size := range int64(len(whole) + 1) {
		require.NoError(t, os.WriteFile(path, whole[:size], 0o600))
		calls, err := readJournal(path, 0, math.MaxInt64-1)
		require.NoError(t, err, size)
		switch {
		case size < marks[0]:
			require.Empty(t, calls, size)
		case size < marks[1]: // in the middle of the set
			require.Len(t, calls, 1)
			require.Equal(t, outcome{Unknown: true}, calls[0].Out)
			require.Equal(t, int64(math.MaxInt64-1), calls[0].Return)
		case size < marks[3]: // in the middle of the get, which changes nothing
			require.Len(t, calls, 1)
			require.Equal(t, outcome{Seen: []uint64{7}}, calls[0].Out)
		default:
			require.Len(t, calls, 2)
		}
		if size == marks[1] || size == marks[3] || size == 0 {
			continue
		}
		_, err = readJournal(path, 0, 0)
		require.Error(t, err, "a process that did not die leaves nothing undone: %d", size)
	}
}

func TestErrorsAreNoOutcome(t *testing.T) {
	j, err := openJournal(filepath.Join(t.TempDir(), "journal"))
	require.NoError(t, err)
	defer j.file.Close()
	boom := errors.New("boom")
	op := &operation{Kind: "Set", Steps: []step{{Do: "set", Value: 7}}}
	require.ErrorIs(t, j.record(op, func() ([]uint64, error) { return nil, boom }), boom)
	require.Error(t, j.record(op, func() ([]uint64, error) { return nil, nil }))
}
