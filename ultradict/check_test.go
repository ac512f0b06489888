package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

// contents are the bytes of all files below a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	}))
	return files
}

// Sound dictionaries of all kinds are found to be sound, open and closed, and
// looking changes no byte.
func TestCheckFindsNothing(t *testing.T) {
	set := func(t *testing.T, d *ultradict.Dict, n, size int) {
		for i := range n {
			require.NoError(t, d.Set(fmt.Sprint("k", i%500), strings.Repeat("v", size)))
		}
	}
	for name, use := range map[string]func(*testing.T, *ultradict.Dict){
		"empty":          func(*testing.T, *ultradict.Dict) {},
		"one":            func(t *testing.T, d *ultradict.Dict) { set(t, d, 1, 1) },
		"rollovers":      func(t *testing.T, d *ultradict.Dict) { set(t, d, 20_000, 30) },
		"large values":   func(t *testing.T, d *ultradict.Dict) { set(t, d, 300, 5_000) },
		"mostly deleted": func(t *testing.T, d *ultradict.Dict) { set(t, d, 2000, 30); deleteAll(t, d) },
		"cleared":        func(t *testing.T, d *ultradict.Dict) { set(t, d, 2000, 30); require.NoError(t, d.Clear()) },
		"cleared and used": func(t *testing.T, d *ultradict.Dict) {
			for range 3 {
				set(t, d, 1000, 30)
				require.NoError(t, d.Clear())
				set(t, d, 100, 3000)
			}
		},
		"transactions": func(t *testing.T, d *ultradict.Dict) {
			for i := range 300 {
				require.NoError(t, d.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error {
					for j := range 20 {
						if err := tx.Set(fmt.Sprint("k", i, "/", j), strings.Repeat("v", i)); err != nil {
							return err
						}
					}
					_, err := tx.Delete(fmt.Sprint("k", i-3, "/1"))
					return err
				}))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := memoryDir(t)
			d, err := ultradict.Open("test", ultradict.WithDir(dir), ultradict.WithStreamSize(4<<10))
			require.NoError(t, err)
			use(t, d)
			r := requireHealthy(t, dir)
			require.Len(t, r.Participants, 1)
			n, err := d.Len()
			require.NoError(t, err)
			require.NoError(t, d.Close())

			before := contents(t, dir)
			r = requireHealthy(t, dir)
			require.Equal(t, before, contents(t, dir), "a look has changed something")
			require.True(t, r.ThisBoot)
			require.Empty(t, r.Participants)
			if r.Folded == r.Head {
				require.EqualValues(t, n, r.Live)
			}
			r = requireHealthy(t, dir, ultradict.WithRepair())
			require.Empty(t, r.Orphans, "%v", r)
			t.Log(r)
		})
	}
}

func deleteAll(t *testing.T, d *ultradict.Dict) {
	t.Helper()
	for k := range d.Keys() {
		_, err := d.Delete(k)
		require.NoError(t, err)
	}
}

func TestCheckOfWhatCannotBeChecked(t *testing.T) {
	dir := memoryDir(t)
	_, err := ultradict.Check("test", ultradict.WithDir(dir))
	require.ErrorIs(t, err, ultradict.ErrNotExist)
	_, err = ultradict.Check("test", ultradict.WithDir(filepath.Join(dir, "none")))
	require.ErrorIs(t, err, ultradict.ErrNotExist)
	_, err = ultradict.Check("a/b", ultradict.WithDir(dir))
	require.ErrorIs(t, err, ultradict.ErrInvalidName)
	_, err = ultradict.Check("test", ultradict.WithDir(""))
	require.ErrorIs(t, err, ultradict.ErrInvalidOption)

	d := open(t, dir)
	require.NoError(t, d.Set("k", 1))
	stop := errors.New("stop")
	_, err = ultradict.Check("test", ultradict.WithDir(dir), ultradict.WithProgress(func(checked, total int64) error {
		require.LessOrEqual(t, checked, total)
		return stop
	}))
	require.NoError(t, err, "too little for any progress")
	require.NoError(t, d.Set("k", strings.Repeat("v", 100_000)))
	_, err = ultradict.Check("test", ultradict.WithDir(dir), ultradict.WithProgress(func(checked, total int64) error { return stop }))
	require.ErrorIs(t, err, stop)
	require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir)))
	_, err = ultradict.Check("test", ultradict.WithDir(dir), ultradict.WithRepair())
	require.ErrorIs(t, err, ultradict.ErrNotExist)
	require.Empty(t, contents(t, dir))

	open(t, dir)
	control := filepath.Join(dir, "test", "control")
	b, err := os.ReadFile(control)
	require.NoError(t, err)
	b[8]++
	require.NoError(t, os.WriteFile(control, b, 0o600))
	_, err = ultradict.Check("test", ultradict.WithDir(dir))
	require.ErrorIs(t, err, ultradict.ErrVersion)
}

// churner writes for ever, in all ways: small values and large ones, transactions,
// deletions, now and then a Clear.
func churner(args []string) error {
	for i := 0; ; i++ {
		d, err := ultradict.Open("test", ultradict.WithDir(args[0]), ultradict.WithStreamSize(4<<10))
		if err != nil {
			return err
		}
		if i == 0 {
			proctest.Say("ready")
		}
		for j := range 2000 {
			switch {
			case j%401 == 0:
				err = d.Set(fmt.Sprint("big", j%7), strings.Repeat("big", 500+j))
			case j%13 == 0:
				_, err = d.Delete(fmt.Sprint(args[1], j%300))
			case j%31 == 0:
				err = d.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error {
					if err := tx.Set("both", j); err != nil {
						return err
					}
					return tx.Set(args[1], strings.Repeat("x", j%300))
				})
			case j == 1111 && i%5 == 0:
				err = d.Clear()
			default:
				err = d.Set(fmt.Sprint(args[1], j%300), j)
			}
			if err != nil {
				return err
			}
		}
		if err := d.Close(); err != nil {
			return err
		}
	}
}

// While three processes write, roll over and merge, open and close, nothing is
// found that is not so.
func TestCheckUnderLoad(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 40
	}
	dir := memoryDir(t)
	var procs []*proctest.Proc
	for i := range 3 {
		procs = append(procs, proctest.Start(t, "churner", dir, fmt.Sprint("p", i)))
		require.Equal(t, "ready", procs[i].Line())
	}
	var first, last ultradict.Report
	for i := range rounds {
		var opts []ultradict.Option
		if i%20 == 7 {
			opts = append(opts, ultradict.WithRepair())
		}
		last = requireHealthy(t, dir, opts...)
		if i == 0 {
			first = last
		}
	}
	require.Greater(t, last.Folded, first.Folded, "nobody was at work")
	for _, p := range procs {
		p.Kill()
	}
	t.Log(last)
	require.Empty(t, requireHealthy(t, dir, ultradict.WithRepair()).Orphans)
}

// Whenever processes die, what they leave is sound; there may be orphans, and
// repairing leaves none.
func TestCheckAfterDeaths(t *testing.T) {
	rounds := 50
	if testing.Short() {
		rounds = 12
	}
	dir := memoryDir(t)
	orphans := 0
	for range rounds {
		procs := []*proctest.Proc{proctest.Start(t, "churner", dir, "a"), proctest.Start(t, "churner", dir, "b")}
		require.Equal(t, "ready", procs[0].Line())
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		procs[0].Kill()
		requireHealthy(t, dir)
		procs[1].Kill()
		r := requireHealthy(t, dir)
		orphans += len(r.Orphans)
		for _, f := range r.Orphans {
			require.False(t, f.Living, "%v", r)
		}
		require.Empty(t, r.Participants)
		if rand.IntN(2) == 0 {
			r = requireHealthy(t, dir, ultradict.WithRepair())
			require.Empty(t, r.Orphans, "%v", r)
		}
	}
	t.Logf("%d orphans in %d rounds", orphans, rounds)
	d := open(t, dir)
	require.NoError(t, d.Set("after", 1))
}
