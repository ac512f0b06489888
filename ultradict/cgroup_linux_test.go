package ultradict_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() { roles["cgroup"] = inCgroup }

// smallCgroup makes a memory cgroup with the given limit in bytes.
func smallCgroup(t *testing.T, limit int) (procs string) {
	t.Helper()
	var failed error
	for _, v := range []struct{ mount, limit string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, // version 1
		{"/sys/fs/cgroup", "memory.max"},
	} {
		dir := filepath.Join(v.mount, fmt.Sprint("ultradict-test-", os.Getpid()))
		if failed = os.Mkdir(dir, 0o755); failed != nil {
			continue
		}
		t.Cleanup(func() { require.NoError(t, os.Remove(dir)) })
		if failed = os.WriteFile(filepath.Join(dir, v.limit), fmt.Append(nil, limit), 0o644); failed == nil {
			return filepath.Join(dir, "cgroup.procs")
		}
	}
	t.Skipf("make a memory cgroup: %v", failed)
	return ""
}

// In a memory cgroup that is full, values are refused before the kernel kills
// somebody, and there is room again when some are deleted.
func TestMemoryCgroup(t *testing.T) {
	if testing.Short() {
		t.Skip("fills 256 MiB")
	}
	procs := smallCgroup(t, 256<<20)
	dir, err := os.MkdirTemp("/dev/shm", "ultradict-test-") // what counts is memory
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	p := proctest.Start(t, "cgroup", dir, procs)
	require.Equal(t, "refused", p.Line())
	require.Equal(t, "room again", p.Line())
	require.NoError(t, p.Wait(), "killed, if it was not asked to end")
	requireHealthy(t, dir)
}

func inCgroup(args []string) error {
	// A heap of large strings grows by more than the share of the limit that is left to
	// it, where the collector comes late.
	debug.SetMemoryLimit(24 << 20)
	if err := os.WriteFile(args[1], []byte("0"), 0); err != nil { // 0: this process
		return err
	}
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	const size = 4 << 20
	value := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), size) }
	n := 0
	for ; ; n++ {
		if err = d.Set(fmt.Sprint(n), value(n)); err != nil {
			break
		}
		if n*size > 256<<20 {
			return errors.New("it never fills up")
		}
	}
	if !errors.Is(err, ultradict.ErrNoSpace) || !strings.Contains(err.Error(), "cgroup") {
		return fmt.Errorf("after %d values: %w", n, err)
	}
	proctest.Say("refused")
	for i := range n / 2 {
		if existed, err := d.Delete(fmt.Sprint(i)); !existed || err != nil {
			return fmt.Errorf("delete %d: %t, %w", i, existed, err)
		}
	}
	if err := d.Set(fmt.Sprint(n), value(n)); err != nil {
		return fmt.Errorf("set when there is room: %w", err)
	}
	seen := 0
	for e, err := range d.Entries() {
		if err != nil {
			return err
		}
		var i int
		if _, err := fmt.Sscan(e.Key, &i); err != nil || e.Value != value(i) {
			return fmt.Errorf("key %q holds something else", e.Key)
		}
		seen++
	}
	if seen != n-n/2+1 {
		return fmt.Errorf("%d entries of %d", seen, n-n/2+1)
	}
	proctest.Say("room again")
	return d.Close()
}
