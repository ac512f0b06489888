package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/ultradict"
)

// bounded shows that shared memory depends on what is stored, not on how often
// it was.
func bounded(r *run) {
	writes := r.scaled(10_000_000, 500_000)
	m := r.numbers("rewritten")
	names := make([]string, compared)
	for i := range names {
		names[i] = millionKey(i)
	}
	next := 0
	write := func(n int) (peak int64) {
		for i := range n {
			r.must(m.Set(names[next%compared], next))
			next++
			if i%50_000 == 0 {
				used, err := diskUsage(r.dir)
				r.must(err)
				peak = max(peak, used)
				r.progress("%d of %d writes", i, n)
			}
		}
		return peak
	}
	// It begins when every key was written many times: then there are as many
	// layers and chunks as there will ever be.
	write(20 * compared)
	first := r.settledBytes(m)
	peak := write(writes)
	last := r.settledBytes(m)
	st, err := m.Status()
	r.must(err)
	r.figure(fmt.Sprintf("shared memory after %d rewrites of %d keys", writes, compared),
		fmt.Sprintf("%s, was %s", size(last), size(first)), "≤ 2 × as before", last <= 2*first)
	r.figure("    peak", size(peak), "≤ 64 MiB", peak <= 64<<20)
	r.equal("    Status().Bytes as the file system counts it, off by", max(0, int(st.Bytes-last)>>20), 0)
	r.tell("    rollovers; merges; files", "%d; %d; %d", st.Rollovers, st.Merges, files(r.dir))
}

// settledBytes is the shared memory in use when background work has come to
// rest: the least that is seen within two seconds.
func (r *run) settledBytes(m *ultradict.Map[string, int]) int64 {
	return r.atRest(func() error { _, err := m.Peek(millionKey(0)); return err })
}

// atRest is settledBytes of a dictionary that use uses, so that the keeper looks after
// it.
func (r *run) atRest(use func() error) int64 {
	least := int64(1 << 62)
	for range 20 {
		time.Sleep(100 * time.Millisecond)
		r.must(use())
		used, err := diskUsage(r.dir)
		r.must(err)
		least = min(least, used)
	}
	return least
}

// diskUsage is the memory that the files below a directory take.
func diskUsage(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				total += info.Size()
			}
		}
		if os.IsNotExist(err) {
			return nil // it went while we looked
		}
		return err
	})
	return total, err
}

func files(dir string) (n int) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return nil
	})
	return n
}

// leaks shows that handles leave nothing behind in a process, in any way of
// using them.
func leaks(r *run) {
	rounds := r.scaled(20, 5)
	sleeper := r.start("sleeper", rounds)
	for _, what := range []string{"goroutines", "descriptors", "mappings counted by the library", "mappings in /proc/self/maps"} {
		before, after := 0, 0
		sleeper.expect("%d %d", &before, &after)
		r.figure(fmt.Sprintf("%s after %d handles were opened, used and closed", what, rounds),
			fmt.Sprintf("%d, were %d", after, before), "as before", after <= before)
	}
	sleeper.end()
	r.names = append(r.names, "left")
}

// sleeperRole opens, uses and closes handles, and says what was there before
// and is there after: goroutines, descriptors, mappings.
func sleeperRole(dir string, args []string) error {
	rounds := 0
	if _, err := fmt.Sscan(args[0], &rounds); err != nil {
		return err
	}
	use := func(n int) error {
		return using(dir, "left", func(m *ultradict.Map[string, string]) error {
			for i := range 20_000 {
				if err := m.Set(millionKey(i), millionValue(n, 100)); err != nil {
					return err
				}
			}
			if err := m.Set("large", strings.Repeat("x", 1<<20)); err != nil {
				return err
			}
			if _, err := m.Get("large"); err != nil {
				return err
			}
			_, err := m.Peek(millionKey(n))
			return err
		})
	}
	if err := use(0); err != nil { // what the runtime makes once is made
		return err
	}
	before := left()
	for n := range rounds {
		if err := use(n); err != nil {
			return err
		}
	}
	after := left()
	for i := range before {
		say("%d %d", before[i], after[i])
	}
	return nil
}

// left counts what handles could have left, when all has come to rest.
func left() (counts [4]int) {
	for range 20 {
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
		segments, _ := shm.Mapped()
		descriptors, _ := os.ReadDir("/proc/self/fd")
		maps, _ := os.ReadFile("/proc/self/maps")
		counts = [4]int{runtime.NumGoroutine(), len(descriptors), int(segments), strings.Count(string(maps), "ultradict")}
		if segments == 0 {
			break
		}
	}
	return counts
}
