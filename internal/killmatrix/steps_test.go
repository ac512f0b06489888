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

// elsewhere are steps that no scenario here takes, and why.
var elsewhere = map[string]string{
	"internal/shm/sys_linux.go writeZeros":   "only where a file system has no fallocate",
	"internal/shm/sys_linux.go sysLink":      "the second way, where there is no /proc",
	"internal/shm/sys_linux.go sysRenameNew": "only where a file system has no unnamed files",
	"internal/shm/sys_linux.go sysChgrp":     "only with a mode that lets a group in",
}

// requireEveryStep compares the steps that were passed with those in the source.
// It runs after all scenarios: a step that none of them takes is a finding.
func requireEveryStep(t *testing.T) {
	points, err := lint.Points(os.DirFS("../.."))
	require.NoError(t, err)
	var missing []string
	for _, p := range points {
		where := fmt.Sprintf("%s:%d", p.Path, p.Line)
		if passed.has(where) || slices.Contains(missing, where) {
			continue
		}
		missing = append(missing, where)
	}
	slices.Sort(missing)
	t.Logf("%d steps in the source, %d of them taken by no scenario", len(points), len(missing))
	for _, m := range missing {
		t.Log("not taken: ", m)
	}
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
