package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() { roles["exhausted"] = exhausted }

// TestExhausted lets a process of its own run out of descriptors, mappings, or
// address space, with a little left of it, and do everything: each call works,
// or says what ran out and what to do about it; afterwards all of it works.
func TestExhausted(t *testing.T) {
	for _, c := range []struct {
		what string
		left []int
	}{
		{"descriptors", []int{0, 1, 2, 3, 4, 6, 9}},
		{"address space", []int{100 << 10, 200 << 10, 350 << 10, 1 << 20, 4 << 20}},
		{"mappings", []int{2, 5, 10, 20, 50}},
	} {
		for _, left := range c.left {
			t.Run(fmt.Sprint(c.what, ", ", left, " left"), func(t *testing.T) {
				if most, _ := os.ReadFile("/proc/sys/vm/max_map_count"); c.what == "mappings" && len(most) > len("999999\n") {
					t.Skip("a process may have more than a million mappings")
				}
				p := proctest.Start(t, "exhausted", memoryDir(t), c.what, strconv.Itoa(left))
				failures, ok := p.TryLine()
				err := p.Wait()
				if err != nil && regexp.MustCompile(`fatal error: runtime: |newosproc|cannot allocate memory\nruntime|ThreadSanitizer: out of memory|ThreadSanitizer failed to allocate`).MatchString(err.Error()) {
					t.Skip("Go itself, or its race detector, found no memory before the dictionary did")
				}
				require.NoError(t, err)
				require.True(t, ok)
				t.Log(failures)
			})
		}
	}
}

// exhaust takes a resource, all but some of it, and returns what gives it back.
func exhaust(what string, left int) (back func() error, err error) {
	switch what {
	case "descriptors":
		var files []*os.File
		for {
			f, err := os.Open("/dev/null")
			if err != nil {
				break
			}
			files = append(files, f)
		}
		if len(files) <= left {
			return nil, fmt.Errorf("%d files could be opened", len(files))
		}
		for range left {
			files[len(files)-1].Close()
			files = files[:len(files)-1]
		}
		return func() error {
			for _, f := range files {
				f.Close()
			}
			return nil
		}, nil
	case "mappings":
		return exhaustMappings(left)
	default:
		status, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			return nil, err
		}
		pages, err := strconv.Atoi(strings.Fields(string(status))[0])
		if err != nil {
			return nil, err
		}
		var old unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_AS, &old); err != nil {
			return nil, err
		}
		low := old
		low.Cur = uint64(pages*os.Getpagesize() + left)
		return func() error { return unix.Setrlimit(unix.RLIMIT_AS, &old) }, unix.Setrlimit(unix.RLIMIT_AS, &low)
	}
}

// exhaustMappings takes all mappings that the kernel lets a process have
// (vm.max_map_count) but some.
func exhaustMappings(left int) (back func() error, err error) {
	var taken [][]byte
	for i := 0; ; i++ {
		// Neighbours of unlike protection are not merged.
		b, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ*(i%2), unix.MAP_PRIVATE|unix.MAP_ANON)
		if errors.Is(err, unix.ENOMEM) {
			break
		}
		if err != nil || i == 1<<20 {
			return nil, fmt.Errorf("mapping %d: %w", i, err)
		}
		taken = append(taken, b)
	}
	give := func(n int) error {
		for range n {
			// Each is one of its own, unless the kernel placed it elsewhere: the last
			// ones, taken when all else was full, are.
			if err := unix.Munmap(taken[len(taken)-1]); err != nil {
				return err
			}
			taken = taken[:len(taken)-1]
		}
		return nil
	}
	return func() error { return give(len(taken)) }, give(left)
}

func exhausted(args []string) error {
	what := args[1]
	left, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = 128
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	opts := []ultradict.Option{ultradict.WithDir(args[0]), ultradict.WithStreamSize(4 << 10), ultradict.WithLockTimeout(100 * time.Millisecond)}
	d, err := ultradict.Open("test", opts...)
	if err != nil {
		return err
	}
	reader, err := ultradict.Open("test", opts...)
	if err != nil {
		return err
	}
	want := map[string]any{"large": strings.Repeat("l", 300_000)}
	if err := d.Set("large", want["large"]); err != nil {
		return err
	}
	// What Go itself may need below it has before: heap, and no collection.
	debug.SetGCPercent(-1)
	warm := make([]byte, 32<<20)
	clear(warm)
	warm = nil
	runtime.GC()
	defer debug.SetGCPercent(100)

	back, err := exhaust(what, left)
	if err != nil {
		return err
	}
	var failed []string
	only := func(doing string, err error) bool {
		if err == nil {
			return true
		}
		advised := errors.Is(err, unix.EMFILE) && strings.Contains(err.Error(), "ulimit -n") ||
			errors.Is(err, unix.ENOMEM) && strings.Contains(err.Error(), "vm.max_map_count") ||
			errors.Is(err, ultradict.ErrNoSpace)
		if !advised {
			doing += " WITHOUT ADVICE: " + err.Error()
		}
		failed = append(failed, doing)
		return false
	}
	for i := range 3 {
		if k := fmt.Sprint("small", i); only("Set", d.Set(k, i)) {
			want[k] = int64(i)
		}
	}
	if v, err := reader.Get("large"); only("Get of a large value", err) && v != want["large"] {
		return fmt.Errorf("large is %.20v", v)
	}
	comer, err := ultradict.Open("test", opts...)
	if only("open", err) {
		_, err := comer.Get("large")
		only("Get of a newcomer", err)
		_ = comer.Close()
	}
	if made, err := ultradict.Open("new", opts...); only("create", err) {
		_ = made.Close()
		only("remove", ultradict.Remove("new", opts...))
	}
	_, err = ultradict.List(ultradict.WithDir(args[0]))
	only("List", err)
	if v := strings.Repeat("x", 400_000); only("large Set", d.Set("large", v)) {
		want["large"] = v
	}
	if only("Update", d.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error { return tx.Set("tx", "t") })) {
		want["tx"] = "t"
	}
	for i := range 100 {
		k, v := fmt.Sprint("k", i%10), fmt.Sprint(i, strings.Repeat("w", 100))
		if !only("Set that needs a rollover", d.Set(k, v)) {
			break
		}
		want[k] = v
	}
	_, err = d.Status()
	only("Status", err)
	for _, err := range reader.Entries() {
		if !only("Entries", err) {
			break
		}
	}
	if err := back(); err != nil {
		return err
	}
	if text := strings.Join(failed, "; "); strings.Contains(text, "WITHOUT") {
		return errors.New(text)
	}
	fresh, err := ultradict.Open("test", opts...)
	if err != nil {
		return fmt.Errorf("open afterwards: %w", err)
	}
	for _, d := range []*ultradict.Dict{d, reader, fresh} {
		if err := d.Set("again", "v"); err != nil {
			return fmt.Errorf("afterwards: %w", err)
		}
		for k, w := range want {
			if v, err := d.Get(k); err != nil || v != w {
				return fmt.Errorf("afterwards: %s is %.20v, %w", k, v, err)
			}
		}
	}
	for i := range 200 {
		if err := d.Set("large", strings.Repeat("z", 10*i)); err != nil {
			return fmt.Errorf("afterwards: %w", err)
		}
	}
	proctest.Say("%d failed: %s", len(failed), strings.Join(failed, "; "))
	return errors.Join(d.Close(), reader.Close(), fresh.Close())
}
