package futex_test

import (
	"math"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/futex"
)

const forever = 30 * time.Second // no test waits so long unless it fails

func TestMain(m *testing.M) {
	if os.Getenv(peerEnv) != "" {
		os.Exit(peer())
	}
	os.Exit(m.Run())
}

func TestWaitComparesFirst(t *testing.T) {
	var w atomic.Uint32
	w.Store(5)
	require.True(t, futex.Wait(&w, 4, forever), "differs: returns at once")
	require.True(t, futex.Wait(&w, 4, 0))
	require.False(t, futex.Wait(&w, 5, 0), "equal: no time to wait")
	require.False(t, futex.Wait(&w, 5, -1))
	require.False(t, futex.Wait(&w, 5, math.MinInt64))
}

func TestWaitTimesOut(t *testing.T) {
	var w atomic.Uint32
	for range 100 { // a signal (the runtime preempts by one) may end some early
		if !futex.Wait(&w, 0, time.Microsecond) {
			return
		}
	}
	t.Fatal("100 waits on a quiet word and none timed out")
}

func TestWakeNobody(t *testing.T) {
	var w atomic.Uint32
	for _, n := range []int{math.MinInt, -1, 0, 1, math.MaxInt} {
		require.Zero(t, futex.Wake(&w, n))
	}
}

// The store and the wake are seen by every sleeper, whatever the timeout.
func TestWakeGoroutines(t *testing.T) {
	for _, timeout := range []time.Duration{time.Second, math.MaxInt64} {
		var w atomic.Uint32
		const sleepers = 8
		done := make(chan struct{})
		for range sleepers {
			go func() {
				for w.Load() == 0 {
					futex.Wait(&w, 0, timeout)
				}
				done <- struct{}{}
			}()
		}
		time.Sleep(5 * time.Millisecond) // so that most of them sleep
		w.Store(1)
		futex.Wake(&w, math.MaxInt)
		for range sleepers {
			select {
			case <-done:
			case <-time.After(forever):
				t.Fatal("a sleeper was not woken")
			}
		}
	}
}
