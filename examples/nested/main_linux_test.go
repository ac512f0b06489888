package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func TestMain(m *testing.M) { proctest.MainOfProgram(m, main, helperVar) }

func TestRun(t *testing.T) {
	proctest.Directory(t)
	var out strings.Builder
	require.NoError(t, run(t.Context(), options{length: 1200 * time.Millisecond, robots: 3, kills: 2, every: 40 * time.Millisecond}, &out), &out)
	require.Regexp(t, `r\d is killed; its successor finds on board: `, out.String())
	require.Regexp(t, `(?m)^    r3\n        at: (north|east|south)\n        cargo: -\n        log: moves \d+, reopened \d+, visits \d+$`, out.String())
	require.Regexp(t, `(?m)^    south\n        layout: \[.*\]\n        rebuilt: \d+\n        shelves\n(            \d+-.: .*\n)+        visits: \d+$`, out.String())
	require.Regexp(t, `(?m)^goods    on shelves: belts 500, bolts 500, gears 500, nuts 500$`, out.String())
	require.True(t, strings.HasSuffix(out.String(), "nothing was lost, and nothing was there twice\n"))
	require.NotContains(t, out.String(), "%!")
}

func TestInterrupted(t *testing.T) {
	for _, when := range []string{"robots in", "is killed"} {
		t.Run(when, func(t *testing.T) {
			proctest.Directory(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := proctest.Until{Text: when, Then: cancel}
			require.NoError(t, run(ctx, options{length: shortest, robots: 2, kills: 1, every: 10 * time.Millisecond}, &out), &out)
			require.Contains(t, out.String(), "nothing was there twice, interrupted")
		})
	}
}

// TestThief takes something away while the program runs: the auditor sees it.
func TestThief(t *testing.T) {
	proctest.Directory(t)
	out := proctest.Until{Text: "robots in", Then: func() {
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
}

// TestOwnerKilled leaves it to the helpers to clean up.
func TestOwnerKilled(t *testing.T) {
	proctest.Directory(t)
	require.Contains(t, proctest.KillProgram(t, "sites rebuilt", "-for", "1h", "-kills", "0"), errGone.Error())
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
