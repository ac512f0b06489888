package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

func sampleSummary() *summary {
	number := func(n int64) any { return n }
	return &summary{
		tree: map[string]any{
			"closed": true,
			"sites": map[string]any{
				"north": map[string]any{
					"shelves": map[string]any{"a": map[string]any{"bolts": number(3)}, "b": map[string]any{"bolts": number(1), "nuts": number(0)}},
					"layout":  []any{"a", "b"}, "visits": number(5), "rebuilt": number(1),
				},
				"south": map[string]any{
					"shelves": map[string]any{"c": map[string]any{"nuts": number(7)}},
					"layout":  []any{"c"}, "visits": number(2), "rebuilt": number(0),
				},
			},
			"robots": map[string]any{
				"r1": map[string]any{"cargo": map[string]any{}, "log": map[string]any{"moves": number(4), "visits": number(4), "reopened": number(1)}},
				"r2": map[string]any{"cargo": map[string]any{}, "log": map[string]any{"moves": number(2), "visits": number(2), "reopened": number(0)}},
			},
			"audit": map[string]any{"moments": number(10), "most on board": number(2)},
		},
		total: goods{"bolts": 4, "nuts": 7}, rebuilt: map[string]int64{"north": 1}, runs: 2, killed: 1,
		health: ultradict.Report{Complete: true},
	}
}

func TestSummary(t *testing.T) {
	s := sampleSummary()
	require.NoError(t, s.check())
	text := strings.Join(s.lines(), "\n")
	for _, want := range []string{
		"\nclosed: true\nrobots\n    r1\n        cargo: -\n        log: moves 4, reopened 1, visits 4\n    r2\n",
		"\n    north\n        layout: [a b]\n        rebuilt: 1\n        shelves\n            a: bolts 3\n            b: bolts 1, nuts 0\n        visits: 5\n",
		"on shelves: bolts 4, nuts 7\n", "moves    6, ", "in 10 moments", "up to 2 pieces", "7 signatures", "6 in the robots' logs",
		"1 sites, in 2 runs", "again, 1 times", "nothing was lost, and nothing was there twice",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "%!")
}

func TestSummaryFinds(t *testing.T) {
	for want, change := range map[string]func(s *summary){
		"not bolts 5":                 func(s *summary) { s.total["bolts"]++ },
		"ended with nuts 1 on board":  func(s *summary) { at[map[string]any](s.tree, "robots", "r1", "cargo")["nuts"] = int64(1) },
		"1 signatures are lost":       func(s *summary) { at[map[string]any](s.tree, "sites", "north")["visits"] = int64(3) },
		"the books have 7 signatures": func(s *summary) { s.killed = 0 },
		"north was rebuilt 2 times":   func(s *summary) { s.rebuilt["north"] = 2 },
		"the dictionary is not well":  func(s *summary) { s.health.Complete = false },
		"nobody has looked":           func(s *summary) { at[map[string]any](s.tree, "audit")["moments"] = int64(0) },
		"nobody had to open one":      func(s *summary) { at[map[string]any](s.tree, "robots", "r1", "log")["reopened"] = int64(0) },
	} {
		t.Run(want, func(t *testing.T) {
			s := sampleSummary()
			change(s)
			require.ErrorContains(t, s.check(), want)
			require.Contains(t, strings.Join(s.lines(), "\n"), "IT DOES NOT HOLD: ")
		})
	}
	s := sampleSummary()
	s.interrupted = true
	at[map[string]any](s.tree, "audit")["moments"] = int64(0)
	require.NoError(t, s.check(), "there was no time for it")
}
