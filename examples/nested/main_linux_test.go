package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// programVar makes the test binary be the program. Its helpers have helperVar.
const programVar = "NESTED_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(helperVar) != "" || os.Getenv(programVar) != "" {
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
	require.NoError(t, run(t.Context(), options{length: 1200 * time.Millisecond, robots: 3, kills: 2, every: 40 * time.Millisecond}, &out), &out)
	require.Regexp(t, `r\d is killed; its successor finds on board: `, out.String())
	require.Regexp(t, `(?m)^    r3\n        at: (north|east|south)\n        cargo: -\n        log: moves \d+, reopened \d+, visits \d+$`, out.String())
	require.Regexp(t, `(?m)^    south\n        layout: \[.*\]\n        rebuilt: \d+\n        shelves\n(            \d+-.: .*\n)+        visits: \d+$`, out.String())
	require.Regexp(t, `(?m)^goods    on shelves: belts 500, bolts 500, gears 500, nuts 500$`, out.String())
	require.True(t, strings.HasSuffix(out.String(), "nothing was lost, and nothing was there twice\n"))
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
	for _, when := range []string{"robots in", "is killed"} {
		t.Run(when, func(t *testing.T) {
			dir := dictionaries(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := until{text: when, then: cancel}
			require.NoError(t, run(ctx, options{length: shortest, robots: 2, kills: 1, every: 10 * time.Millisecond}, &out), &out)
			require.Contains(t, out.String(), "nothing was there twice, interrupted")
			requireEmpty(t, dir)
		})
	}
}

// TestThief takes something away while the program runs: the auditor sees it.
func TestThief(t *testing.T) {
	dir := dictionaries(t)
	out := until{text: "robots in", then: func() {
		d, err := ultradict.Open(fmt.Sprintf("nested-%d", os.Getpid()), ultradict.AttachOnly())
		require.NoError(t, err)
		defer d.Close()
		require.NoError(t, d.Update(t.Context(), func(tx *ultradict.DictTx) error {
			shelf, err := someShelf(tx, "north")
			if err != nil {
				return err
			}
			return shelf.Set("bolts", 10_000)
		}))
	}}
	require.ErrorContains(t, run(t.Context(), options{length: time.Hour, robots: 2, every: 50 * time.Millisecond}, &out), "auditor (process ")
	requireEmpty(t, dir)
}

// TestOwnerKilled leaves it to the helpers to clean up.
func TestOwnerKilled(t *testing.T) {
	dir := dictionaries(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-for", "1h", "-kills", "0")
	cmd.Env = append(os.Environ(), programVar+"=1")
	var stderr bytes.Buffer // the helpers have it too: Wait waits for them
	cmd.Stderr = &stderr
	cmd.WaitDelay = 30 * time.Second
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var said []byte
	for buf := make([]byte, 1024); !bytes.Contains(said, []byte("sites rebuilt")); {
		n, err := stdout.Read(buf)
		require.NoError(t, err, "%s", said)
		said = append(said, buf[:n]...)
	}
	require.NoError(t, cmd.Process.Kill())
	require.EqualError(t, cmd.Wait(), "signal: killed", "and the helpers have ended")
	require.Contains(t, stderr.String(), errGone.Error())
	requireEmpty(t, dir)
}

func TestNonsense(t *testing.T) {
	good := options{length: time.Second, robots: 3, every: time.Millisecond}
	for _, change := range []func(*options){
		func(o *options) { o.length = 0 },
		func(o *options) { o.robots = 0 },
		func(o *options) { o.robots = 33 },
		func(o *options) { o.kills = -1 },
		func(o *options) { o.every = 0 },
	} {
		o := good
		change(&o)
		require.ErrorContains(t, run(t.Context(), o, io.Discard), "it takes half a second")
	}
}
