package main

import (
	"fmt"
	"time"

	"github.com/ultradict/go/ultradict"
)

// applied measures how fast a process that has stood still catches up with
// what another has written. The stream is so large that it need not go back to
// the layers.
func applied(r *run) {
	n := r.scaled(1_000_000, 500_000)
	for _, kind := range []struct {
		name string
		keys int
		goal float64
	}{{"updates of 10,000 keys", compared, 4e6}, {"inserts", n, 2e6}} {
		rates := r.applyRates(kind.name, kind.keys, n)
		r.figure("applied: "+kind.name, fmt.Sprintf("%.2f M/s", median(rates)/1e6), fmt.Sprintf("≥ %.0f M/s", kind.goal/1e6), median(rates) >= kind.goal)
	}
}

func (r *run) applyRates(kind string, keys, n int) (rates []float64) {
	for round := range r.scaled(5, 3) {
		r.progress("%s, round %d", kind, round+1)
		m := r.numbers(fmt.Sprintf("applied-%d-%d", keys, round), ultradict.WithStreamSize(64<<20))
		names := make([]string, keys)
		for i := range names {
			names[i] = fmt.Sprintf("key-%d", i)
		}
		if keys < n {
			for i, name := range names {
				r.must(m.Set(name, i))
			}
		}
		p := r.start("apply", m.Name())
		p.expect("ready")
		before, err := m.Status()
		r.must(err)
		for i := range n {
			r.must(m.Set(names[i%keys], i))
		}
		after, err := m.Status()
		r.must(err)
		if after.Tail > before.Head {
			r.must(fmt.Errorf("%d records do not fit into the stream", n))
		}
		time.Sleep(300 * time.Millisecond) // until nothing is left to do in the background
		p.tell("go")
		var took time.Duration
		last := 0
		p.expect("%d %d", &took, &last)
		if last != n-1 {
			r.must(fmt.Errorf("the last number is %d, not %d", last, n-1))
		}
		rates = append(rates, float64(n)/took.Seconds())
		p.end()
		r.must(m.Close())
		r.must(ultradict.Remove(m.Name(), r.options()...))
	}
	return rates
}

// applyRole stands still until it is told to catch up.
func applyRole(dir string, args []string) error {
	return using(dir, args[0], func(m *ultradict.Map[string, int]) error {
		if err := m.Sync(); err != nil {
			return err
		}
		say("ready")
		await()
		begin := time.Now()
		err := m.Sync()
		took := time.Since(begin)
		if err != nil {
			return err
		}
		last := 0
		for _, n := range m.All() {
			last = max(last, n)
		}
		say("%d %d", took.Nanoseconds(), last)
		return nil
	})
}
