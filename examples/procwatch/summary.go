package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// summary is what there is to say in the end.
type summary struct {
	elapsed     time.Duration
	interrupted bool
	published   counts
	sets        histogram // of the beacons, in the publisher
	readers     []*result
	publisher   state
}

// check returns an error unless all processes have the same state.
func (s summary) check() error {
	for i, r := range s.readers {
		if r.State != s.publisher {
			return fmt.Errorf("the states differ: reader %d has %v, the publisher %v", i+1, r.State, s.publisher)
		}
	}
	if s.publisher.Hash == "" {
		return errors.New("there is no state to compare")
	}
	return nil
}

// String is the summary in lines of text.
func (s summary) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	end := ""
	if s.interrupted {
		end = ", interrupted"
	}
	line("")
	line("ran %.1f s%s: published %s records in %s scans of /proc (%s stored, %s deleted)", s.elapsed.Seconds(), end,
		grouped(s.published.stored+s.published.deleted), grouped(s.published.scans), grouped(s.published.stored), grouped(s.published.deleted))
	line("")
	line("reader  process  queries/s     reads/s   CPU    seen: p50      p99   awake: p50      p99 (of)")
	all := result{Seen: histogram{}, Awake: histogram{}}
	var queries, reads, cpu float64
	for i, r := range s.readers {
		seconds := max(r.Elapsed.Seconds(), 1e-9)
		q, n, c := float64(r.Queries)/seconds, float64(r.Reads)/seconds, 100*r.CPU.Seconds()/seconds
		line("%s", r.row(fmt.Sprint(i+1), fmt.Sprint(r.PID), q, n, c))
		queries, reads, cpu = queries+q, reads+n, cpu+c
		all.Seen.merge(r.Seen)
		all.Awake.merge(r.Awake)
		all.Missed += r.Missed
	}
	line("%s", all.row("all", "", queries, reads, cpu))
	line("")
	line("  query   both top-%d lists, out of one view of the whole table", topSize)
	line("  read    Get of one process by its id; a reader rests %d times as long as it works,", rest)
	line("          so these rates are about a %s of what it could do with a core of its own", ordinal(rest+1))
	line("  seen    time from just before Set of a beacon in the publisher to when Get has returned")
	line("          it in the reader, most of which is the reader's rest; of %s beacons, at", grouped(s.sets.count()))
	line("          most %d a second, the readers together saw %s and missed %s", time.Second/beaconEvery, grouped(all.Seen.count()), grouped(all.Missed))
	line("  awake   the same, only of beacons for which the reader had looked at most %s before;", short(awakeWithin))
	line("          Set alone took %s (p50) and %s (p99), by a process that had slept before",
		s.sets.text(0.5), s.sets.text(0.99))
	line("")
	if s.check() == nil {
		line("same state in all %d processes: revision %d, %d entries,", len(s.readers)+1, s.publisher.Revision, s.publisher.Entries)
		line("sha256 %s", s.publisher.Hash)
	} else {
		line("THE STATES DIFFER")
		line("  publisher: %+v", s.publisher)
		for i, r := range s.readers {
			line("  reader %d:  %+v", i+1, r.State)
		}
	}
	return b.String()
}

// row is one line of the table of readers.
func (r *result) row(name, pid string, queries, reads, cpu float64) string {
	return fmt.Sprintf("%6s %8s %10s %11s %3.0f %%    %9s %8s    %9s %8s (%s)", name, pid, grouped(queries), grouped(reads), cpu,
		r.Seen.text(0.5), r.Seen.text(0.99), r.Awake.text(0.5), r.Awake.text(0.99), grouped(r.Awake.count()))
}

// ordinal names a part of a whole, such as a fifth.
func ordinal(n int) string {
	if names := []string{"", "", "half", "third", "quarter", "fifth", "sixth"}; n < len(names) {
		return names[n]
	}
	return fmt.Sprintf("%dth", n)
}

// grouped writes a whole number with commas: 1,234,567.
func grouped[N int | uint64 | float64](n N) string {
	digits := fmt.Sprintf("%.0f", float64(n))
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// text is a quantile in words.
func (h histogram) text(part float64) string {
	if len(h) == 0 {
		return "-"
	}
	return short(h.quantile(part))
}

// short writes a duration with three digits at most.
func short(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
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
