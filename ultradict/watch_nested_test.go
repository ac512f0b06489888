package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// replayed does to a tree of maps what an event says.
func replayed(root map[string]any, e *ultradict.Event[string, any]) error {
	at := root
	for _, step := range e.Path {
		next, ok := at[step].(map[string]any)
		if !ok && e.Kind == ultradict.EventClear {
			return nil // of what is not there
		}
		if !ok {
			return fmt.Errorf("%v of %q in %q, which was not told of", e.Kind, e.Key, e.Path)
		}
		at = next
	}
	switch e.Kind {
	case ultradict.EventClear:
		clear(at)
	case ultradict.EventDelete, ultradict.EventExpire:
		delete(at, e.Key)
	case ultradict.EventPut:
		at[e.Key] = e.Value
		if _, nested := e.Value.(*ultradict.Dict); nested {
			at[e.Key] = map[string]any{}
		}
	}
	return nil
}

func TestWatchNested(t *testing.T) {
	d, dir := openTree(t)
	require.NoError(t, dictOf(t, d, "a", "b").Set("old", 1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var told []string
	next := func(events int, watch func(func(ultradict.Event[string, any], error) bool)) {
		told = nil
		for e, err := range watch {
			require.NoError(t, err)
			told = append(told, fmt.Sprintf("%v %v %s %t", e.Kind, e.Path, e.Key, e.More))
			if events--; events == 0 {
				return
			}
		}
	}
	w, below, only := d.Watch(ctx), dictOf(t, d, "a").Watch(ctx), d.Watch(ctx, ultradict.OnlyKey("x"))
	require.NoError(t, dictOf(t, d, "a", "b").Set("k", 1))
	other := open(t, dir)
	require.NoError(t, other.Update(ctx, func(tx *ultradict.DictTx) error {
		n, err := tx.Dict("x", "y")
		if err != nil {
			return err
		}
		return errors.Join(n.Set("in", 1), tx.Set("n", 1))
	}))
	require.NoError(t, other.Set("a", "no dictionary any more"))
	next(6, w)
	slices.Sort(told[1:3]) // keys of one dictionary come in the order in which they were written
	require.Equal(t, []string{
		"put [a b] k false", "put [] n true", "put [] x true", "put [x] y true", "put [x y] in false", "put [] a false",
	}, told)
	next(3, only)
	require.Equal(t, []string{"put [] x true", "put [x] y true", "put [x y] in false"}, told)
	var last error
	var kinds []ultradict.EventKind
	for e, err := range below {
		if last = err; err == nil {
			kinds = append(kinds, e.Kind)
		}
	}
	require.ErrorIs(t, last, ultradict.ErrRemoved)
	require.Equal(t, []ultradict.EventKind{ultradict.EventPut, ultradict.EventClear}, kinds)

	tree := map[string]any{}
	for e, err := range d.Watch(ctx, ultradict.WithContents()) {
		require.NoError(t, err)
		if e.Kind == ultradict.EventSynced {
			break
		}
		require.NoError(t, replayed(tree, &e))
	}
	require.Equal(t, plain(t, d), tree)
}

// Watchers, some of them slow, rebuild a tree of dictionaries from events while it is
// changed at random.
func TestWatchNestedModel(t *testing.T) {
	steps := 12_000
	if testing.Short() {
		steps = 3_000
	}
	g := &grove{T: t, Rand: seeded(t), dir: memoryDir(t), model: branch{}}
	for range 2 {
		g.roots = append(g.roots, open(t, g.dir, ultradict.WithStreamSize(4<<10)))
	}
	for i := range 200 {
		g.step(i)
	}
	type result struct {
		tree    map[string]any
		resyncs int
		err     error
	}
	results := make(chan result, 3)
	for n := range 3 {
		watch := open(t, g.dir).Watch(t.Context(), ultradict.WithContents())
		go func() {
			r := result{tree: map[string]any{}}
			events := 0
			for e, err := range watch {
				if r.err = err; err != nil {
					break
				}
				if e.Kind == ultradict.EventResync {
					r.resyncs++
				}
				if r.err = replayed(r.tree, &e); r.err != nil {
					break
				}
				if r.tree["the end"] != nil && !e.More { // of a resync more may follow
					break
				}
				if events++; n > 0 && events%(400/n) == 0 {
					time.Sleep(10 * time.Millisecond)
				}
			}
			results <- r
		}()
	}
	for i := range steps {
		g.step(i)
	}
	require.NoError(t, g.roots[0].Set("the end", 1))
	g.model["the end"] = int64(1)
	resyncs := 0
	for range 3 {
		r := <-results
		require.NoError(t, r.err)
		require.Equal(t, g.model.plain(), r.tree)
		resyncs += r.resyncs
	}
	t.Logf("%d resyncs", resyncs)
}
