package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The test's binary is a worker, like the program's, if it is started as one.
func TestMain(m *testing.M) {
	if os.Getenv(workerVar) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	t.Setenv("ULTRADICT_DIR", t.TempDir())
	var out strings.Builder
	require.NoError(t, run(t.Context(), config{jobs: 8, workers: 3, kills: 3, bits: 14}, &out))
	require.Contains(t, out.String(), "8 jobs done in ")
	require.Contains(t, out.String(), "every answer is right")
}

func TestInterrupted(t *testing.T) {
	t.Setenv("ULTRADICT_DIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	require.NoError(t, run(ctx, config{jobs: 8, workers: 3, bits: 30}, &out))
	require.NotContains(t, out.String(), "done in")
}

func TestNonsense(t *testing.T) {
	for _, c := range []config{{}, {jobs: 1}, {jobs: 1, workers: 1}, {jobs: 1, workers: 1, bits: 64}, {jobs: 1, workers: 1, bits: 8, kills: -1}} {
		require.Error(t, run(t.Context(), c, io.Discard))
	}
}
