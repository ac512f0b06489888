package ultradict_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// busy writes through d all the time until the test has ended.
func busy(t *testing.T, write func() error) (end func()) {
	t.Helper()
	over := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			if err := write(); err != nil {
				t.Errorf("write: %v", err)
				return
			}
		}
	})
	return func() {
		close(over)
		writer.Wait()
	}
}

// The end of a context is noticed, however much news there is.
func TestContextsEndBesideBusyWriters(t *testing.T) {
	dir := memoryDir(t)
	a, b := open(t, dir), open(t, dir)
	defer busy(t, func() error {
		time.Sleep(100 * time.Microsecond)
		return b.Set("other", 1)
	})()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := a.WaitFor(ctx, "other", func(any) bool {
		time.Sleep(time.Millisecond) // there is news each time
		return false
	})
	require.Equal(t, context.DeadlineExceeded, err)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, err = range a.Watch(ctx) {
		if err == nil {
			require.NoError(t, a.Set("more", 1))
		}
	}
	require.Equal(t, context.DeadlineExceeded, err)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, err = range a.Watch(ctx, ultradict.OnlyKey("never")) {
		require.Error(t, err)
	}
	require.Equal(t, context.DeadlineExceeded, err)
}

// Writes with a check, of values that take long to be written, come to an end while
// somebody else writes large values all the time.
func TestLargeConditionalWritesBesideOthers(t *testing.T) {
	dir := memoryDir(t)
	a, b := open(t, dir), open(t, dir)
	other := strings.Repeat("o", 300<<10)
	defer busy(t, func() error { return b.Set("other", other) })()
	large := strings.Repeat("l", 16<<20)
	_, stored, err := a.SetIfAbsent("absent", large)
	require.NoError(t, err)
	require.True(t, stored)
	require.NoError(t, a.Update(t.Context(), func(tx *ultradict.Tx[string, any]) error {
		if _, err := tx.Get("absent"); err != nil {
			return err
		}
		return tx.Set("absent", large[1:])
	}))
	v, err := b.Get("absent")
	require.NoError(t, err)
	require.Len(t, v, len(large)-1)
}

// What is claimed for the longest key there may be fits into a layer.
func TestClaimOfTheLongestKey(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir, ultradict.WithStreamSize(1<<20))
	longest := strings.Repeat("k", 65_535)
	v, err := d.GetOrCompute(t.Context(), longest, func(context.Context) (any, error) {
		held, err := d.Lock(t.Context(), longest)
		if err != nil {
			return nil, err
		}
		for i := range 100_000 { // more than the ring takes
			if err := d.Set("k", i); err != nil {
				return nil, err
			}
		}
		return "v", held.Unlock()
	})
	require.NoError(t, err)
	require.Equal(t, "v", v)
	requireHealthy(t, dir)
}

func TestWatchOfOneLoop(t *testing.T) {
	d := open(t, memoryDir(t))
	events := d.Watch(t.Context())
	require.NoError(t, d.Set("k", 1))
	require.Equal(t, []string{"put k=1"}, told(t, events, 1))
	for _, err := range events {
		require.ErrorIs(t, err, ultradict.ErrTxDone)
	}
}
