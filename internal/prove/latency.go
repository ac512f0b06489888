package main

import (
	"fmt"
	"time"

	"github.com/ultradict/go/ultradict"
)

// latency measures Set while the dictionary rolls over, alone and beside a
// second process that writes too and has its hands full otherwise.
func latency(r *run) {
	keys, updates := r.scaled(300_000, 100_000), r.scaled(600_000, 200_000)
	m := r.texts("latency")
	names := make([]string, keys)
	value := millionValue(0, 100)
	for i := range names {
		names[i] = millionKey(i)
		r.must(m.Set(names[i], value))
	}
	r.latencies("alone", m, names, updates)

	busy := r.start("busy", m.Name())
	busy.expect("ready")
	r.latencies("beside 200 busy goroutines of another writer", m, names, updates)
	busy.tell("end")
	n := 0
	busy.expect("%d", &n)
	busy.end()
	r.tell("    writes of the busy process meanwhile", "%d", n)
}

func (r *run) latencies(what string, m *ultradict.Map[string, string], names []string, updates int) {
	before, err := m.Status()
	r.must(err)
	queued := queuedFor()
	value := millionValue(1, 100)
	waits := make(times, updates)
	for i := range waits {
		name := names[(i*stride)%len(names)]
		begin := time.Now()
		r.must(m.Set(name, value))
		waits[i] = time.Since(begin)
		if i%100_000 == 0 {
			r.progress("%s: %d updates", what, i)
		}
	}
	queued = queuedFor() - queued
	after, err := m.Status()
	r.must(err)
	r.atMost("Set "+what+", p99.99", waits.sorted().at(.9999), time.Millisecond)
	r.tell(fmt.Sprintf("    %d updates", updates), "%v", waits)
	r.tell("    rollovers; merges; chunks gained; thread ready but not running", "%d; %d; %d; %s",
		after.Rollovers-before.Rollovers, after.Merges-before.Merges, after.Growths-before.Growths, short(queued))
}

// busyRole writes now and then, and has 200 goroutines that never rest.
func busyRole(dir string, args []string) error {
	over := make(chan struct{})
	go func() { await(); close(over) }()
	return using(dir, args[0], func(m *ultradict.Map[string, string]) error {
		sum := make([]int, 200*16)
		for g := range 200 {
			go func() {
				for i := 0; ; i++ {
					sum[g*16] += i
				}
			}()
		}
		say("ready")
		for i := 0; ; i++ {
			select {
			case <-over:
				say("%d", i)
				return nil
			default:
			}
			if err := m.Set(fmt.Sprint("busy", i%1000), "x"); err != nil {
				return err
			}
		}
	})
}
