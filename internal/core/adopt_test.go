package core

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/record"
)

// A handle that is lapped after it has opened the layers to adopt goes on from
// newer ones: it must not put the older ones below its replica then.
func TestAdoptionOvertakenByALap(t *testing.T) {
	cfg := testConfig(memoryDir(t))
	a, b := openDict(t, cfg), openDict(t, cfg)
	write := func(d *Dict, key, value string) {
		t.Helper()
		_, err := d.Write(context.Background(), []record.Op{putOp(key, value)}, nil)
		require.NoError(t, err)
	}
	// The overlay of a outgrows its bound, and a newer layer is there to adopt.
	a.tidier.running.Store(true)
	for i := range overlaySlots + 1000 {
		write(a, fmt.Sprint("key", i), "old")
	}
	rolloverNow(t, a)
	write(b, "late", "old")
	rolloverNow(t, b)
	list, err := b.control.snapshot.Read()
	require.NoError(t, err)

	// It has read the list and is about to open the layers.
	a.layers.mu.Lock()
	adopted := make(chan error, 1)
	go func() {
		_, err := a.adopt()
		adopted <- err
	}()
	require.Eventually(t, func() bool { return somewhereIn("(*Dict).adopt", "(*layerCache).open") }, 10*time.Second, time.Millisecond)
	// It has them now, and the stream goes round.
	a.rep.Lock()
	a.layers.mu.Unlock()
	require.Eventually(t, func() bool {
		return somewhereIn("(*Dict).adopt", "(*Mutex).Lock") && !somewhereIn("(*layerCache).open")
	}, 10*time.Second, time.Millisecond)
	for i := 0; b.str.Tail() <= list.Position(); i++ {
		write(b, fmt.Sprint("key", i%1000), "new")
	}
	rolloverNow(t, b)
	a.rep.Unlock()
	require.NoError(t, <-adopted)

	for i := range 1000 {
		want, err := b.Get(at(fmt.Sprint("key", i)), reader)
		require.NoError(t, err)
		got, err := a.Get(at(fmt.Sprint("key", i)), reader)
		require.NoError(t, err)
		require.Equal(t, want.Raw(), got.Raw(), "key%d", i)
		require.Equal(t, want.Revision, got.Revision, "key%d", i)
	}
}

// somewhereIn reports whether a goroutine is in all of the functions.
func somewhereIn(functions ...string) bool {
	buf := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		all := true
		for _, f := range functions {
			all = all && strings.Contains(stack, f)
		}
		if all {
			return true
		}
	}
	return false
}
