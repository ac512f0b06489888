package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sampleSummary is of a client with two connections: two windows of 100 ms with a limit of
// 2, of which the second one has lost an answer when worker 501 was killed.
func sampleSummary() *summary {
	at := func(ms int, worker int, n, serial int64) record {
		sent := time.Duration(ms) * time.Millisecond
		return record{sent: sent, received: sent + 4*time.Millisecond, worker: worker, by: 501, n: n, serial: serial, allowed: n <= 2}
	}
	return &summary{
		rules: rules{Limit: 2, Window: 100 * time.Millisecond, TTL: time.Second}, length: time.Second,
		workers: []int{501, 502}, killed: 501, counted: 6, seen: 3, missed: 2, unknown: 1,
		tallies: []*tally{
			{client: "client-1", logins: 1, records: []record{at(10, 501, 1, 1), at(20, 502, 3, 3), at(115, 501, 1, 4)}},
			{client: "client-1", logins: 2, lost: 1, records: []record{at(12, 501, 2, 2), at(130, 502, 3, 6)}},
		},
	}
}

func TestSummary(t *testing.T) {
	s := sampleSummary()
	require.NoError(t, s.check())
	text := s.String()
	require.Regexp(t, `(?m)^ +501 +3 +3 +0   killed$`, text)
	require.Regexp(t, `(?m)^ +502 +2 +0 +2$`, text)
	require.Regexp(t, `(?m)^client-1 +5 +2 +2 +3 +1\.5 +2$`, text)
	require.Contains(t, text, "6 requests, and no number came twice; 1 had no answer")
	require.Contains(t, text, "and 1 numbers are missing")
	require.Contains(t, text, "3 times one had to be\n")
	require.Contains(t, text, "the limit held over all workers")
	require.NotContains(t, text, "%!")
}

func TestSummaryFinds(t *testing.T) {
	for want, change := range map[string]func(s *summary){
		"request number 3 of a window was allowed: true": func(s *summary) { s.tallies[0].records[1].allowed = true },
		"number 0 of a window":                           func(s *summary) { s.tallies[0].records[1].n = 0 },
		"a number came 4 times in 3 windows": func(s *summary) {
			for i := range 2 {
				for j := range s.tallies[i].records[:2] {
					s.tallies[i].records[j].n, s.tallies[i].records[j].allowed = 2, true
				}
			}
			s.tallies[1].lost = 2
		},
		"was followed by another one after 99ms": func(s *summary) {
			s.Window += 10 * time.Millisecond
			s.tallies[0].records[2].received -= 10 * time.Millisecond
		},
		"it has sent nothing":                          func(s *summary) { s.tallies = s.tallies[:1]; s.tallies[0].records = nil },
		"two requests were counted as number 2":        func(s *summary) { s.tallies[0].records[1].serial = 2 },
		"counted as number 6 of 5":                     func(s *summary) { s.counted = 5 },
		"7 requests were counted, and 5 answered":      func(s *summary) { s.counted = 7 },
		"3 requests had no answer, of 2 connections":   func(s *summary) { s.tallies[0].lost = 2 },
		"though 0 workers were killed":                 func(s *summary) { s.killed = 0 },
		"0 sessions were found and 2 were not, in tim": func(s *summary) { s.seen = 0 },
	} {
		t.Run(want, func(t *testing.T) {
			s := sampleSummary()
			change(s)
			require.ErrorContains(t, s.check(), want)
			require.Contains(t, s.String(), "IT DOES NOT HOLD: ")
		})
	}

	// More than the limit in one window: the third number is said to be within it.
	s := sampleSummary()
	s.tallies[1].lost = 0
	for i, r := range s.tallies[1].records {
		r.n, r.allowed = 2, true
		s.tallies[1].records[i] = r
	}
	require.NoError(t, s.checkClient(s.clients()[0]))
	s.tallies[0].records[1].n, s.tallies[0].records[1].allowed = 2, true
	require.ErrorContains(t, s.checkClient(s.clients()[0]), "a number came 3 times in 2 windows")
}

func TestWindowsThatTookLong(t *testing.T) {
	s := sampleSummary()
	// The later one may have been sent first, and have waited.
	s.tallies[0].records[2].sent = time.Millisecond
	require.NoError(t, s.check())
	require.Equal(t, 109*time.Millisecond, s.clients()[0].shortest, "from 10 ms to 119 ms, though 1 ms to 14 ms is less")
}
