package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/futex"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/ultradict"
)

// wakes compares the way from a write in one process to a watcher that sleeps in another
// with the least that it could be: a word in shared memory, on which two Go programs wait
// by futex. Both are round trips, in turns.
func wakes(r *run) {
	trips := r.scaled(5_000, 1_000)
	m := r.numbers("woken")
	word := filepath.Join(r.dir, "word")
	r.must(os.WriteFile(word, make([]byte, 4096), 0o600))
	page, unmap, err := mapWord(word)
	r.must(err)
	defer unmap()
	bare := r.start("futex-pong", word)
	bare.expect("ready")
	r.must(os.Remove(word)) // both have it mapped
	watcher := r.start("watch-pong", m.Name())
	watcher.expect("ready")
	watch := m.Watch(background, ultradict.OnlyKey("pong"))
	var hops, notices []float64
	batch := trips / 5
	turn := uint32(0)
	pings := 0
	hop := func() {
		for range batch {
			begin := time.Now()
			turn++
			page.Store(2*turn - 1)
			futex.Wake(page, 1)
			for page.Load() != 2*turn {
				futex.Wait(page, 2*turn-1, time.Second)
			}
			hops = append(hops, float64(time.Since(begin)))
		}
	}
	left := 0
	var begin time.Time
	hop()
	left = batch
	begin = time.Now()
	pings++
	r.must(m.Set("ping", pings))
	for e, err := range watch {
		r.must(err)
		if e.Value != pings {
			r.must(fmt.Errorf("pong %d to ping %d", e.Value, pings))
		}
		notices = append(notices, float64(time.Since(begin)))
		if left--; left == 0 {
			if len(notices) >= 5*batch {
				break
			}
			hop()
			left = batch
		}
		begin = time.Now()
		pings++
		r.must(m.Set("ping", pings))
	}
	r.ratio("there and back through sleeping watchers / bare futex", median(notices)/median(hops), 2, 2)
	r.tell("    µs, medians: watchers, futex", "%.1f, %.1f", median(notices)/1e3, median(hops)/1e3)

	// What it costs to wait: the watcher that answered, left alone.
	watcher.tell("idle")
	idle := 0.0
	watcher.expect("idle %f", &idle)
	r.figure("processor time of a watcher while nothing happens", fmt.Sprintf("%.3f %%", idle), "≤ 0.1 %", idle <= .1)
	watcher.end()
	page.Store(stopWord)
	futex.Wake(page, 1)
	bare.end()
}

const stopWord = 1 << 31

func mapWord(path string) (*atomic.Uint32, func(), error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	mem, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	word, _ := shm.At[atomic.Uint32](mem, 0) // a page has room for it
	return word, func() { _ = unix.Munmap(mem) }, nil
}

// futexPongRole answers on a word in shared memory.
func futexPongRole(_ string, args []string) error {
	page, unmap, err := mapWord(args[0])
	if err != nil {
		return err
	}
	defer unmap()
	say("ready")
	for last := uint32(0); ; {
		switch now := page.Load(); {
		case now == stopWord:
			return nil
		case now == last+1:
			last += 2
			page.Store(last)
			futex.Wake(page, 1)
		default:
			futex.Wait(page, now, time.Second)
		}
	}
}

// watchPongRole answers every ping that its watch tells of, until it is to measure what
// it costs to wait.
func watchPongRole(dir string, args []string) error {
	return using(dir, args[0], func(m *ultradict.Map[string, int]) error {
		watch := m.Watch(background, ultradict.OnlyKey("ping"))
		say("ready")
		failed := make(chan error, 1)
		go func() {
			for e, err := range watch {
				if err == nil {
					err = m.Set("pong", e.Value)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
		idle := make(chan struct{})
		go func() {
			await()
			close(idle)
		}()
		select {
		case err := <-failed:
			return err
		case <-idle:
		}
		const length = 5 * time.Second
		before := processorTime()
		time.Sleep(length)
		say("idle %s", strconv.FormatFloat(100*float64(processorTime()-before)/float64(length), 'f', 4, 64))
		return nil
	})
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
