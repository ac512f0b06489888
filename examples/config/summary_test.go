package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sampleSummary is of three pushes, 10 ms apart. Worker 2 was stopped during the second.
func sampleSummary() *summary {
	ms := time.Millisecond.Nanoseconds()
	return &summary{
		pushed: []int64{10 * ms, 20 * ms, 30 * ms}, settings: sampleSettings(), held: sampleSettings(), revision: 9,
		stops: []stop{{worker: 2, from: 15 * ms, to: 35 * ms}}, newcomers: map[int]uint64{2: 1},
		workers: []*result{
			{
				PID: 501, Revision: 9, Settings: sampleSettings(), Served: 5, HalfWrong: 2, Quiet: time.Second, QuietCPU: time.Millisecond, Wakeups: 30,
				Log: []applied{{1, 12 * ms, 10 * ms, true}, {2, 21 * ms, 20 * ms, false}, {3, 32 * ms, 30 * ms, false}},
			},
			{
				PID: 502, Revision: 9, Settings: sampleSettings(), Served: 5,
				Log: []applied{{1, 11 * ms, 10 * ms, true}, {3, 39 * ms, 30 * ms, true}},
			},
		},
	}
}

func TestSummary(t *testing.T) {
	s := sampleSummary()
	require.NoError(t, s.check())
	text := s.String()
	require.Regexp(t, `(?m)^ +1 +501 +3 +0 +5 +2 +2\.0 ms +2\.0 ms +2\.0 ms +0\.100 % +30/s$`, text)
	require.Regexp(t, `(?m)^ +2 +502 +2 +1 +5 +0 +- +- +- +- +-$`, text)
	require.Regexp(t, `(?m)^ +all +5 +1 +10 +2 +2\.0 ms `, text)
	require.Contains(t, text, "worker 2 was stopped for 20 ms and had caught up 4.0 ms later: 0 pushes one by one, 1 left out (resyncs: 1)")
	require.Contains(t, text, "no worker has served by half a change; in the end all 2 have")
	require.NotContains(t, text, "%!")
}

func TestSummaryFinds(t *testing.T) {
	for want, change := range map[string]func(s *summary){
		"worker 2 (process 502): push 3 came after 1, and no resync": func(s *summary) { s.workers[1].Log[1].Resync = false },
		"push 2 came after 3": func(s *summary) {
			l := s.workers[0].Log
			l[1], l[2] = l[2], l[1]
			l[1].Resync = true
		},
		"push 2 was never pushed":             func(s *summary) { s.workers[0].Log[1].Pushed++ },
		"push 4 was never pushed":             func(s *summary) { s.workers[0].Log[2].Number = 4 },
		"it ended at push 2":                  func(s *summary) { s.workers[0].Log = s.workers[0].Log[:2] },
		"it did nothing":                      func(s *summary) { s.workers[0].Log = nil },
		"revision 8":                          func(s *summary) { s.workers[0].Revision = 8 },
		"1 of 5 requests":                     func(s *summary) { s.workers[0].Misrouted = 1 },
		"another one":                         func(s *summary) { delete(s.workers[0].Settings, servingKey) },
		"does not hold what was pushed":       func(s *summary) { s.held[servingKey] = Setting{Any: false} },
		"nothing was shown":                   func(s *summary) { s.workers[0].HalfWrong = 0 },
		"began anew with push 1, though 2":    func(s *summary) { s.newcomers[2] = 2 },
		"0 requests were served: nothing was": func(s *summary) { s.workers[0].Served, s.workers[1].Served = 0, 0 },
	} {
		t.Run(want, func(t *testing.T) {
			s := sampleSummary()
			change(s)
			require.ErrorContains(t, s.check(), want)
			require.Contains(t, s.String(), "IT DOES NOT HOLD: ")
		})
	}
}

func TestCatchUp(t *testing.T) {
	s := sampleSummary()
	s.workers[1].Log = s.workers[1].Log[:1]
	_, ok := s.catchUp(s.stops[0])
	require.False(t, ok)

	ms := time.Millisecond.Nanoseconds()
	s.workers[1].Log = append(s.workers[1].Log, applied{2, 36 * ms, 20 * ms, false}, applied{3, 37 * ms, 30 * ms, false})
	c, ok := s.catchUp(s.stops[0])
	require.True(t, ok)
	require.Equal(t, caughtUp{took: 2 * time.Millisecond, replayed: 2}, c)

	c, ok = s.catchUp(stop{worker: 2, from: 1 * ms, to: 11 * ms})
	require.True(t, ok, "it had it all")
	require.Equal(t, caughtUp{}, c)
}
