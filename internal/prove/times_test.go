package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuantiles(t *testing.T) {
	var all times
	for i := range 10_000 {
		all = append(all, time.Duration(10_000-i))
	}
	all.sorted()
	for q, want := range map[float64]time.Duration{0: 1, .5: 5000, .99: 9900, .999: 9990, .9999: 9999, 1: 10_000} {
		require.Equal(t, want, all.at(q), q)
	}
	require.Equal(t, time.Duration(7), times{7}.at(.5))
	require.Equal(t, time.Duration(7), times{7}.worst())
	require.Zero(t, times{}.at(.99))
}

func TestMedianLeavesItsArgumentAlone(t *testing.T) {
	n := []float64{3, 1, 2}
	require.Equal(t, 2.0, median(n))
	require.Equal(t, []float64{3, 1, 2}, n)
	require.Equal(t, 2.0, mean(n))
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		917:                      "917ns",
		12_345:                   "12.3µs",
		1_234_567:                "1.23ms",
		12_345_678:               "12.3ms",
		1_234_567_890:            "1.23s",
		83*time.Second + 456_789: "1m23s",
	} {
		require.Equal(t, want, short(d))
	}
}
