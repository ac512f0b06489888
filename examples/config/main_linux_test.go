package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// programVar makes the test binary be the program. Its workers have workerVar.
const programVar = "CONFIG_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(workerVar) != "" || os.Getenv(programVar) != "" {
		main()
		return
	}
	// A program built with the race detector lingers for a second otherwise.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// dictionaries is a directory of the test's own, in which nothing may stay.
func dictionaries(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("ULTRADICT_DIR", dir)
	return dir
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestRun(t *testing.T) {
	dir := dictionaries(t)
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
	requireEmpty(t, dir)
}

// until is a writer that calls a function once something was written.
type until struct {
	strings.Builder
	text string
	then func()
	once sync.Once
}

func (u *until) Write(p []byte) (int, error) {
	n, err := u.Builder.Write(p)
	if strings.Contains(u.String(), u.text) {
		u.once.Do(u.then)
	}
	return n, err
}

func TestInterrupted(t *testing.T) {
	for _, when := range []string{"have the configuration", "is stopped", "is killed", "nobody is to serve"} {
		t.Run(when, func(t *testing.T) {
			dir := dictionaries(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := until{text: when, then: cancel}
			require.NoError(t, run(ctx, options{length: shortest, workers: 3, every: time.Millisecond}, &out), &out)
			require.Contains(t, out.String(), "interrupted")
			require.Contains(t, out.String(), "no worker has served by half a change")
			requireEmpty(t, dir)
		})
	}
	dir := dictionaries(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, run(ctx, options{length: shortest, workers: 3, every: time.Millisecond}, io.Discard), "before anything has happened")
	requireEmpty(t, dir)
}

// TestOwnerKilled leaves it to the workers to clean up, one of which is stopped.
func TestOwnerKilled(t *testing.T) {
	dir := dictionaries(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-for", "5s")
	cmd.Env = append(os.Environ(), programVar+"=1")
	var stderr bytes.Buffer // the workers have it too: Wait waits for them
	cmd.Stderr = &stderr
	cmd.WaitDelay = 30 * time.Second
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var said []byte
	for buf := make([]byte, 1024); !bytes.Contains(said, []byte("worker 2 is stopped")); {
		n, err := stdout.Read(buf)
		require.NoError(t, err, "%s", said)
		said = append(said, buf[:n]...)
	}
	require.NoError(t, cmd.Process.Kill())
	require.EqualError(t, cmd.Wait(), "signal: killed", "and the workers have ended")
	require.Contains(t, stderr.String(), errGone.Error())
	requireEmpty(t, dir)
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
