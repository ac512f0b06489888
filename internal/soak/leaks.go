package main

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/ultradict/go/internal/shm"
)

// held is what this process holds of the system.
type held struct {
	mapped      int64 // segments
	descriptors int
	goroutines  int
}

func holding() held {
	var h held
	h.mapped, _ = shm.Mapped()
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		h.descriptors = len(entries)
	}
	h.goroutines = runtime.NumGoroutine()
	return h
}

// settled returns what is held once that is good enough, or after a while: mappings
// go when the collector finds them, and goroutines when they are scheduled.
func settled(begin held, good func(held) bool) held {
	h := begin
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		runtime.GC()
		if h = holding(); good(h) {
			break
		}
	}
	return h
}

// leaks compares what the driver holds with what it held before everything.
func (s *soak) leaks() {
	good := func(h held) bool {
		return h.mapped <= s.before.mapped && h.descriptors <= s.before.descriptors && h.goroutines <= s.before.goroutines
	}
	if h := settled(held{}, good); !good(h) {
		must(leakError(fmt.Sprintf("the driver held %+v and holds %+v", s.before, h)))
	}
}
