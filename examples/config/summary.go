package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// summary is what there is to say in the end.
type summary struct {
	length      time.Duration
	interrupted bool
	pushed      []int64 // when: number n at n-1
	settings    map[string]Setting
	held        map[string]Setting // by the dictionary
	revision    uint64             // of the last push
	stops       []stop
	newcomers   map[int]uint64
	workers     []*result
}

// check returns an error unless everything holds that the program claims.
func (s *summary) check() error {
	var halfWrong, served uint64
	for i, r := range s.workers {
		if err := s.checkWorker(i+1, r); err != nil {
			return fmt.Errorf("worker %d (process %d): %w", i+1, r.PID, err)
		}
		halfWrong, served = halfWrong+r.HalfWrong, served+r.Served
	}
	if !sameSettings(s.held, s.settings) {
		return errors.New("the dictionary does not hold what was pushed")
	}
	for _, st := range s.stops {
		if _, ok := s.catchUp(st); !ok {
			return fmt.Errorf("worker %d did not catch up after it was stopped", st.worker)
		}
	}
	if s.interrupted {
		return nil
	}
	if halfWrong == 0 || served == 0 {
		return fmt.Errorf("%d halves of changes would have been wrong, %d requests were served: nothing was shown", halfWrong, served)
	}
	for id, number := range s.newcomers {
		if first := s.workers[id-1].Log[0]; first.Number < number {
			return fmt.Errorf("worker %d began anew with push %d, though %d was pushed before", id, first.Number, number)
		}
	}
	return nil
}

// checkWorker wants every push to have been in force once, in order, but for those
// before the last one that a resync leaves out.
func (s *summary) checkWorker(id int, r *result) error {
	if len(r.Log) == 0 {
		return errors.New("it did nothing")
	}
	var before uint64
	for _, a := range r.Log {
		switch {
		case a.Number > uint64(len(s.pushed)) || a.Number == 0 || s.pushed[a.Number-1] != a.Pushed:
			return fmt.Errorf("push %d was never pushed like that", a.Number)
		case a.Number <= before:
			return fmt.Errorf("push %d came after %d", a.Number, before)
		case a.Number != before+1 && !a.Resync:
			return fmt.Errorf("push %d came after %d, and no resync said so", a.Number, before)
		}
		before = a.Number
	}
	switch {
	case before != uint64(len(s.pushed)) || r.Revision < s.revision:
		return fmt.Errorf("it ended at push %d, revision %d; the owner at %d, %d", before, r.Revision, len(s.pushed), s.revision)
	case r.Misrouted != 0:
		return fmt.Errorf("%d of %d requests were led nowhere", r.Misrouted, r.Served)
	case !sameSettings(r.Settings, s.settings):
		return errors.New("its configuration is another one")
	}
	return nil
}

// sameSettings compares settings as they are in JSON: those of a worker have come as that.
func sameSettings(a, b map[string]Setting) bool {
	texts := [2]string{}
	for i, m := range []map[string]Setting{a, b} {
		text, err := json.Marshal(m)
		if err != nil {
			return false
		}
		texts[i] = string(text)
	}
	return texts[0] == texts[1]
}

// caughtUp says how a worker came back.
type caughtUp struct {
	took     time.Duration // until it had everything that was pushed while it was stopped
	replayed int           // pushes that it had in force one by one
	resyncs  int
	left     int // pushes that the resyncs left out
}

func (s *summary) catchUp(st stop) (c caughtUp, ok bool) {
	var last uint64 // that was pushed while it was stopped
	for i, at := range s.pushed {
		if at <= st.to {
			last = uint64(i + 1)
		}
	}
	var before uint64
	for _, a := range s.workers[st.worker-1].Log {
		if a.At > st.to {
			c.replayed++
			if a.Resync {
				c.replayed--
				c.resyncs++
				c.left += int(a.Number - before - 1)
			}
			if a.Number >= last {
				c.took = time.Duration(max(0, a.At-st.to))
				return c, true
			}
		}
		before = a.Number
		if before >= last {
			return c, true // nothing was pushed, or it was stopped so late that it had it all
		}
	}
	return c, false
}

// latencies are those of the pushes that a worker was there for, in order.
func (s *summary) latencies(id int) (all []time.Duration) {
	for i, a := range s.workers[id-1].Log {
		isStopped := slices.ContainsFunc(s.stops, func(st stop) bool {
			return st.worker == id && a.Pushed <= st.to && a.At >= st.from
		})
		if i > 0 && !isStopped {
			all = append(all, time.Duration(a.At-a.Pushed))
		}
	}
	slices.Sort(all)
	return all
}

// quantile returns a duration that the given part of all, which are sorted, did not
// exceed.
func quantile(sorted []time.Duration, part float64) string {
	if len(sorted) == 0 {
		return "-"
	}
	return short(sorted[min(int(part*float64(len(sorted))), len(sorted)-1)])
}

// String is the summary in lines of text.
func (s *summary) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	end := ""
	if s.interrupted {
		end = ", interrupted"
	}
	line("")
	line("ran %.1f s%s: %d pushes, each of several keys; %d settings in the end", s.length.Seconds(), end, len(s.pushed), len(s.settings))
	line("")
	line("worker  process  in force  resyncs  requests  half: wrong  push to in force: p50      p99    worst   idle CPU  wakeups")
	var all []time.Duration
	var inForce, resyncs int
	var served, wrong uint64
	for i, r := range s.workers {
		n := 0
		for _, a := range r.Log[min(1, len(r.Log)):] {
			if a.Resync {
				n++
			}
		}
		own := s.latencies(i + 1)
		all = append(all, own...)
		idle, wakeups := "-", "-"
		if r.Quiet > 0 {
			idle = fmt.Sprintf("%.3f %%", 100*r.QuietCPU.Seconds()/r.Quiet.Seconds())
			wakeups = fmt.Sprintf("%.0f/s", float64(r.Wakeups)/r.Quiet.Seconds())
		}
		line("%6d %8d %9d %8d %9d %12d %22s %8s %8s %10s %8s", i+1, r.PID, len(r.Log), n, r.Served, r.HalfWrong,
			quantile(own, 0.5), quantile(own, 0.99), quantile(own, 1), idle, wakeups)
		inForce, resyncs, served, wrong = inForce+len(r.Log), resyncs+n, served+r.Served, wrong+r.HalfWrong
	}
	slices.Sort(all)
	line("%6s %8s %9d %8d %9d %12d %22s %8s %8s", "all", "", inForce, resyncs, served, wrong, quantile(all, 0.5), quantile(all, 0.99), quantile(all, 1))
	line("")
	line("  in force     how many states of the configuration a worker has put in force and served by")
	line("  half: wrong  states between the events of one commit that contradict themselves: so many")
	line("               mistakes were there to be made; a worker that had made one would have ended")
	line("  push to …    from just before the transaction to when a worker has it in force; pushes that")
	line("               it was stopped for are left out")
	line("  idle CPU     of a worker blocked in Watch while nothing was pushed and nothing served, in")
	line("               percent of one core; wakeups: how often a thread of it went to sleep again")
	line("")
	for _, st := range s.stops {
		if c, ok := s.catchUp(st); ok {
			line("worker %d was stopped for %s and had caught up %s later: %d pushes one by one, %d left out (resyncs: %d)",
				st.worker, short(time.Duration(st.to-st.from)), short(c.took), c.replayed, c.left, c.resyncs)
		}
	}
	if err := s.check(); err != nil {
		line("IT DOES NOT HOLD: %v", err)
	} else {
		line("no worker has served by half a change; in the end all %d have the same configuration, that of revision %d", len(s.workers), s.revision)
	}
	return b.String()
}

// short writes a duration with three digits at most.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}
