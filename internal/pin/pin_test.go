package pin_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/pin"
)

// A pinned goroutine on the only processor must not be replaced by another
// one: the runtime would otherwise do so after its 10 ms slice.
func TestPinKeepsTheProcessor(t *testing.T) {
	if !pin.Enabled {
		t.Skip("built with ultradict_nopin")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))

	var others atomic.Uint64
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			others.Add(1)
		}
	}()
	for others.Load() == 0 {
		runtime.Gosched()
	}

	begin := time.Now()
	var before, after uint64
	pin.Pin()
	before = others.Load()
	for time.Since(begin) < 60*time.Millisecond {
	}
	after = others.Load()
	pin.Unpin()

	stop.Store(true)
	<-done
	require.Equal(t, before, after, "another goroutine ran while this one was pinned")
}

func TestPinNests(t *testing.T) {
	pin.Pin()
	pin.Pin()
	pin.Unpin()
	pin.Unpin()
	// The scheduler works again: a hand-over to another goroutine and back.
	c := make(chan int)
	go func() { c <- 1 }()
	require.Equal(t, 1, <-c)
}

func BenchmarkPin(b *testing.B) {
	for b.Loop() {
		pin.Pin()
		pin.Unpin()
	}
}
