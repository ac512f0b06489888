package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// figures are what a run has to show.
type figures struct {
	acked, reads, refusals       uint64
	named, dead, unknown         uint64 // refusals, by who held the lock
	random, failpoints, together int    // deaths
	atStart                      int    // deaths of those who create or remove
	aloneDeaths                  int    // times that nobody was left, not even the driver
	stops, leaseStops, ends      int
	newcomers                    int
	epochs, removals             int
	takeovers, rollovers, merges uint64
	checks, repairs              int
	warnings                     int // of background work, logged by workers
	files                        int // of a dictionary, the most that a check has met
	lost, halves, leaks          int
	recoveries                   []time.Duration
	sites                        map[string]int // of deaths at points
}

func (f *figures) deaths() int { return f.random + f.failpoints + f.together + f.atStart }

// site counts a death at a point.
func (f *figures) site(where string) {
	if f.sites == nil {
		f.sites = map[string]int{}
	}
	f.sites[where]++
}

// leakError says that something was not given back.
type leakError string

func (e leakError) Error() string { return "leak: " + string(e) }

// blame counts a violation where it belongs.
func (f *figures) blame(err error) {
	var half halfError
	var leak leakError
	switch {
	case errors.As(err, &half) || strings.Contains(err.Error(), "seen by halves: "):
		f.halves++
	case errors.As(err, &leak):
		f.leaks++
	case strings.Contains(err.Error(), "lost: "):
		f.lost++
	}
}

func (f *figures) short() string {
	return fmt.Sprintf("%d writes, %d deaths, %d stops, %d epochs", f.acked, f.deaths(), f.stops, f.epochs)
}

// table is everything, a line each.
func (f *figures) table(took time.Duration, seed uint64) string {
	var b strings.Builder
	row := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "  %-44s %s\n", what, fmt.Sprintf(format, args...))
	}
	row("seed; time", "%d; %v", seed, took.Round(time.Second))
	row("operations", "%d, of which %d reads", f.acked+f.refusals+f.reads, f.reads)
	row("acknowledged writes", "%d", f.acked)
	row("writes refused with *LockError", "%d: %d named one that was stopped, %d a dead one, %d nobody", f.refusals, f.named, f.dead, f.unknown)
	row("deaths", "%d", f.deaths())
	row("    at random times", "%d", f.random)
	row("    at points", "%d, at %d places", f.failpoints, len(f.sites))
	row("    all at once", "%d", f.together)
	row("    of creators and removers", "%d", f.atStart)
	row("times that nobody at all was left", "%d", f.aloneDeaths)
	row("stops; of which by itself, with a lease", "%d; %d", f.stops, f.leaseStops)
	row("ended in peace; newcomers that found all", "%d; %d", f.ends, f.newcomers)
	row("epochs; of which removed under the workers", "%d; %d", f.epochs, f.removals)
	row("takeovers; rollovers; merges", "%d; %d; %d", f.takeovers, f.rollovers, f.merges)
	row("checks; repairs while nobody was attached", "%d; %d", f.checks, f.repairs)
	row("warnings of background work", "%d", f.warnings)
	row("files of a dictionary, most", "%d", f.files)
	row("lost acknowledged writes", "%d", f.lost)
	row("halves seen", "%d", f.halves)
	row("leaks", "%d", f.leaks)
	slices.Sort(f.recoveries)
	row("death → a survivor has written: p50; p99; worst", "%v; %v; %v, of %d", f.recovery(.5), f.recovery(.99), f.recovery(1), len(f.recoveries))
	return b.String()
}

// recovery is a quantile of the sorted times.
func (f *figures) recovery(q float64) time.Duration {
	n := len(f.recoveries)
	if n == 0 {
		return 0
	}
	i := int(math.Ceil(float64(n)*q)) - 1
	return f.recoveries[min(max(i, 0), n-1)].Round(time.Microsecond)
}
