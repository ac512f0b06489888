package ultradict_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// flipOptions are those of all dictionaries whose bytes are flipped: the
// smallest stream, and no patience with a damaged lock.
func flipOptions(dir string) []ultradict.Option {
	return []ultradict.Option{ultradict.WithDir(dir), ultradict.WithStreamSize(4 << 10), ultradict.WithLockTimeout(5 * time.Millisecond)}
}

// flipTemplate makes a dictionary of three layers, with a Clear in the second
// and tombstones in the third, of records behind them, and of two bodies, one
// of which a layer refers to and one a record. It closes it and returns its
// files, which are as large whenever it is made.
func flipTemplate(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	d, err := ultradict.Open("test", append(flipOptions(dir), ultradict.WithLockTimeout(time.Minute))...)
	require.NoError(t, err)
	state := map[string]any{}
	set := func(k string, v any) {
		require.NoError(t, d.Set(k, v))
		state[k] = v
	}
	rollover := func() {
		before, err := d.Status()
		require.NoError(t, err)
		for i := 0; ; i++ { // exactly as much as makes a rollover due
			s, err := d.Status()
			require.NoError(t, err)
			if s.Rollovers > before.Rollovers && folded(s) == s.Head {
				return
			} else if s.Rollovers == before.Rollovers && s.Head-folded(s) < 2048 {
				set("churn", fmt.Sprintf("%04d%s", i, strings.Repeat("c", 100)))
			} else {
				time.Sleep(time.Millisecond)
			}
		}
	}
	for i := range 4 {
		set(fmt.Sprint("cleared", i), i)
	}
	rollover()
	require.NoError(t, d.Clear())
	clear(state)
	for i := range 12 {
		set(fmt.Sprint("k", i), flipValue(i, "layer"))
	}
	set("big", strings.Repeat("b", 600))
	require.NoError(t, d.SetWithTTL("timed", "layer", time.Hour))
	state["timed"] = "layer"
	nest, err := d.Dict("nest")
	require.NoError(t, err)
	require.NoError(t, nest.Set("in", "layer"))
	state["nest"] = map[string]any{"in": "layer"}
	rollover()
	for i := range 3 {
		_, err := d.Delete(fmt.Sprint("k", i))
		require.NoError(t, err)
		delete(state, fmt.Sprint("k", i))
	}
	set("k3", flipValue(3, "delta"))
	set("list", []any{int64(1), "two", nil, 3.5})
	rollover()
	history := flipHistory()
	require.Equal(t, history[0], withChurn(state))
	_, err = d.Delete("churn")
	require.NoError(t, err)
	require.NoError(t, d.Set("k4", flipValue(4, "stream")))
	require.NoError(t, d.Set("fresh", true))
	_, err = d.Delete("k5")
	require.NoError(t, err)
	require.NoError(t, d.Set("large", strings.Repeat("l", 600)))
	require.NoError(t, d.Update(t.Context(), func(tx *ultradict.Tx[string, any]) error {
		return errors.Join(tx.Set("tx1", "one"), tx.Set("tx2", 2))
	}))
	require.NoError(t, d.SetWithTTL("late", "stream", time.Hour))
	require.NoError(t, nest.Set("in", "stream"))
	s, err := d.Status()
	require.NoError(t, err)
	require.Len(t, s.Layers, 3)
	outcome, detail := lookAt(d, history)
	require.Equal(t, flipRight, outcome, detail)
	require.NoError(t, d.Close())
	files := map[string][]byte{}
	entries, err := os.ReadDir(filepath.Join(dir, "test"))
	require.NoError(t, err)
	for _, e := range entries {
		files[e.Name()], err = os.ReadFile(filepath.Join(dir, "test", e.Name()))
		require.NoError(t, err)
	}
	require.Len(t, files, 1+1+3+2)
	return files
}

func folded(s ultradict.Status) uint64 {
	if len(s.Layers) == 0 {
		return 2048 // the first position of a stream with chunks of 2 KiB
	}
	return s.Layers[len(s.Layers)-1].To
}

func flipValue(i int, where string) string { return fmt.Sprint(i, where, strings.Repeat("v", 3*i)) }

// withChurn puts in the place of the last value of "churn", which depends on
// how much fitted, what stands for it in flipHistory.
func withChurn(state map[string]any) map[string]any {
	if _, ok := state["churn"]; ok {
		state["churn"] = anyChurn
	}
	return state
}

const anyChurn = "some churn"

// flipHistory are the states that the dictionary has been in since the newest
// layer, the present one last.
func flipHistory() []map[string]any {
	state := map[string]any{
		"big": strings.Repeat("b", 600), "list": []any{int64(1), "two", nil, 3.5}, "churn": anyChurn,
		"k3": flipValue(3, "delta"), "timed": "layer", "nest": map[string]any{"in": "layer"},
	}
	for i := 4; i < 12; i++ {
		state[fmt.Sprint("k", i)] = flipValue(i, "layer")
	}
	history := []map[string]any{maps.Clone(state)}
	for _, change := range []func(){
		func() { delete(state, "churn") },
		func() { state["k4"] = flipValue(4, "stream") },
		func() { state["fresh"] = true },
		func() { delete(state, "k5") },
		func() { state["large"] = strings.Repeat("l", 600) },
		func() { state["tx1"], state["tx2"] = "one", int64(2) },
		func() { state["late"] = "stream" },
		func() { state["nest"] = map[string]any{"in": "stream"} },
	} {
		change()
		history = append(history, maps.Clone(state))
	}
	return history
}

// flipKeys are all keys that are there, were there once, or never.
var flipKeys = []string{
	"big", "list", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "k10", "k11", "fresh", "large", "tx1", "tx2",
	"timed", "late", "nest",
	"churn", "cleared0", "cleared3", "k0", "k1", "k2", "never", "",
}

// flip is one change of one byte.
type flip struct {
	file   string
	region string
	offset int64
	xor    byte
}

// region is a stretch of a file. Every byte of it is changed in as many ways as
// it says: all 255, or the eight single bits and all of them, or one.
type region struct {
	name     string
	from, to int64
	ways     int
}

const (
	everyWay = 255
	someWays = 9
	oneWay   = 1
)

// regions says which bytes of a file are flipped and how; offsets are those of
// docs/FORMAT.md.
func regions(file string, content []byte) []region {
	n := int64(len(content))
	switch kind, _, _ := strings.Cut(file, "-"); kind {
	case "control":
		list := func(slot int64) region {
			at := int64(149056 + 64 + slot*1600)
			return region{"control: list of layers", at, at + 64 + 4*64, everyWay}
		}
		return []region{
			{"control: file header", 0, 64, everyWay},
			{"control: identity", 64, 64 + 344, everyWay},
			{"control: identity, reserved", 64 + 344, 1024, oneWay},
			{"control: locks", 1024, 1152, someWays},
			{"control: leases, counters", 1152, 1344, someWays},
			{"control: participants, next id", 1344, 1348, everyWay},
			{"control: participants", 1408, 1408 + 8*64, someWays},
			{"control: participants, unused", 1408 + 100*64, 1408 + 102*64, oneWay},
			{"stream: head", 132480, 132488, everyWay},
			{"stream: tail", 132544, 132552, everyWay},
			{"stream: floor", 132552, 132560, everyWay},
			{"stream: bell", 132608, 132612, everyWay},
			{"stream: chunk table", 132672, 132672 + 16*16, someWays},
			{"control: list of layers", 149056, 149064, everyWay},
			list(0), list(1),
		}
	case "stream":
		return []region{{"stream: file header", 0, 64, everyWay}, {"stream: chunks", 64, n, someWays}}
	case "layer":
		return []region{
			{"layer: file header", 0, 64, everyWay}, {"layer: header", 64, 192, everyWay}, {"layer: the rest", 192, n, someWays},
		}
	default:
		return []region{{"body: file header", 0, 64, everyWay}, {"body: the rest", 64, n, someWays}}
	}
}

// flips lists the flips of some files, every step-th of them.
func flips(files map[string][]byte, step int, choose func(region) (region, bool)) (plan []flip) {
	n := 0
	for _, file := range slices.Sorted(maps.Keys(files)) {
		for _, r := range regions(file, files[file]) {
			r, ok := choose(r)
			if !ok {
				continue
			}
			for at := r.from; at < r.to; at++ {
				for x := 1; x < 256; x++ {
					if r.ways == someWays && x&(x-1) != 0 && x != 255 || r.ways == oneWay && x != 1<<(at%8) {
						continue
					}
					if n++; n%step == 0 {
						plan = append(plan, flip{file, r.name, at, byte(x)})
					}
				}
			}
		}
	}
	return plan
}
