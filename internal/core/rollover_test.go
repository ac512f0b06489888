package core

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
)

func writeOp(t testing.TB, d *Dict, ops ...record.Op) {
	t.Helper()
	_, err := d.Write(context.Background(), ops, nil)
	require.NoError(t, err)
}

// Each layer says how many entries live as of its end, also where the list was
// full and the newest one had to be absorbed.
func TestLiveOfLayers(t *testing.T) {
	a := openDict(t, testConfig(t.TempDir()))
	a.merger.running.Store(true) // so that nobody merges
	for i := range snapshot.MaxLayers + 3 {
		writeOp(t, a, putOp(fmt.Sprint("k", i), "v"))
		require.NoError(t, a.foldOnce())
		list, err := a.control.snapshot.Read()
		require.NoError(t, err)
		require.EqualValues(t, i+1, list.Layers[len(list.Layers)-1].Live, "%d layers", len(list.Layers))
	}
	a.merger.running.Store(false)
}

// Whoever merged was killed before it removed what it had superseded, and their
// creator has moved on to the new list in some other way.
func TestSupersededLayersOfTheDead(t *testing.T) {
	cfg := testConfig(t.TempDir())
	x, m := openDict(t, cfg), openDict(t, cfg)
	for i := range 3 {
		writeOp(t, x, putOp(fmt.Sprint("k", i), "v"))
		require.NoError(t, x.foldOnce())
	}
	b, err := m.openBase()
	require.NoError(t, err)
	plan, err := snapshot.PlanMerge(b.stack.Layers, true, nil)
	require.NoError(t, err)
	name, merged, err := m.buildLayer(plan, nil)
	require.NoError(t, err)
	merged.From, merged.To, merged.Live = plan.From(), plan.To(), 3
	layers, ok := b.list.Replace(b.list.Layers, merged)
	require.True(t, ok)
	require.NoError(t, m.publish(func() error { return m.control.snapshot.Publish(b.list.Sequence, layers) }))
	m.settle(name)
	require.NoError(t, x.release())
	require.Eventually(t, func() bool {
		x.tick()
		files, err := x.dir.Files()
		require.NoError(t, err)
		n := 0
		for _, f := range files {
			if f.Name.Kind == shm.Layer && f.Name != name {
				n++
			}
		}
		return n == 0
	}, 30*time.Second, 20*time.Millisecond)
}

// A superseded layer is left for a while to those who are on their way to it.
func TestGrace(t *testing.T) {
	a := openDict(t, testConfig(t.TempDir()))
	for i := range 3 {
		writeOp(t, a, putOp(fmt.Sprint("k", i), "v"))
		require.NoError(t, a.foldOnce())
	}
	list, err := a.control.snapshot.Read()
	require.NoError(t, err)
	first := shm.NameOf(shm.Layer, list.Layers[0].ID)
	require.True(t, a.mergeAll())
	a.sweeping.Lock()
	a.superseded[first] = time.Now().Add(time.Hour) // a clock that stands still
	a.sweeping.Unlock()
	done, err := a.sweep()
	require.NoError(t, err)
	if _, err := a.dir.Open(first, a.segment.Instance(), false, false); err == nil {
		require.False(t, done, "something is left for another sweep")
	}
}

// Several goroutines want one more chunk at once: each that was made is referred
// to, or swept, not taken for one that is on its way for ever.
func TestGrownChunksAreSettled(t *testing.T) {
	for range 10 {
		cfg := testConfig(t.TempDir())
		cfg.StreamSize = 16 << 10
		a := openDict(t, cfg)
		require.NoError(t, a.folding.take(context.Background()))
		var writers sync.WaitGroup
		for g := range 8 {
			writers.Go(func() {
				for a.str.Size() < 14*a.str.Capacity() {
					if _, err := a.Write(context.Background(), []record.Op{putOp(fmt.Sprint("k", g), strings.Repeat("value", 20))}, nil); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		writers.Wait()
		a.pendingMu.Lock()
		for n := range a.pending {
			require.NotEqual(t, shm.Stream, n.Kind, "%v stays pending", n)
		}
		a.pendingMu.Unlock()
		a.folding.give()
	}
}

// Replaced values that have bodies go although views keep coming, as those of
// transactions do: each needs only what was not replaced before it.
func TestBodiesGoBesideViews(t *testing.T) {
	a := openDict(t, testConfig(memoryDir(t)))
	old, err := a.View() // and one that stays needs what it sees
	require.NoError(t, err)
	writeOp(t, a, putOp("kept", strings.Repeat("x", 2000)))
	kept, err := a.View()
	require.NoError(t, err)
	over := make(chan struct{})
	var viewers sync.WaitGroup
	for range 3 {
		viewers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				v, err := a.View()
				if err != nil {
					t.Error(err)
					return
				}
				v.Close()
			}
		})
	}
	writeOp(t, a, deleteOp("kept"))
	for i := range 500 {
		writeOp(t, a, putOp(fmt.Sprint("big", i%5), strings.Repeat("x", 2000)))
		writeOp(t, a, putOp(fmt.Sprint("k", i%100), "small"))
	}
	old.Close()
	_, err = kept.Get(at("kept"), reader)
	require.NoError(t, err)
	kept.Close()
	require.Eventually(t, func() bool {
		writeOp(t, a, putOp("k", "small"))
		a.tick()
		files, err := a.dir.Files()
		require.NoError(t, err)
		n := 0
		for _, f := range files {
			if f.Name.Kind == shm.Body {
				n++
			}
		}
		return n < 60
	}, 30*time.Second, 20*time.Millisecond)
	close(over)
	viewers.Wait()
}
