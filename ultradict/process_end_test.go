package ultradict_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

// reader follows a counter through a handle that can write nothing.
func reader(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]), ultradict.ReadOnly())
	if err != nil {
		return err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, args[0]) && strings.Fields(line)[1] != "r--s" {
			return fmt.Errorf("mapped for writing: %s", line)
		}
	}
	if err := d.Set("n", 1); !errors.Is(err, ultradict.ErrReadOnly) {
		return fmt.Errorf("Set of a read-only handle returned %v", err)
	}
	if _, err := d.Delete("n"); !errors.Is(err, ultradict.ErrReadOnly) {
		return fmt.Errorf("Delete of a read-only handle returned %v", err)
	}
	if err := d.Clear(); !errors.Is(err, ultradict.ErrReadOnly) {
		return fmt.Errorf("Clear of a read-only handle returned %v", err)
	}
	last := -1
	for {
		n, err := ultradict.As[int](d.Get("n"))
		if err != nil {
			return err
		}
		if n < last {
			return fmt.Errorf("counter went back from %d to %d", last, n)
		}
		last = n
		size, err := d.Len()
		if err != nil {
			return err
		}
		if size < 1 || size > 101 {
			return fmt.Errorf("%d entries", size)
		}
		if n == 20_000 {
			break
		}
	}
	if _, err := d.Status(); err != nil {
		return err
	}
	proctest.Say("%d", last)
	proctest.Receive()
	if _, err := d.Get("n"); !errors.Is(err, ultradict.ErrRemoved) {
		return fmt.Errorf("Get after Remove returned %v", err)
	}
	return d.Close()
}

func TestReadOnlyHandleInAnotherProcess(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	require.NoError(t, d.Set("n", 0))
	p := proctest.Start(t, "reader", dir)
	for i := range 20_001 {
		require.NoError(t, d.Set("n", i))
		require.NoError(t, d.Set(fmt.Sprint("k", i%100), i))
	}
	require.Equal(t, "20000", p.Line())
	requireHealthy(t, dir)
	require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir)))
	p.Send("removed")
	require.NoError(t, p.Wait())
}

// tidy uses a dictionary in all ways, closes it, and looks whether anything of
// it is left in the process.
func tidy(args []string) error {
	goroutines, fds := runtime.NumGoroutine(), descriptors()
	for range 3 {
		if err := useAll(args[0]); err != nil {
			return err
		}
	}
	left := ""
	for range 200 {
		runtime.GC()
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			return err
		}
		left = ""
		if n := strings.Count(string(maps), args[0]); n > 0 {
			left += fmt.Sprintf("%d mappings; ", n)
		}
		if n := descriptors(); n > fds {
			left += fmt.Sprintf("%d descriptors; ", n-fds)
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			left += fmt.Sprintf("%d goroutines; ", n-goroutines)
		}
		if left == "" {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	return fmt.Errorf("left: %s\n%s", left, stacks[:runtime.Stack(stacks, true)])
}

// descriptors counts those of the process, without what the runtime opens for
// itself when it first needs it.
func descriptors() (n int) {
	list, _ := os.ReadDir("/proc/self/fd")
	for _, e := range list {
		target, _ := os.Readlink("/proc/self/fd/" + e.Name())
		if !strings.HasPrefix(target, "anon_inode:") {
			n++
		}
	}
	return n
}

func useAll(dir string) error {
	a, err := ultradict.Open("test", ultradict.WithDir(dir), ultradict.WithStreamSize(4<<10))
	if err != nil {
		return err
	}
	b, err := ultradict.Open("test", ultradict.WithDir(dir), ultradict.ReadOnly())
	if err != nil {
		return err
	}
	for i := range 5000 {
		if err := a.Set(fmt.Sprint("k", i%100), i); err != nil {
			return err
		}
		if i%100 == 0 {
			if err := a.Set("big", make([]byte, 10_000)); err != nil {
				return err
			}
			if _, err := b.Get("big"); err != nil {
				return err
			}
			if _, err := b.Peek("k0"); err != nil {
				return err
			}
		}
	}
	for range a.All() {
		break
	}
	for range b.Keys() {
		break
	}
	if err := b.View(func(v *ultradict.View[string, any]) error { _, err := v.Len(); return err }); err != nil {
		return err
	}
	return errors.Join(a.Close(), b.Close(), a.Close())
}

func TestCloseLeavesNothing(t *testing.T) {
	dir := memoryDir(t)
	require.NoError(t, proctest.Start(t, "tidy", dir).Wait())
	requireHealthy(t, dir)
	require.Empty(t, requireHealthy(t, dir, ultradict.WithRepair()).Orphans)
	require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir)))
	requireNothingLeft(t, dir)
}

// remover removes the dictionary.
func remover(args []string) error { return ultradict.Remove("test", ultradict.WithDir(args[0])) }

func TestRemovedByAnotherProcess(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	ro := open(t, dir, ultradict.ReadOnly())
	require.NoError(t, d.Set("k", 1))
	require.NoError(t, ro.Sync())
	require.NoError(t, d.View(func(v *ultradict.View[string, any]) error {
		require.NoError(t, proctest.Start(t, "remover", dir).Wait())
		x, err := v.Get("k")
		require.NoError(t, err, "a view stays")
		require.Equal(t, int64(1), x)
		return nil
	}))
	endsWith(t, d, ultradict.ErrRemoved)
	endsWith(t, ro, ultradict.ErrRemoved, ultradict.ErrReadOnly)
	requireNothingLeft(t, dir)
	require.NoError(t, d.Close())
	endsWith(t, d, ultradict.ErrClosed)
	require.NoError(t, open(t, dir).Set("k", 2), "the name is free again")
	requireHealthy(t, dir)
}
