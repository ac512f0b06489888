package main

import (
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/ultradict/go/ultradict"
)

// pingPong measures how long it takes until a write of this process was seen
// by another, which answers, and its answer was seen here.
func pingPong(r *run) {
	trips := r.scaled(200_000, 40_000)
	const batches = 5
	m := r.numbers("ball")
	r.must(m.Set("ping", 0))
	r.must(m.Set("pong", 0))
	p := r.start("pong", m.Name(), batches*trips)
	p.expect("ready")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var medians, all times
	i := 0
	for range batches {
		batch := make(times, 0, trips)
		for range trips {
			i++
			begin := time.Now()
			r.must(m.Set("ping", i))
			for spins := 0; ; spins++ {
				n, err := m.Get("pong")
				r.must(err)
				if n == i {
					break
				}
				if spins == 1<<26 {
					r.must(fmt.Errorf("no answer to %d", i))
				}
			}
			batch = append(batch, time.Since(begin))
		}
		medians = append(medians, batch.sorted().at(.5))
		all = append(all, batch...)
	}
	p.end()
	r.atMost("round trip, median", median(medians), 2*time.Microsecond)
	r.tell("    all of them", "%v", all.sorted())
}

// pongRole answers every ping.
func pongRole(dir string, args []string) error {
	trips, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	return using(dir, args[0], func(m *ultradict.Map[string, int]) error {
		say("ready")
		for i := 1; i <= trips; i++ {
			for {
				n, err := m.Get("ping")
				if err != nil {
					return err
				}
				if n == i {
					break
				}
			}
			if err := m.Set("pong", i); err != nil {
				return err
			}
		}
		return nil
	})
}
