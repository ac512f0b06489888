package main

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func testWarehouse(t *testing.T) *warehouse {
	t.Helper()
	proctest.Directory(t)
	w, err := openWarehouse(t.Context(), "test", 2)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, w.close())
	})
	return w
}

func testRobot(t *testing.T, w *warehouse, name string) *robot {
	t.Helper()
	log, err := ultradict.Nested[string, int64](w.Dict, "robots", name, "log")
	require.NoError(t, err)
	return &robot{name: name, d: w.Dict, log: log, sites: map[string]*ultradict.Dict{}}
}

func TestMovesKeepEverything(t *testing.T) {
	w := testWarehouse(t)
	require.Equal(t, goods{"belts": each, "bolts": each, "gears": each, "nuts": each}, w.total)
	robots := []*robot{testRobot(t, w, "r1"), testRobot(t, w, "r2")}
	loaded := int64(0)
	for i := range 200 {
		require.NoError(t, robots[i%2].move(t.Context(), siteNames[i%3], true))
		if i%20 == 0 {
			require.NoError(t, w.rebuild(t.Context(), siteNames[i%3]))
		}
		carried, err := takeStock(w.Dict)
		require.NoError(t, err)
		loaded = max(loaded, carried)
	}
	require.NotZero(t, loaded)
	for _, r := range robots {
		require.NoError(t, r.move(t.Context(), "east", false))
	}
	carried, err := takeStock(w.Dict)
	require.NoError(t, err)
	require.Zero(t, carried)
	tree, err := ultradict.Plain(w.Dict)
	require.NoError(t, err)
	require.EqualValues(t, 101, at[int64](tree, "robots", "r1", "log", "moves"))
	require.EqualValues(t, 10, sumOf(at[map[string]any](tree, "sites"), "rebuilt"))
	require.Equal(t, w.rebuilt, map[string]int64{"east": 4, "north": 3, "south": 3})
}

func TestTakeStockFinds(t *testing.T) {
	w := testWarehouse(t)
	cargo, err := ultradict.Nested[string, int64](w.Dict, "robots", "r1", "cargo")
	require.NoError(t, err)
	require.NoError(t, cargo.Set("nuts", 1))
	_, err = takeStock(w.Dict)
	require.ErrorContains(t, err, "nuts 501, not belts 500")
	_, err = cargo.Delete("nuts")
	require.NoError(t, err)
	_, err = takeStock(w.Dict)
	require.NoError(t, err)
}

func TestVisitsOfRebuiltSites(t *testing.T) {
	w := testWarehouse(t)
	r := testRobot(t, w, "r1")
	require.NoError(t, r.visit("north"))
	old := r.sites["north"]
	require.NoError(t, r.visit("north"))
	require.Same(t, old, r.sites["north"], "the handle is kept")
	require.NoError(t, w.rebuild(t.Context(), "north"))
	_, err := old.Add("visits", 1)
	require.ErrorIs(t, err, ultradict.ErrRemoved)
	require.NoError(t, r.visit("north"))
	require.NotSame(t, old, r.sites["north"])
	visits, err := ultradict.As[int](r.sites["north"].Get("visits"))
	require.NoError(t, err)
	require.Equal(t, 3, visits, "those before it was rebuilt as well")
	require.Equal(t, map[string]int64{"moves": 0, "visits": 3, "reopened": 1}, maps.Collect(r.log.All()))
}
