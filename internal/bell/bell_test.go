package bell

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func never() bool  { return false }
func always() bool { return true }

func TestRingWithoutSleepersChangesNothing(t *testing.T) {
	var w Word
	w.Ring()
	require.Zero(t, w.state.Load())
}

func TestSleepLooksForNewsFirst(t *testing.T) {
	var w Word
	raisedBefore := false
	require.True(t, w.Sleep(Longest, func() bool {
		raisedBefore = w.state.Load()&raised != 0
		return true
	}))
	require.True(t, raisedBefore, "a ringer has to see the flag of one that looks")
}

func TestSleepEnds(t *testing.T) {
	var w Word
	for _, d := range []time.Duration{math.MinInt64, -1, 0, 1, time.Millisecond} {
		require.False(t, w.Sleep(d, never), "%v", d)
	}
	require.False(t, w.Sleep(math.MaxInt64, never), "Longest is the end of every sleep")
}

// Whatever the word holds, a ring lowers the flag and leaves another word.
func TestRingAtEveryWord(t *testing.T) {
	for _, v := range []uint32{1, 3, math.MaxInt32, math.MaxUint32} {
		var w Word
		w.state.Store(v)
		w.Ring()
		require.Equal(t, v+1, w.state.Load())
		require.Zero(t, w.state.Load()&raised)
		w.Ring()
		require.Equal(t, v+1, w.state.Load())
	}
}

// A sleeper that was rung for between its look and its sleep does not sleep.
func TestRingBeforeSleep(t *testing.T) {
	var w Word
	require.True(t, w.Sleep(Longest, func() bool { w.Ring(); return false }))
}

// The same while another sleeper raises the flag again.
func TestRingBeforeSleepThenAnotherSleeper(t *testing.T) {
	var w Word
	require.True(t, w.Sleep(Longest, func() bool {
		w.Ring()
		w.Sleep(Longest, always)
		return false
	}), "the ring was lost")
}

// A sleeper that died with the flag raised costs one ring a system call.
func TestDeadSleeperIsForgotten(t *testing.T) {
	var w Word
	w.Sleep(Longest, always) // never lowers it
	require.NotZero(t, w.state.Load()&raised)
	w.Ring()
	require.Zero(t, w.state.Load()&raised)
}

// Many sleepers follow a counter; every step of it must reach all of them
// although nobody's sleep may end by itself.
func TestEveryStepReachesEverySleeper(t *testing.T) {
	const sleepers, steps = 4, 2000
	var w Word
	var counter atomic.Uint64
	var overslept atomic.Uint64
	var wg sync.WaitGroup
	for range sleepers {
		wg.Go(func() {
			for at := uint64(0); at < steps; at = counter.Load() {
				news := func() bool { return counter.Load() != at }
				if !w.Sleep(Longest, news) && news() {
					overslept.Add(1)
				}
			}
		})
	}
	for n := range uint64(steps) {
		counter.Store(n + 1)
		w.Ring()
		if n%16 == 0 {
			time.Sleep(50 * time.Microsecond)
		}
	}
	wg.Wait()
	// A machine that is busy elsewhere may be late once; a bell that loses
	// rings is late all the time.
	require.LessOrEqual(t, overslept.Load(), uint64(2))
}

func BenchmarkRingNobody(b *testing.B) {
	var w Word
	for b.Loop() {
		w.Ring()
	}
}
