//go:build ultradict_failpoints

package killmatrix

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/lint"
)

// elsewhere are the functions with steps that no scenario takes, and why.
var elsewhere = map[string]string{
	"internal/core/keeper.go tick":           "a word of this process's own, called like one that is shared",
	"internal/core/lease.go take":            "robbing a folder that lives and does not get on: TestStop of internal/core",
	"internal/shm/sys_linux.go sysLink":      "the second way, where there is no /proc",
	"internal/shm/sys_linux.go sysRename":    "where a file system cannot rename without replacing",
	"internal/shm/sys_linux.go sysRenameNew": "where a file system has no unnamed files",
	"internal/shm/sys_linux.go sysChgrp":     "with a mode that lets a group in",
	"internal/shm/sys_linux.go open":         "the wrapper of those that create files",
	"internal/shm/sys_linux.go writeZeros":   "where a file system has no fallocate",
	"locks/wait.go announce":                 "clears a bit that only damage leaves",
	"locks/wait.go passOn":                   "a waiter whose time is up in the moment in which it is woken",
	"stream/writer.go Append":                "the broken build, see broken_off.go",
}

// requireEveryStep compares the steps that were passed with those in the source.
// It runs after all scenarios: a step that none of them takes is a failure, so that
// whoever adds one has to take it.
func requireEveryStep(t *testing.T) {
	points, err := lint.Points(os.DirFS("../.."))
	require.NoError(t, err)
	require.NotEmpty(t, points)
	missing := 0
	for _, p := range points {
		where := fmt.Sprintf("%s:%d", p.Path, p.Line)
		if passed.has(where) {
			continue
		}
		missing++
		if _, known := elsewhere[p.Path+" "+p.Function]; !known {
			t.Errorf("%s (%s): no scenario takes this step: add one, or say in elsewhere why not", where, p.Function)
		}
	}
	t.Logf("%d steps in the source, %d of them passed by the scenarios, %d known to be taken elsewhere", len(points), len(points)-missing, missing)
}

// summary says what all runs together have shown.
func summary(t *testing.T) {
	shown.mu.Lock()
	defer shown.mu.Unlock()
	t.Logf("killed at %d places: %d kills, and %d further deaths of those who came after", len(shown.sites), shown.kills, shown.further)
	t.Logf("stopped and continued: %d, of which %d had the lock; %d runs ended before their point", shown.stops, shown.held, shown.missed)
	slices.SortFunc(shown.recovery, func(a, b taken) int { return int(b.time - a.time) })
	if n := len(shown.recovery); n > 0 {
		at := func(q float64) time.Duration { return shown.recovery[int(float64(n-1)*(1-q))].time }
		t.Logf("from a death to the survivor's next write: p50 %v  p99 %v  worst %v, of %d", at(.5), at(.99), at(1), n)
		for _, r := range shown.recovery[:min(5, n)] {
			t.Logf("    %v at %s", r.time, strings.TrimSpace(r.site))
		}
	}
}
