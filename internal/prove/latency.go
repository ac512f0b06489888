package main

import (
	"fmt"
	"hash/maphash"
	"runtime"
	"sync/atomic"
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
	r.tell("    writes of that process meanwhile", "%d", n)
}

// stride makes an order of keys that is neither theirs nor random.
const stride = 7919

// tail is the quantile that has a goal.
const tail = .9999

func (r *run) latencies(what string, m *ultradict.Map[string, string], names []string, updates int) {
	control := r.control(updates)
	before, err := m.Status()
	r.must(err)
	value := millionValue(1, 100)
	waits := make(times, updates)
	long, preempted := 0, 0
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := range waits {
		name := names[(i*stride)%len(names)]
		switches := preemptions()
		begin := time.Now()
		err := m.Set(name, value)
		waits[i] = time.Since(begin)
		r.must(err)
		if waits[i] > time.Millisecond {
			if long++; preemptions() != switches {
				preempted++
			}
		}
		if i%100_000 == 0 {
			r.progress("%s: %d updates", what, i)
		}
	}
	after, err := m.Status()
	r.must(err)
	// On a machine that is not idle, or with more to do than processors, a
	// thread stands still now and then whatever it does. No library helps that.
	goal := time.Millisecond
	text := "≤ " + short(goal)
	if stalls := 3 * control.at(tail) / 2; stalls > goal {
		goal = stalls
		text = fmt.Sprintf("≤ 1.5 × %s here", short(control.at(tail)))
	}
	got := waits.sorted().at(tail)
	r.figure("Set "+what+", p99.99", short(got), text, got <= goal)
	r.tell(fmt.Sprintf("    %d updates", updates), "%v", waits)
	r.tell("    above 1 ms; while the kernel ran another thread instead", "%d; %d", long, preempted)
	r.tell("    a loop without a dictionary at the same place", "%v", control)
	r.tell("    rollovers; merges; chunks gained", "%d; %d; %d",
		after.Rollovers-before.Rollovers, after.Merges-before.Merges, after.Growths-before.Growths)
}

// control measures what the machine does to a loop that only computes, for
// about as long each time as a Set takes.
func (r *run) control(n int) times {
	seed := maphash.MakeSeed()
	block := make([]byte, 4<<10)
	t := make(times, n)
	for i := range t {
		begin := time.Now()
		block[0] ^= byte(maphash.Bytes(seed, block))
		t[i] = time.Since(begin)
	}
	return t.sorted()
}

// busyRole has 200 goroutines that never rest, and each of them writes now and
// then.
func busyRole(dir string, args []string) error {
	return using(dir, args[0], func(m *ultradict.Map[string, string]) error {
		var written atomic.Int64
		var over atomic.Bool
		failed := make(chan error, 200)
		for g := range cap(failed) {
			go func() {
				key, sum := fmt.Sprint("busy", g), 0
				for i := 0; !over.Load(); i++ {
					if sum += i; i%100_000 != 0 {
						continue
					}
					if err := m.Set(key, fmt.Sprint(sum)); err != nil {
						failed <- err
						return
					}
					written.Add(1)
				}
				failed <- nil
			}()
		}
		say("ready")
		await()
		over.Store(true)
		for range cap(failed) {
			if err := <-failed; err != nil {
				return err
			}
		}
		say("%d", written.Load())
		return nil
	})
}
