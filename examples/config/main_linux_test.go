package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
)

func TestMain(m *testing.M) { proctest.MainOfProgram(m, main, workerVar) }

func TestRun(t *testing.T) {
	proctest.Directory(t)
	var out strings.Builder
	require.NoError(t, run(t.Context(), options{length: 1500 * time.Millisecond, workers: 3, every: 2 * time.Millisecond}, &out), &out)
	for _, want := range []string{
		"worker 2 is stopped", "worker 2 goes on", "worker 3 is killed", "its successor has the configuration",
		"no worker has served by half a change; in the end all 3 have the same configuration",
	} {
		require.Contains(t, out.String(), want)
	}
	require.Equal(t, 2, strings.Count(out.String(), "worker 2 was stopped for "))
	require.Regexp(t, `(?m)^ +1 +\d+ +[1-9]\d* +\d+ +[1-9]\d* +[1-9]\d* .* \d+\.\d+ % +\d+/s$`, out.String())
	require.NotContains(t, out.String(), "%!")
}

func TestInterrupted(t *testing.T) {
	for _, when := range []string{"have the configuration", "is stopped", "is killed", "nobody is to serve"} {
		t.Run(when, func(t *testing.T) {
			proctest.Directory(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := proctest.Until{Text: when, Then: cancel}
			require.NoError(t, run(ctx, options{length: shortest, workers: 3, every: time.Millisecond}, &out), &out)
			require.Contains(t, out.String(), "interrupted")
			require.Contains(t, out.String(), "no worker has served by half a change")
		})
	}
	proctest.Directory(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, run(ctx, options{length: shortest, workers: 3, every: time.Millisecond}, io.Discard), "before anything has happened")
}

// TestOwnerKilled leaves it to the workers to clean up, one of which is stopped.
func TestOwnerKilled(t *testing.T) {
	proctest.Directory(t)
	require.Contains(t, proctest.KillProgram(t, "worker 2 is stopped", "-for", "5s"), errGone.Error())
}

func TestNonsense(t *testing.T) {
	good := options{length: time.Second, workers: 3, every: time.Millisecond}
	for _, change := range []func(*options){
		func(o *options) { o.length = 0 },
		func(o *options) { o.workers = 2 },
		func(o *options) { o.workers = 33 },
		func(o *options) { o.every = 0 },
	} {
		o := good
		change(&o)
		require.ErrorContains(t, run(t.Context(), o, io.Discard), "it takes half a second")
	}
}
