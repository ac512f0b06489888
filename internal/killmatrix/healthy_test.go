//go:build ultradict_failpoints

package killmatrix

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// requireHealthy checks that survivor and newcomer see the same state, one of those
// that are possible, that both can write, and that nothing is left over. It closes
// them.
func (tr *trial) requireHealthy(possible ...state) {
	newcomer, err := tr.sc.open(tr.dir, ultradict.WithLockTimeout(2*time.Second))
	require.NoError(tr, err, "open after it")
	seen := tr.read(newcomer)
	handles := []*ultradict.Dict{newcomer}
	if tr.survivor != nil {
		require.Equal(tr, seen, tr.read(tr.survivor), "survivor and newcomer differ")
		handles = append(handles, tr.survivor)
	}
	found := tr.sc.loose
	for _, s := range possible {
		found = found || same(seen, s)
	}
	if !found {
		require.Equal(tr, possible[0], seen, "%d possible states", len(possible))
	}
	if tr.sc.loose { // it may be full
		require.NoError(tr, newcomer.Clear())
		require.Eventually(tr, func() bool { return newcomer.Set("last", "word") == nil }, 10*time.Second, 20*time.Millisecond)
	}
	for _, d := range handles {
		require.NoError(tr, d.Set("last", "word"))
		v, err := newcomer.Get("last")
		require.NoError(tr, err)
		require.Equal(tr, "word", v)
		_, err = d.Delete("last")
		require.NoError(tr, err)
	}
	// Every invariant holds, and what the dead have left is gone before long: at the
	// latest when those who are there have looked about once more.
	var report ultradict.Report
	require.Eventually(tr, func() bool {
		report, err = ultradict.Check("test", ultradict.WithDir(tr.dir))
		if err != nil || !report.OK() {
			return false
		}
		return !slices.ContainsFunc(report.Orphans, func(f ultradict.File) bool { return !f.Living })
	}, 10*time.Second, 50*time.Millisecond, "%v", &report)
	for _, d := range handles {
		require.NoError(tr, d.Close())
	}
	report, err = ultradict.Check("test", ultradict.WithDir(tr.dir), ultradict.WithRepair())
	require.NoError(tr, err)
	require.True(tr, report.OK(), "%s", report)
	require.Empty(tr, report.Orphans)
}

// read is the state without the keys of those who are not the victim.
func (tr *trial) read(d *ultradict.Dict) state {
	all, err := ultradict.Plain(d)
	require.NoError(tr, err)
	n, err := d.Len()
	require.NoError(tr, err)
	require.GreaterOrEqual(tr, n, len(all))
	for _, others := range []string{"alive", "moved", "h0", "h1", "dier", "rival", "pong", shared} {
		delete(all, others)
	}
	s := state{}
	tr.flatten(s, "", all)
	return s
}

// flatten puts what is in nested dictionaries under the path to it.
func (tr *trial) flatten(s state, above string, in map[string]any) {
	for k, v := range in {
		if below, ok := v.(map[string]any); ok {
			s[above+k+"/"] = "" // there, if empty
			tr.flatten(s, above+k+"/", below)
			continue
		}
		text, err := ultradict.As[string](v, nil)
		require.NoError(tr, err)
		s[above+k] = text
	}
}
