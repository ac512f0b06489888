package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func sample() summary {
	same := state{Revision: 4711, Entries: 2, Hash: "abc"}
	sets, seen := histogram{}, histogram{}
	for n := range 100 {
		sets.add(time.Microsecond)
		seen.add(time.Duration(n+1) * time.Millisecond)
	}
	reader := func(pid int) *result {
		return &result{
			PID: pid, Elapsed: 2 * time.Second, CPU: 500 * time.Millisecond,
			Queries: 300, Reads: 4_000_000, Seen: seen, Awake: histogram{}, Missed: 3, State: same,
		}
	}
	return summary{
		elapsed: 2 * time.Second, published: counts{scans: 11, stored: 1234, deleted: 5}, sets: sets,
		readers: []*result{reader(501), reader(502)}, publisher: same,
	}
}

func TestSummary(t *testing.T) {
	s := sample()
	require.NoError(t, s.check())
	text := s.String()
	require.Contains(t, text, "ran 2.0 s: published 1,239 records in 11 scans of /proc (1,234 stored, 5 deleted)\n")
	require.Regexp(t, `(?m)^ +1 +501 +150 +2,000,000 +25 % +50 ms +101 ms +- +- \(0\)$`, text)
	require.Regexp(t, `(?m)^ +2 +502 +150 +2,000,000 +25 % `, text)
	require.Regexp(t, `(?m)^ +all +300 +4,000,000 +50 % +50 ms +101 ms `, text)
	require.Contains(t, text, "saw 200 and missed 6")
	require.Contains(t, text, "same state in all 3 processes: revision 4711, 2 entries,\nsha256 abc\n")
	require.NotContains(t, text, "interrupted")
	require.NotContains(t, text, "%!", "formats fit their arguments")

	s.interrupted = true
	require.Contains(t, s.String(), "ran 2.0 s, interrupted: ")
}

func TestSummaryOfDifferentStates(t *testing.T) {
	for name, other := range map[string]state{
		"revision": {Revision: 4712, Entries: 2, Hash: "abc"},
		"entries":  {Revision: 4711, Entries: 3, Hash: "abc"},
		"hash":     {Revision: 4711, Entries: 2, Hash: "abd"},
		"nothing":  {},
	} {
		t.Run(name, func(t *testing.T) {
			s := sample()
			s.readers[1].State = other
			require.ErrorContains(t, s.check(), "reader 2")
			require.Contains(t, s.String(), "THE STATES DIFFER")
			require.NotContains(t, s.String(), "same state")
		})
	}
	require.Error(t, summary{}.check(), "no proof at all")
}

func TestFigures(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -123: "-123", -1234: "-1,234"} {
		require.Equal(t, want, grouped(n))
	}
	require.Equal(t, "12,346", grouped(12345.6))
	for d, want := range map[time.Duration]string{
		0: "0 ns", 999: "999 ns", 1500: "1.5 µs", 15_000: "15 µs", 999_000: "999 µs", 1_500_000: "1.5 ms", 15_000_000: "15 ms", 1_500_000_000: "1.5 s",
	} {
		require.Equal(t, want, short(d))
	}
	require.Equal(t, "fifth", ordinal(5))
	require.Equal(t, "12th", ordinal(12))
}
