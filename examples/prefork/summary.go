package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// summary is what there is to say in the end.
type summary struct {
	rules
	interrupted           bool
	length                time.Duration
	tallies               []*tally // one for each connection
	counted               int64    // requests, in the counter for all
	workers               []int    // processes of all that there were
	killed                int
	seen, missed, unknown int // see rollCall
}

// clientSum is what the connections of one client have seen.
type clientSum struct {
	name     string
	records  []record // in the order in which they were sent
	windows  int      // that were begun
	allowed  int
	lost     int           // requests without an answer
	mostOf   int           // how often the number came that came most often
	shortest time.Duration // that can have been between the beginnings of two windows, at most
	workers  map[int]bool  // that have answered
}

// clients adds the tallies up.
func (s *summary) clients() []*clientSum {
	byName := map[string]*clientSum{}
	for _, t := range s.tallies {
		c := byName[t.client]
		if c == nil {
			c = &clientSum{name: t.client, workers: map[int]bool{}}
			byName[t.client] = c
		}
		c.records = append(c.records, t.records...)
		c.lost += t.lost
	}
	var all []*clientSum
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		c := byName[name]
		slices.SortFunc(c.records, func(a, b record) int { return int(a.sent - b.sent) })
		times := map[int64]int{}
		var last *record // that began a window
		for i := range c.records {
			r := &c.records[i]
			times[r.n]++
			c.mostOf = max(c.mostOf, times[r.n])
			c.workers[r.worker] = true
			if r.allowed {
				c.allowed++
			}
			if r.n != 1 {
				continue
			}
			if last != nil {
				// Each began between when it was sent and when it was answered. Which was
				// first is not known where one took very long.
				between := max(r.received-last.sent, last.received-r.sent)
				if c.windows == 1 || between < c.shortest {
					c.shortest = between
				}
			}
			c.windows++
			last = r
		}
		all = append(all, c)
	}
	return all
}

// check returns an error unless everything holds that the program claims.
func (s *summary) check() error {
	for _, c := range s.clients() {
		if err := s.checkClient(c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if _, err := s.missing(); err != nil {
		return err
	}
	if s.interrupted {
		return nil
	}
	if s.seen == 0 || s.missed == 0 {
		return fmt.Errorf("%d sessions were found and %d were not, in time to tell: nothing was shown", s.seen, s.missed)
	}
	return nil
}

// checkClient wants the limit to hold. A request without an answer may have begun a window,
// or have had any other number.
func (s *summary) checkClient(c *clientSum) error {
	for _, r := range c.records {
		if r.allowed != (r.n <= s.Limit) || r.n < 1 {
			return fmt.Errorf("request number %d of a window was allowed: %v; the limit is %d", r.n, r.allowed, s.Limit)
		}
	}
	begun := c.windows + c.lost
	switch {
	case c.mostOf > begun:
		return fmt.Errorf("a number came %d times in %d windows", c.mostOf, begun)
	case c.allowed > int(s.Limit)*begun:
		return fmt.Errorf("%d requests were allowed in %d windows: more than %d in one", c.allowed, begun, s.Limit)
	case c.windows > 1 && c.shortest < s.Window-margin:
		return fmt.Errorf("a window of %v was followed by another one after %v", s.Window, c.shortest)
	case c.windows == 0 && !s.interrupted:
		return errors.New("it has sent nothing")
	}
	return nil
}

// missing is how many numbers of the counter for all nobody has got: no more than there
// were requests without an answer.
func (s *summary) missing() (int64, error) {
	got := map[int64]bool{}
	lost, kills := 0, 0
	for _, t := range s.tallies {
		lost += t.lost
		for _, r := range t.records {
			switch {
			case got[r.serial]:
				return 0, fmt.Errorf("two requests were counted as number %d: a count was lost", r.serial)
			case r.serial < 1 || r.serial > s.counted:
				return 0, fmt.Errorf("a request was counted as number %d of %d", r.serial, s.counted)
			}
			got[r.serial] = true
		}
	}
	if s.killed != 0 {
		kills = 1
	}
	missing := s.counted - int64(len(got))
	switch {
	case missing > int64(lost):
		return 0, fmt.Errorf("%d requests were counted, and %d answered; only %d had no answer", s.counted, len(got), lost)
	case lost > kills*len(s.tallies):
		return 0, fmt.Errorf("%d requests had no answer, of %d connections, though %d workers were killed", lost, len(s.tallies), kills)
	}
	return missing, nil
}

// String is the summary in lines of text.
func (s *summary) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	clients := s.clients()

	answered, own := map[int]int{}, map[int]int{}
	var times []time.Duration
	lost, logins := 0, 0
	for _, c := range clients {
		lost += c.lost
		for _, r := range c.records {
			answered[r.worker]++
			if r.by == r.worker {
				own[r.worker]++
			}
			times = append(times, r.received-r.sent)
		}
	}
	for _, t := range s.tallies {
		logins += t.logins
	}
	slices.Sort(times)
	line("")
	line("worker   requests   with a session of its own   of another one")
	for _, w := range s.workers {
		note := ""
		if w == s.killed {
			note = "   killed"
		}
		line("%6d %10d %27d %16d%s", w, answered[w], own[w], answered[w]-own[w], note)
	}
	line("")
	line("client       requests   by workers   windows   allowed   a window   refused")
	for _, c := range clients {
		line("%-10s %10d %12d %9d %9d %10.1f %9d", c.name, len(c.records), len(c.workers), c.windows, c.allowed,
			float64(c.allowed)/float64(max(1, c.windows)), len(c.records)-c.allowed)
	}
	line("")
	line("limit     %d requests of a client in %v: no number within a window was given out twice,", s.Limit, s.Window)
	line("          nor did a window begin before the one before it was over")
	if missing, err := s.missing(); err == nil {
		line("counts    %d requests, and no number came twice; %d had no answer because their worker was", s.counted, lost)
		line("          killed, and %d numbers are missing", missing)
	}
	line("sessions  %d of the clients; of those that all workers were asked for, %d times one had to be", logins, s.seen)
	line("          there and was, %d times one had to be gone and was (%d times either might have been)", s.missed, s.unknown)
	line("answers   %.0f a second, half of them within %s, 99 %% within %s", float64(len(times))/s.length.Seconds(),
		quantile(times, 0.5), quantile(times, 0.99))
	line("")
	end := ""
	if s.interrupted {
		end = ", interrupted"
	}
	if err := s.check(); err != nil {
		line("IT DOES NOT HOLD: %v", err)
	} else {
		line("the limit held over all workers, and no session or count was lost%s", end)
	}
	return b.String()
}

// quantile returns a duration that the given part of all, which are sorted, did not
// exceed.
func quantile(sorted []time.Duration, part float64) string {
	if len(sorted) == 0 {
		return "-"
	}
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)].Round(10 * time.Microsecond).String()
}
