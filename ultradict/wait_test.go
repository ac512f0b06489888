package ultradict_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() { roles["waiter"] = waiter }

func TestWaitOfWhatIsThere(t *testing.T) {
	d := open(t, memoryDir(t))
	require.NoError(t, d.Set("k", 1))
	done, cancel := context.WithCancel(t.Context())
	cancel()
	v, err := d.Wait(done, "k")
	require.NoError(t, err)
	require.Equal(t, int64(1), v)
	_, err = d.Wait(done, "absent")
	require.Equal(t, context.Canceled, err)
	_, err = d.WaitFor(done, "k", func(v any) bool { return v == int64(2) })
	require.Equal(t, context.Canceled, err)
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = d.Wait(soon, "absent")
	require.Equal(t, context.DeadlineExceeded, err)
	numbers, err := ultradict.OpenMap[string, int]("test", ultradict.WithDir(memoryDir(t)))
	require.NoError(t, err)
	defer func() { require.NoError(t, numbers.Close()) }()
	_, err = numbers.Wait(done, "absent")
	require.Equal(t, context.Canceled, err)
}

// Many goroutines of one handle and of another wait for many keys, which come one
// after the other; each gets its own, whoever of them it is that sleeps.
func TestWaitTogether(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	handles := []*ultradict.Dict{open(t, dir), open(t, dir), open(t, dir, ultradict.ReadOnly())}
	const keys = 60
	var waiting sync.WaitGroup
	for i := range keys {
		h := handles[i%len(handles)]
		waiting.Go(func() {
			v, err := h.WaitFor(t.Context(), fmt.Sprint("k", i), func(v any) bool { return v == int64(i) })
			if err != nil || v != int64(i) {
				t.Errorf("key %d: %v, %v", i, v, err)
			}
		})
	}
	for i := range keys { // one that gives up while others wait
		if i%20 == 0 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_, err := handles[0].Wait(ctx, "never")
			require.Equal(t, context.DeadlineExceeded, err)
			cancel()
		}
		require.NoError(t, d.Set(fmt.Sprint("k", i), -1))
		require.NoError(t, d.Set(fmt.Sprint("k", i), i))
	}
	waiting.Wait()
}

// Whoever waits is told that it waits for nothing.
func TestWaitEnds(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(dir string, d *ultradict.Dict) error
		want error
	}{
		"close":  {func(_ string, d *ultradict.Dict) error { return d.Close() }, ultradict.ErrClosed},
		"remove": {func(dir string, _ *ultradict.Dict) error { return ultradict.Remove("test", ultradict.WithDir(dir)) }, ultradict.ErrRemoved},
	} {
		t.Run(name, func(t *testing.T) {
			dir := memoryDir(t)
			d := open(t, dir)
			results := make(chan error)
			for range 3 {
				go func() {
					_, err := d.Wait(t.Context(), "never")
					results <- err
				}()
			}
			pause()
			require.NoError(t, end.do(dir, d))
			for range 3 {
				require.ErrorIs(t, <-results, end.want)
			}
		})
	}
}

// A process that waits is woken by another; one that is killed while it waits keeps
// nobody from being woken.
func TestWaitInProcesses(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	var waiters []*proctest.Proc
	for range 4 {
		p := proctest.Start(t, "waiter", dir)
		require.Equal(t, "waiting", p.Line())
		waiters = append(waiters, p)
	}
	pause()
	waiters[0].Kill()
	waiters = waiters[1:]
	for i := range 50 {
		require.NoError(t, d.Set("turn", i))
		for _, p := range waiters {
			require.Equal(t, fmt.Sprint(i), p.Line())
		}
		if i == 20 {
			waiters[0].Kill()
			waiters = waiters[1:]
		}
	}
	require.NoError(t, d.Set("turn", -1))
	for _, p := range waiters {
		require.NoError(t, p.Wait())
	}
	requireHealthy(t, dir)
}

func waiter(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	proctest.Say("waiting")
	for last := int64(-1); ; {
		v, err := d.WaitFor(context.Background(), "turn", func(v any) bool { return v != last })
		if err != nil {
			return err
		}
		if last = v.(int64); last < 0 {
			return d.Close()
		}
		proctest.Say("%d", last)
	}
}
