package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// figure prints a figure beside its goal.
func (r *run) figure(what, got, goal string, ok bool) {
	clearProgress()
	r.figures++
	verdict := "ok"
	if !ok {
		verdict = "MISSED"
		r.missed = append(r.missed, fmt.Sprintf("%s: %s: %s, goal %s", r.name, what, got, goal))
	}
	fmt.Printf("  %-58s %-26s goal %-20s %s\n", what, got, goal, verdict)
}

// tell prints a figure that has no goal.
func (r *run) tell(what, format string, args ...any) {
	clearProgress()
	fmt.Printf("  %-58s %s\n", what, fmt.Sprintf(format, args...))
}

// equal prints a figure that has to be exact.
func (r *run) equal(what string, got, want int) {
	r.figure(what, fmt.Sprint(got), fmt.Sprint(want), got == want)
}

// atMost prints a duration that has to be short.
func (r *run) atMost(what string, got, goal time.Duration) {
	r.figure(what, short(got), "≤ "+short(goal), got <= goal)
}

// ratio prints a ratio that has to be small, and what is aimed at if that is
// less.
func (r *run) ratio(what string, got, goal, aim float64) {
	text := fmt.Sprintf("≤ %.1f ×", goal)
	if aim < goal {
		text += fmt.Sprintf(" (aim %.1f)", aim)
	}
	r.figure(what, fmt.Sprintf("%.2f ×", got), text, got <= goal)
}

var onTerminal = func() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}()

// progress tells what is going on, on one line of a terminal that it rewrites.
func (r *run) progress(format string, args ...any) {
	if onTerminal {
		fmt.Fprintf(os.Stderr, "\r\x1b[K  %3.0f s  %s", time.Since(r.begin).Seconds(), fmt.Sprintf(format, args...))
	}
}

func clearProgress() {
	if onTerminal {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

// short is a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d >= 10*time.Microsecond:
		return d.Round(100 * time.Nanosecond).String()
	default:
		return d.String()
	}
}

// size is a number of bytes with a unit.
func size[N int | int64 | uint64](n N) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
	}
}

func loadAverage() string {
	raw, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(raw))
	if err != nil || len(fields) < 3 {
		return "unknown"
	}
	return strings.Join(fields[:3], " ")
}
