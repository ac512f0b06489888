package main

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHistogramAgainstSortedSamples(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	h, other := histogram{}, histogram{}
	var samples []time.Duration
	for i := range 10_000 {
		d := time.Duration(random.Uint64() >> (2 + random.IntN(62)))
		samples = append(samples, d)
		if i%2 == 0 {
			h.add(d)
		} else {
			other.add(d)
		}
	}
	h.merge(other)
	require.EqualValues(t, len(samples), h.count())

	text, err := json.Marshal(h) // as it comes from a reader
	require.NoError(t, err)
	var sent histogram
	require.NoError(t, json.Unmarshal(text, &sent))
	require.Equal(t, h, sent)

	slices.Sort(samples)
	for _, part := range []float64{0.0001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.9999, 1} {
		exact := samples[int(part*float64(len(samples)))-1]
		got := h.quantile(part)
		require.GreaterOrEqual(t, got, exact, part)
		require.LessOrEqual(t, float64(got), float64(exact)*17/16, part)
	}
}

func TestHistogramEdges(t *testing.T) {
	h := histogram{}
	require.Zero(t, h.quantile(0.5))
	require.Zero(t, h.count())
	h.add(-time.Second) // clocks are not to be trusted
	require.Zero(t, h.quantile(1))
	h.add(1<<63 - 1)
	require.Equal(t, time.Duration(1<<63-1), h.quantile(1))
	require.Zero(t, h.quantile(0), "the least one")
	for n := range time.Duration(32) {
		h := histogram{}
		h.add(n)
		require.Equal(t, n, h.quantile(0.5), "small ones exactly")
	}
}
