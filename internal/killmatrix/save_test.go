//go:build ultradict_failpoints

package killmatrix

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// savesOf is where the saves of a trial are: not in the directory that is to be empty
// at its end.
func savesOf(dir string) string { return dir + ".saves" }

func persistence(dir string) ultradict.Option {
	return ultradict.WithPersistence(savesOf(dir), 3*time.Millisecond)
}

// saveFirst leaves nothing but a save of what the scenario begins with.
func (tr *trial) saveFirst() {
	d, err := tr.sc.open(tr.dir)
	require.NoError(tr, err)
	for _, s := range tr.sc.setup {
		require.NoError(tr, s.do(d))
	}
	require.NoError(tr, d.Close())
	require.NoError(tr, tr.remove())
}

// forgetful removes the saves, opens the dictionary again, and stays until there is one.
func forgetful(dir string) error {
	names, err := filepath.Glob(filepath.Join(savesOf(dir), "*.save"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	d, err := ultradict.Open("test", ultradict.WithDir(dir), persistence(dir))
	if err != nil {
		return err
	}
	time.Sleep(40 * time.Millisecond)
	return d.Close()
}

// requireSaved checks that all saves are whole, and that the newest gives a state that
// was there, not older than what was restored. Nothing is in memory, and nothing is left
// in the end.
func (tr *trial) requireSaved(acked int) {
	names, err := filepath.Glob(filepath.Join(savesOf(tr.dir), "*.save"))
	require.NoError(tr, err)
	for _, name := range names {
		_, err := ultradict.CheckSave(name)
		require.NoError(tr, err)
	}
	d, err := ultradict.Open("test", ultradict.WithDir(tr.dir), persistence(tr.dir))
	require.NoError(tr, err)
	seen := tr.read(d)
	found := len(names) == 0 && len(seen) == 0 && !tr.sc.revived
	for n := range acked + 2 {
		found = found || same(seen, tr.sc.after(n))
	}
	require.True(tr, found, "after %d steps, restored from %v: %v", acked, names, seen)
	require.NoError(tr, d.Close())
	err = ultradict.Remove("test", ultradict.WithDir(tr.dir), persistence(tr.dir))
	if !errors.Is(err, ultradict.ErrNotExist) {
		require.NoError(tr, err)
	}
	tr.requireEmpty()
	left, err := os.ReadDir(savesOf(tr.dir))
	require.NoError(tr, err)
	require.Empty(tr, left)
}
