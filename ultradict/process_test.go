package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

var errBoom = errors.New("boom")

// increment adds n to a counter, half of it by Update and half by Compute.
// Some attempts fail in different ways and must leave nothing behind.
func increment(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	d, err := ultradict.OpenMap[string, int]("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	ctx := context.Background()
	for i := range n {
		if i%10 == 0 {
			if err := failedIncrement(d, i%20 == 0); err != nil {
				return err
			}
		}
		if i%2 == 0 {
			err = d.Update(ctx, func(tx *ultradict.Tx[string, int]) error {
				old, err := tx.Get("n")
				if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
					return err
				}
				return tx.Set("n", old+1)
			})
		} else {
			_, err = d.Compute(ctx, "n", func(old int, ok bool) (int, ultradict.Op) { return old + 1, ultradict.Store })
		}
		if err != nil {
			return err
		}
	}
	return d.Close()
}

func failedIncrement(d *ultradict.Map[string, int], panics bool) (err error) {
	defer func() {
		if p := recover(); p != nil && p != errBoom {
			panic(p)
		}
	}()
	err = d.Update(context.Background(), func(tx *ultradict.Tx[string, int]) error {
		if err := tx.Set("n", -1_000_000); err != nil {
			return err
		}
		if panics {
			panic(errBoom)
		}
		return errBoom
	})
	if errors.Is(err, errBoom) {
		return nil
	}
	return fmt.Errorf("a transaction that failed returned %v", err)
}

func TestIncrementsOfProcesses(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 800
	}
	dir := memoryDir(t)
	d, err := ultradict.OpenMap[string, int]("test", ultradict.WithDir(dir), ultradict.WithStreamSize(4<<10))
	require.NoError(t, err)
	defer d.Close()
	var procs []*proctest.Proc
	for range 4 {
		procs = append(procs, proctest.Start(t, "increment", dir, fmt.Sprint(n)))
	}
	last := 0
	for last < 4*n {
		x, err := d.Get("n")
		if errors.Is(err, ultradict.ErrNotFound) {
			continue
		}
		require.NoError(t, err)
		require.GreaterOrEqual(t, x, last)
		last = x
		if alive := len(procs); alive == 0 {
			break
		}
		if last%64 == 0 && done(procs) {
			break
		}
	}
	for _, p := range procs {
		require.NoError(t, p.Wait())
	}
	x, err := d.Get("n")
	require.NoError(t, err)
	require.Equal(t, 4*n, x)
	requireHealthy(t, dir)
}

// done reports whether none of the processes is there any more.
func done(procs []*proctest.Proc) bool {
	for _, p := range procs {
		if _, err := os.Stat(fmt.Sprint("/proc/", p.PID())); err == nil {
			return false
		}
	}
	return true
}

// writer writes for ever and says what was acknowledged: single values, some of
// them large, and pairs of equal values by transactions.
func writer(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if err := d.Set(fmt.Sprint(args[1], "/", i%40), payload(i)); err != nil {
			return err
		}
		err := d.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error {
			if err := tx.Set(args[1]+"/left", i); err != nil {
				return err
			}
			return tx.Set(args[1]+"/right", i)
		})
		if err != nil {
			return err
		}
		proctest.Say("%d", i)
	}
}

func payload(i int) string {
	if i%17 == 0 {
		return strings.Repeat(fmt.Sprint(i, " "), 300)
	}
	return fmt.Sprint(i)
}

func TestKilledWritersLoseNothing(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 6
	}
	dir := memoryDir(t)
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	for round := range rounds {
		name := fmt.Sprint("w", round)
		procs := []*proctest.Proc{proctest.Start(t, "writer", dir, name+"a"), proctest.Start(t, "writer", dir, name+"b")}
		names := []string{name + "a", name + "b"}
		acknowledged := []int{-1, -1}
		kill := 20 + rand.IntN(200)
		for i, p := range procs {
			for acknowledged[i] < kill {
				n, err := strconv.Atoi(p.Line())
				require.NoError(t, err)
				acknowledged[i] = n
			}
		}
		for i, p := range procs {
			p.Kill()
			for { // what it said before it died counts
				line, ok := p.TryLine()
				if !ok {
					break
				}
				n, err := strconv.Atoi(line)
				require.NoError(t, err)
				acknowledged[i] = n
			}
			require.NoError(t, d.Set("survivor", round))
		}
		for _, d := range []*ultradict.Dict{d, open(t, dir)} {
			for i, name := range names {
				checkWriter(t, d, name, acknowledged[i])
			}
		}
		requireHealthy(t, dir)
	}
	requireHealthy(t, dir, ultradict.WithRepair())
}

// checkWriter checks what a dead writer has left: all that it had acknowledged,
// and at most one step more, whole.
func checkWriter(t *testing.T, d *ultradict.Dict, name string, acknowledged int) {
	t.Helper()
	require.NoError(t, d.View(func(v *ultradict.View[string, any]) error {
		left, err := v.Get(name + "/left")
		require.NoError(t, err)
		right, err := v.Get(name + "/right")
		require.NoError(t, err)
		require.Equal(t, left, right)
		require.Contains(t, []any{int64(acknowledged), int64(acknowledged + 1)}, left)
		for k := range 40 {
			newest := acknowledged - (acknowledged-k)%40 // the last number written to this key
			if k > acknowledged%40 {
				newest = acknowledged - acknowledged%40 + k - 40
			}
			got, err := v.Get(fmt.Sprint(name, "/", k))
			if newest < 0 {
				if (acknowledged+1)%40 != k {
					require.ErrorIs(t, err, ultradict.ErrNotFound)
				}
				continue
			}
			require.NoError(t, err)
			want := []any{payload(newest)}
			if (acknowledged+1)%40 == k {
				want = append(want, payload(acknowledged+1))
			}
			require.Contains(t, want, got)
		}
		return nil
	}))
}

// racer opens, uses, closes and removes a dictionary as fast as it can, and
// checks that it only ever meets what it should.
func racer(args []string) error {
	rounds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := range rounds {
		d, err := ultradict.Open("race", ultradict.WithDir(args[0]), ultradict.WithStreamSize(4<<10))
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		status, err := d.Status()
		if err == nil {
			err = d.Set("instance", status.Instance)
		}
		var got any
		if err == nil {
			got, err = d.Get("instance")
		}
		switch {
		case errors.Is(err, ultradict.ErrRemoved):
		case err != nil:
			return fmt.Errorf("round %d: %w", i, err)
		case got != status.Instance:
			return fmt.Errorf("round %d: two instances are mixed: %v in %v", i, got, status.Instance)
		}
		if i%3 == 0 {
			err := ultradict.Remove("race", ultradict.WithDir(args[0]))
			if err != nil && !errors.Is(err, ultradict.ErrNotExist) {
				return fmt.Errorf("round %d: %w", i, err)
			}
		}
		if err := d.Close(); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
	}
	return nil
}

func TestOpenAndRemoveRace(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 30
	}
	dir := memoryDir(t)
	var procs []*proctest.Proc
	for range 4 {
		procs = append(procs, proctest.Start(t, "racer", dir, fmt.Sprint(rounds)))
	}
	for _, p := range procs {
		require.NoError(t, p.Wait())
	}
	err := ultradict.Remove("race", ultradict.WithDir(dir))
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	requireNothingLeft(t, dir)
}

// requireNothingLeft checks that a root directory holds no dictionary, nor what
// is left of one.
func requireNothingLeft(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		require.False(t, e.IsDir(), "left over: %s", e.Name())
		info, err := e.Info()
		require.NoError(t, err)
		require.Zero(t, info.Size(), "left over: %s", e.Name())
	}
}

// idle is a process that has read everything once and then does nothing: what
// its replica stands upon must not keep the others from making room.
func idle(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	n := 0
	for e, err := range d.Entries() {
		if err != nil {
			return err
		}
		if _, err := d.Get(e.Key); err != nil {
			return err
		}
		n++
	}
	proctest.Say("%d", n)
	proctest.Receive()
	if n, err = d.Len(); err != nil {
		return err
	}
	proctest.Say("%d", n)
	return d.Close()
}
