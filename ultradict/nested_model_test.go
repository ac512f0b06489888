package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// branch is the plain map that a nested dictionary should be.
type branch map[string]any

func (b branch) plain() map[string]any {
	p := map[string]any{}
	for k, v := range b {
		if n, ok := v.(branch); ok {
			v = n.plain()
		}
		p[k] = v
	}
	return p
}

// grove is a tree of dictionaries with two handles of its root, and the maps that it
// should be.
type grove struct {
	*testing.T
	*rand.Rand
	dir   string
	roots []*ultradict.Dict
	model branch
	old   []leaf
}

// leaf is a handle of a dictionary and the map that it was then.
type leaf struct {
	d *ultradict.Dict
	b branch
}

// Random operations, one by one and in transactions, do to a tree of dictionaries what
// they do to a tree of maps, whichever handle is used, and across rollovers.
func TestNestedModel(t *testing.T) {
	steps := 20_000
	if testing.Short() {
		steps = 4_000
	}
	g := &grove{T: t, Rand: seeded(t), dir: memoryDir(t), model: branch{}}
	for range 2 {
		g.roots = append(g.roots, open(t, g.dir, ultradict.WithStreamSize(4<<10)))
	}
	for i := range steps {
		g.step(i)
	}
	requireHealthy(t, g.dir)
	for _, d := range append(g.roots, open(t, g.dir)) {
		require.Equal(t, g.model.plain(), plain(t, d))
	}
}

// path is one to three steps down.
func (g *grove) path() []string {
	path := make([]string, 1+g.IntN(3))
	for i := range path {
		path[i] = fmt.Sprint("d", g.IntN(3))
	}
	return path
}

// down goes down a path in the model and makes what is missing; ok is false where a
// value is in the way.
func (g *grove) down(from branch, path []string) (b branch, ok bool) {
	b = from
	for _, step := range path {
		next, there := b[step]
		if !there {
			next = branch{}
			b[step] = next
		}
		if b, ok = next.(branch); !ok {
			return nil, false
		}
	}
	return b, true
}

func (g *grove) step(i int) {
	root := g.roots[g.IntN(2)]
	switch n := g.IntN(100); {
	case n < 30:
		g.nested(root)
	case n < 40:
		g.transaction(root, i)
	case n < 50:
		key := fmt.Sprint("d", g.IntN(3))
		_, there := g.model[key]
		existed, err := root.Delete(key)
		require.NoError(g, err)
		require.Equal(g, there, existed)
		delete(g.model, key)
	case n < 51:
		require.NoError(g, root.Clear())
		clear(g.model)
	case n < 53:
		require.NoError(g, root.Set("d0", i))
		g.model["d0"] = int64(i)
	case n < 95:
		g.write(root, i)
	case n < 97:
		require.Equal(g, g.model.plain(), plain(g.T, root))
	default:
		g.oldHandles()
	}
}

// nested opens a dictionary somewhere.
func (g *grove) nested(root *ultradict.Dict) {
	path := g.path()
	before := copyOf(g.model)
	d, err := root.Dict(path...)
	b, ok := g.down(g.model, path)
	if !ok {
		var typed *ultradict.TypeError
		require.ErrorAs(g, err, &typed)
		g.model = before // nothing was made of what came before it
		g.old = nil      // and their maps are others now
		return
	}
	require.NoError(g, err)
	if g.old = append(g.old, leaf{d, b}); len(g.old) > 20 {
		g.old = g.old[1:]
	}
}

func copyOf(b branch) branch {
	c := maps.Clone(b)
	for k, v := range c {
		if n, ok := v.(branch); ok {
			c[k] = copyOf(n)
		}
	}
	return c
}

// alive reports whether a map still hangs in the model.
func (g *grove) alive(in, b branch) bool {
	b["?"] = true // maps have no identity but what is in them
	defer delete(b, "?")
	return marked(in)
}

func marked(b branch) bool {
	if b["?"] != nil {
		return true
	}
	for _, v := range b {
		if n, ok := v.(branch); ok && marked(n) {
			return true
		}
	}
	return false
}

// write does something to a dictionary that was opened some time ago.
func (g *grove) write(root *ultradict.Dict, i int) {
	d, b, alive := root, g.model, true
	if len(g.old) > 0 && g.IntN(4) > 0 {
		l := g.old[g.IntN(len(g.old))]
		d, b, alive = l.d, l.b, g.alive(g.model, l.b)
	}
	key := fmt.Sprint("k", g.IntN(5))
	_, there := b[key]
	var err error
	switch g.IntN(5) {
	case 0:
		var existed bool
		if existed, err = d.Delete(key); err == nil {
			require.Equal(g, there, existed)
		}
		if alive {
			delete(b, key)
		}
	case 1:
		_, err = d.Add("n", 1)
		if alive {
			n, _ := b["n"].(int64)
			b["n"] = n + 1
		}
	case 2:
		if g.IntN(10) > 0 {
			return
		}
		err = d.Clear()
		if alive {
			clear(b)
		}
	default:
		err = d.Set(key, i)
		if alive {
			b[key] = int64(i)
		}
	}
	if alive {
		require.NoError(g, err)
	} else {
		require.ErrorIs(g, err, ultradict.ErrRemoved)
	}
}

// transaction does some things at several levels at once, or nothing.
func (g *grove) transaction(root *ultradict.Dict, i int) {
	after := copyOf(g.model)
	fail := errors.New("not this time")
	err := root.Update(context.Background(), func(tx *ultradict.DictTx) error {
		for range 1 + g.IntN(4) {
			path := g.path()
			switch g.IntN(5) {
			case 0:
				if _, err := tx.Delete(path[0]); err != nil {
					return err
				}
				delete(after, path[0])
				continue
			case 1:
				if err := tx.Set("d1", i); err != nil {
					return err
				}
				after["d1"] = int64(i)
				continue
			}
			b, ok := g.down(after, path)
			d, err := tx.Dict(path...)
			if !ok || err != nil {
				require.Equal(g, ok, err == nil, "%v", err)
				return fail
			}
			require.NoError(g, d.Set("t", i))
			b["t"] = int64(i)
			n, err := d.Len()
			require.NoError(g, err)
			require.Len(g, b, n)
		}
		if g.IntN(5) == 0 {
			return fail
		}
		return nil
	})
	if err != nil {
		return
	}
	g.model, g.old = after, nil
}

// oldHandles looks through all handles there are.
func (g *grove) oldHandles() {
	for _, l := range g.old {
		p, err := ultradict.Plain(l.d)
		if !g.alive(g.model, l.b) {
			require.ErrorIs(g, err, ultradict.ErrRemoved)
			continue
		}
		require.NoError(g, err)
		require.Equal(g, l.b.plain(), p)
	}
}
