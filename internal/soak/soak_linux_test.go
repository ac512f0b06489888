package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain lets this binary be the processes that a run starts.
func TestMain(m *testing.M) {
	if arg, ok := os.LookupEnv(roleVar); ok {
		os.Exit(play(arg))
	}
	os.Exit(m.Run())
}

// A cut of what make soak does for ten minutes.
func TestSoak(t *testing.T) {
	c := config{length: 8 * time.Second, epoch: 3 * time.Second, pause: 30 * time.Millisecond, workers: 4, seed: uint64(time.Now().UnixNano())}
	if testing.Short() {
		c.length = 3 * time.Second
	}
	var out bytes.Buffer
	c.out = &out
	status := (&soak{config: c}).run()
	t.Log(out.String())
	require.Zero(t, status)
}

// Interrupted, a run leaves nothing.
func TestInterruptedSoakLeavesNothing(t *testing.T) {
	stop := make(chan struct{})
	var out bytes.Buffer
	s := &soak{config: config{length: time.Minute, epoch: time.Minute, pause: 30 * time.Millisecond, workers: 2, seed: 1, out: &out, stop: stop}}
	time.AfterFunc(500*time.Millisecond, func() { close(stop) })
	require.Equal(t, 130, s.run(), out.String())
	require.NotEmpty(t, s.root)
	require.NoDirExists(t, s.root)
}

// What a slot has acknowledged follows from its operations.
func TestStateOfOperations(t *testing.T) {
	var s state
	s.apply(op{n: 1, kind: setOp, keys: [3]uint8{4}, size: 10})
	s.apply(op{n: 2, kind: updateOp, keys: [3]uint8{1, 2, 4}, size: 20})
	s.apply(op{n: 3, kind: addOp, which: 1})
	s.apply(op{n: 4, kind: countOp, which: 2})
	s.apply(op{n: 5, kind: dropOp, keys: [3]uint8{1}})
	want := state{done: 3}
	want.keys[2] = value{2, small}
	want.tally[2] = 1
	require.Equal(t, want, s)
	require.NotEqual(t, state{}.hash(), s.hash())
}

func TestLinesOfTheJournal(t *testing.T) {
	l := line{phase: refused, value: 4711, op: op{n: 1 << 40, kind: updateOp, keys: [3]uint8{1, 2, 15}, which: 2, size: 99_999}}
	require.Len(t, l.encode(), entrySize)
	require.Equal(t, l, decodeLine(l.encode()))
}

// Whatever is not the whole text of one operation is found out.
func TestHalvesAreSeen(t *testing.T) {
	v := value{17, 300}
	raw := text(3, 5, v)
	got, err := valueOf(3, 5, raw)
	require.NoError(t, err)
	require.Equal(t, v, got)
	other := text(3, 5, value{18, 300})
	for _, bad := range []string{"", "x", raw[:len(raw)-1], raw + "x", raw[:100] + other[100:], text(3, 6, v), text(2, 5, v)} {
		_, err := valueOf(3, 5, bad)
		require.ErrorAs(t, err, new(halfError), "%.40q", bad)
	}
	get := getter(func(key string) (string, error) { return key, nil })
	_, err = get.pairs()
	require.ErrorAs(t, err, new(halfError))
}
