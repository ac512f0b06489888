package ultradict_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() { roles["rebuilder"] = rebuilder }

// rebuilder puts a new tree, with the same count, in the place of an old one, again and
// again.
func rebuilder(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	defer d.Close()
	proctest.Say("ready")
	for {
		err := d.Update(context.Background(), func(tx *ultradict.DictTx) error {
			below, err := tx.Dict("a", "b")
			if err != nil {
				return err
			}
			n, err := below.Get("n")
			if err != nil {
				return err
			}
			return tx.Set("a", map[string]any{"b": map[string]any{"n": n}})
		})
		if err != nil {
			return err
		}
	}
}

// A transaction that finds its way to a nested dictionary by a path runs again if that is
// replaced meanwhile: there is another one at the end of the path, and nothing is lost.
// One that began at a handle of the old dictionary is told that it is gone.
func TestNestedTransactionsAgainstReplacement(t *testing.T) {
	d, dir := openTree(t, ultradict.WithRecurse())
	require.NoError(t, d.Set("a", map[string]any{"b": map[string]any{"n": 0}}))
	p := proctest.Start(t, "rebuilder", dir)
	require.Equal(t, "ready", p.Line())
	const each = 2000
	gone := 0
	for range each {
		require.NoError(t, d.Update(t.Context(), func(tx *ultradict.DictTx) error {
			below, err := tx.Dict("a", "b")
			if err != nil {
				return err
			}
			n, err := ultradict.As[int](below.Get("n"))
			if err != nil {
				return err
			}
			return below.Set("n", n+1)
		}))
		below, err := d.Dict("a", "b")
		require.NoError(t, err)
		err = below.Update(t.Context(), func(tx *ultradict.DictTx) error {
			n, err := ultradict.As[int](tx.Get("n"))
			if err != nil {
				return err
			}
			return tx.Set("n", n)
		})
		if errors.Is(err, ultradict.ErrRemoved) {
			gone++
			continue
		}
		require.NoError(t, err)
	}
	p.Kill()
	n, err := ultradict.As[int](dictOf(t, d, "a", "b").Get("n"))
	require.NoError(t, err)
	require.Equal(t, each, n)
	require.NotZero(t, gone)
	requireHealthy(t, dir)
}
