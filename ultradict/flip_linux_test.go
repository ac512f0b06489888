package ultradict_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
)

// flipsVar makes the tests of this file change every byte in every way that
// regions lists, instead of some of them:
//
//	ULTRADICT_FLIPS=all go test -run 'TestFlip' -v -timeout 2h ./ultradict
const flipsVar = "ULTRADICT_FLIPS"

// TestFlipUnderReaders changes bytes of a dictionary, one at a time, under three
// readers: one that is up to date, one that has records still to read, and one
// that comes when the byte is changed already. Each must answer right or say
// what is wrong. The changes are made in processes of their own, so that a
// fault, a panic or a hang is counted like any other outcome.
func TestFlipUnderReaders(t *testing.T) {
	runFlips(t, "readers", 251)
}

// TestFlipUnderAWriter changes words of the control segment under a writer that
// goes on, and looks at what it, and who comes after it, find.
func TestFlipUnderAWriter(t *testing.T) {
	runFlips(t, "writer", 61)
}

// tally counts outcomes: by region, then "who: outcome".
type tally map[string]map[string]int

func (c tally) add(region, outcome string, n int) {
	if c[region] == nil {
		c[region] = map[string]int{}
	}
	c[region][outcome] += n
}

func (c tally) log(t *testing.T, flips int) {
	var table strings.Builder
	sums := map[string]int{}
	for _, region := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&table, "\n%s", region)
		for _, outcome := range slices.Sorted(maps.Keys(c[region])) {
			fmt.Fprintf(&table, "\n    %8d  %s", c[region][outcome], outcome)
			sums[outcome] += c[region][outcome]
		}
	}
	fmt.Fprint(&table, "\nall regions")
	for _, outcome := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&table, "\n    %8d  %s", sums[outcome], outcome)
	}
	t.Logf("%d bytes changed%s", flips, table.String())
}

// report is what a child says after each batch.
type report struct {
	Next   int // of its flips
	Counts tally
	Bad    []string // what must not be
}

// child is one of the processes that flip, each in a directory of its own.
type child struct {
	part, next int
	dir        string
	skip       []string // flips that no process survived
	proc       *proctest.Proc
}

const flipChildren = 2

// runFlips has processes make the flips, every step-th of all that there are,
// and checks what they report.
func runFlips(t *testing.T, who string, step int) {
	template := memoryDir(t)
	files := flipTemplate(t, template)
	if os.Getenv(flipsVar) == "all" {
		step = 1
	} else if testing.Short() {
		step *= 5
	}
	total := len(flipsFor(who, files, step))
	counts := tally{}
	var bad []string
	children := make([]*child, flipChildren)
	start := func(c *child) {
		c.proc = proctest.Start(t, "flip", who, template, c.dir, strconv.Itoa(step), strconv.Itoa(c.part), strconv.Itoa(c.next), strings.Join(c.skip, ","))
	}
	for part := range children {
		children[part] = &child{part: part, dir: memoryDir(t)}
		start(children[part])
	}
	for len(children) > 0 {
		for _, c := range slices.Clone(children) {
			line, ok := c.proc.TryLine()
			if !ok { // it did not survive a flip: count it, and go on behind it
				err := c.proc.Wait()
				if err == nil {
					children = slices.DeleteFunc(children, func(x *child) bool { return x == c })
					continue
				}
				at, e := os.ReadFile(filepath.Join(c.dir, "at"))
				require.NoError(t, e, "%v", err)
				bad = append(bad, fmt.Sprintf("killed by %s: %.3000v", at, err))
				counts.add("killed by it", strings.Fields(string(at))[0], 1)
				require.Less(t, len(bad), 20, "%s", strings.Join(bad, "\n"))
				c.skip = append(c.skip, strings.Fields(string(at))[0])
				start(c)
				continue
			}
			var r report
			require.NoError(t, json.Unmarshal([]byte(line), &r))
			c.next = r.Next
			bad = append(bad, r.Bad...)
			for region, outcomes := range r.Counts {
				for outcome, n := range outcomes {
					counts.add(region, outcome, n)
				}
			}
		}
	}
	counts.log(t, total)
	require.Empty(t, bad, "%d flips ended as none must", len(bad))
}
