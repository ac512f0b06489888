package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() { roles["computer"] = computer }

func TestGetOrCompute(t *testing.T) {
	dir := memoryDir(t)
	a, b := open(t, dir), open(t, dir)
	ctx := t.Context()
	never := func(context.Context) (any, error) { return nil, errors.New("called") }
	v, err := a.GetOrCompute(ctx, "k", func(context.Context) (any, error) { return 7, nil })
	require.NoError(t, err)
	require.Equal(t, int64(7), v)
	v, err = b.GetOrCompute(ctx, "k", never)
	require.NoError(t, err)
	require.Equal(t, int64(7), v)

	// What fails is not stored, and the next one may try.
	_, err = a.GetOrCompute(ctx, "fails", func(context.Context) (any, error) { return nil, errBoom })
	require.Equal(t, errBoom, err)
	require.Panics(t, func() {
		_, _ = a.GetOrCompute(ctx, "fails", func(context.Context) (any, error) { panic("boom") })
	})
	_, err = a.GetOrCompute(ctx, "fails", func(context.Context) (any, error) { return make(chan int), nil })
	require.ErrorAs(t, err, new(*ultradict.EncodeError))
	v, err = b.GetOrCompute(ctx, "fails", func(context.Context) (any, error) { return "at last", nil })
	require.NoError(t, err)
	require.Equal(t, "at last", v)

	// What somebody else stores meanwhile stays.
	v, err = a.GetOrCompute(ctx, "overtaken", func(context.Context) (any, error) { return 1, b.Set("overtaken", 2) })
	require.NoError(t, err)
	require.Equal(t, int64(2), v)

	// Whoever asks for what it computes itself waits until its time is up.
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = a.GetOrCompute(ctx, "itself", func(context.Context) (any, error) {
		return a.GetOrCompute(short, "itself", never)
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)

	// Of a handle that is closed meanwhile nobody hears again; another may try.
	c := open(t, dir)
	_, err = c.GetOrCompute(ctx, "closed", func(context.Context) (any, error) { return 1, c.Close() })
	require.ErrorIs(t, err, ultradict.ErrClosed)
	v, err = b.GetOrCompute(ctx, "closed", func(context.Context) (any, error) { return 2, nil })
	require.NoError(t, err)
	require.Equal(t, int64(2), v)

	_, err = a.GetOrCompute(ctx, "\xff", never)
	require.ErrorAs(t, err, new(*ultradict.EncodeError))
	requireHealthy(t, dir)
}

// Of many goroutines over two handles one computes each key.
func TestGetOrComputeTogether(t *testing.T) {
	dir := memoryDir(t)
	handles := []*ultradict.Dict{open(t, dir, ultradict.WithStreamSize(4<<10)), open(t, dir)}
	const keys = 30
	var computed [keys]atomic.Int32
	var all sync.WaitGroup
	for w := range 12 {
		d := handles[w%2]
		all.Go(func() {
			for k := range keys {
				v, err := d.GetOrCompute(t.Context(), fmt.Sprint(k), func(context.Context) (any, error) {
					computed[k].Add(1)
					return k, nil
				})
				if err != nil || v != int64(k) {
					t.Errorf("key %d: %v, %v", k, v, err)
				}
			}
		})
	}
	all.Wait()
	for k := range computed {
		require.EqualValues(t, 1, computed[k].Load(), "key %d", k)
	}
}

// Of twenty processes one computes, and two that do are killed: it is computed three
// times, and everybody gets the same.
func TestGetOrComputeInProcesses(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	type said struct {
		p    *proctest.Proc
		line string
	}
	lines := make(chan said)
	running := map[*proctest.Proc]bool{}
	for range 20 {
		p := proctest.Start(t, "computer", dir)
		running[p] = true
		go func() {
			for {
				line, ok := p.TryLine()
				if !ok {
					return
				}
				lines <- said{p, line}
			}
		}()
	}
	for range 2 {
		s := <-lines
		require.Equal(t, "computing", s.line)
		s.p.Kill()
		delete(running, s.p)
	}
	s := <-lines
	require.Equal(t, "computing", s.line)
	s.p.Send("go on")
	want := fmt.Sprint("computed by ", s.p.PID())
	for range running {
		require.Equal(t, want, (<-lines).line)
	}
	for p := range running {
		require.NoError(t, p.Wait())
	}
	calls, err := d.Get("calls")
	require.NoError(t, err)
	require.Equal(t, int64(3), calls)
	requireHealthy(t, dir)
}

func computer(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	v, err := d.GetOrCompute(context.Background(), "value", func(context.Context) (any, error) {
		if _, err := d.Add("calls", 1); err != nil {
			return nil, err
		}
		proctest.Say("computing")
		proctest.Receive()
		return fmt.Sprint("computed by ", os.Getpid()), nil
	})
	if err != nil {
		return err
	}
	proctest.Say("%v", v)
	return d.Close()
}
