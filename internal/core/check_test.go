package core

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
)

// checked checks the dictionary of openDict.
func checked(t testing.TB, cfg Config, opts CheckOptions) CheckReport {
	t.Helper()
	r, err := Check("test", cfg, opts)
	require.NoError(t, err)
	return r
}

func layered(t *testing.T, cfg Config) *Dict {
	t.Helper()
	d := openDict(t, cfg)
	for round := range 3 {
		for i := range 20 {
			writeOp(t, d, putOp(fmt.Sprint(round, "/", i), "v"))
		}
		rolloverNow(t, d)
	}
	return d
}

// A list that was published whole, and says what is not so.
func TestCheckFindsWrongLists(t *testing.T) {
	for what, c := range map[string]struct {
		change func(layers []snapshot.Listed) []snapshot.Listed
		rule   string
	}{
		"entries":        {func(l []snapshot.Listed) []snapshot.Listed { l[0].Entries++; return l }, ruleList},
		"tombstones":     {func(l []snapshot.Listed) []snapshot.Listed { l[0].Tombstones++; return l }, ruleList},
		"live":           {func(l []snapshot.Listed) []snapshot.Listed { l[0].Live++; return l }, ruleList},
		"bytes":          {func(l []snapshot.Listed) []snapshot.Listed { l[0].Bytes++; return l }, ruleList},
		"beginning":      {func(l []snapshot.Listed) []snapshot.Listed { l[0].From -= 8; return l }, ruleRebuild},
		"another layer":  {func(l []snapshot.Listed) []snapshot.Listed { l[0].ID = l[1].ID; return l }, ruleList},
		"the last layer": {func(l []snapshot.Listed) []snapshot.Listed { return l[:len(l)-1] }, ruleRebuild},
		"the base":       {func(l []snapshot.Listed) []snapshot.Listed { return l[1:] }, ruleRebuild},
		"no such layer":  {func(l []snapshot.Listed) []snapshot.Listed { l[1].ID += 1000; return l }, ruleRebuild},
	} {
		t.Run(what, func(t *testing.T) {
			cfg := testConfig(memoryDir(t))
			d := layered(t, cfg)
			require.Empty(t, checked(t, cfg, CheckOptions{}).Problems)
			list, err := d.control.snapshot.Read()
			require.NoError(t, err)
			require.Greater(t, len(list.Layers), 1)
			require.NoError(t, d.control.snapshot.Publish(list.Sequence, c.change(list.Layers)))
			r := checked(t, cfg, CheckOptions{Repair: true})
			rules := ""
			for _, p := range r.Problems {
				rules += p.Rule + " "
			}
			require.Contains(t, rules, c.rule, "%+v", r)
			require.Empty(t, r.Removed)
		})
	}
}

// What a process may leave when it dies is no problem, and repairing it leaves
// nothing; what the living may need stays.
func TestCheckRepairsWhatTheDeadLeave(t *testing.T) {
	cfg := testConfig(memoryDir(t))
	d := layered(t, cfg)
	dead := openDict(t, cfg)
	var names []shm.Name
	for _, kind := range []shm.Kind{shm.Stream, shm.Layer, shm.Body} {
		for _, d := range []*Dict{d, dead} {
			draft, err := d.create(kind, streamsOffset+int64(d.id.chunk))
			require.NoError(t, err)
			_, err = draft.Publish()
			require.NoError(t, err)
			names = append(names, draft.Name())
		}
	}
	id := dead.peer.ID()
	require.NoError(t, dead.Close())
	ctl := d.control
	require.True(t, ctl.work.fold.owner.CompareAndSwap(0, id))
	require.Zero(t, ctl.lock.Owner())

	r := checked(t, cfg, CheckOptions{})
	require.Empty(t, r.Problems, "%+v", r)
	require.Contains(t, strings.Join(r.Notes, "\n"), "has an owner that is gone")
	living := map[string]bool{}
	for _, s := range r.Orphans {
		living[s.Name] = s.Living
	}
	for i, name := range names {
		alive, listed := living[name.String()]
		require.True(t, listed, "%v in %+v", name, r.Orphans)
		require.Equal(t, i%2 == 0, alive, "%v", name)
	}
	r = checked(t, cfg, CheckOptions{Repair: true})
	require.Empty(t, r.Problems, "%+v", r)
	for _, s := range r.Orphans {
		require.True(t, s.Living, "%+v", s)
	}
	require.GreaterOrEqual(t, len(r.Removed), 3)
	for i, name := range names {
		_, err := d.dir.Open(name, d.segment.Instance(), false, false)
		require.Equal(t, i%2 != 0, errors.Is(err, fs.ErrNotExist), "%v: %v", name, err)
	}
	require.Zero(t, ctl.work.fold.owner.Load())
}
