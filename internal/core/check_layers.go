package core

import (
	"errors"
	"io/fs"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
)

// layers checks the list, and all that it lists. Once they are mapped, layers
// stay as they are, whatever is listed by then.
func (c *checkup) layers() {
	for range 100 {
		_, list, ok := c.position()
		if !ok {
			c.incomplete("no layer was checked: the list of them could not be read")
			return
		}
		stack, ok := c.openLayers(list)
		if !ok {
			continue
		}
		c.Layers = len(list.Layers)
		c.list(list)
		c.stack(list, stack)
		return
	}
	c.blind = true
	c.incomplete("the list of layers did not come to rest")
}

// openLayers opens what is listed, nil for what cannot be. It returns false if
// the list has changed meanwhile.
func (c *checkup) openLayers(list snapshot.List) ([]*snapshot.Layer, bool) {
	problems := len(c.Problems)
	stack := make([]*snapshot.Layer, len(list.Layers))
	for i, listed := range list.Layers {
		name := shm.NameOf(shm.Layer, listed.ID)
		seg, err := c.d.dir.Open(name, c.d.segment.Instance(), false, false)
		if errors.Is(err, fs.ErrNotExist) {
			// A layer is unlinked only once another list is in force.
			if c.d.control.snapshot.Sequence() != list.Sequence || c.d.str.Ended() {
				c.Problems = c.Problems[:problems]
				return nil, c.d.str.Ended()
			}
			c.found(ruleRebuild, name.String(), 0, "it is listed, and missing")
			continue
		}
		if err != nil {
			c.judge(ruleFile, name.String(), 0, err)
			continue
		}
		l, err := snapshot.Open(seg.Bytes(), name.String(), seg)
		if err != nil {
			c.judge(ruleLayer, name.String(), 0, err)
			continue
		}
		if l.Size() != int64(len(seg.Bytes())) {
			c.found(ruleLayer, name.String(), l.Size(), "a layer of %d bytes in a file of %d", l.Size(), len(seg.Bytes()))
		}
		stack[i] = l
	}
	return stack, true
}

// list checks what is listed against what it should be.
func (c *checkup) list(list snapshot.List) {
	seen := map[uint64]bool{}
	for i, l := range list.Layers {
		name := shm.NameOf(shm.Layer, l.ID)
		c.referred[name] = true
		if seen[l.ID] {
			c.found(ruleList, controlName, atSnapshot, "%s is listed twice", name)
		}
		seen[l.ID] = true
		if i == 0 && l.From != c.d.str.First() {
			c.found(ruleRebuild, controlName, atSnapshot, "the oldest layer begins at %d, not at the stream's first position %d", l.From, c.d.str.First())
		}
	}
}

// stack verifies the layers, then what ties them together.
func (c *checkup) stack(list snapshot.List, layers []*snapshot.Layer) {
	whole := true
	for i, l := range layers {
		if l == nil {
			whole, c.blind = false, true
			continue
		}
		problems := len(c.Problems)
		c.agrees(l, list.Layers[i])
		if err := l.Verify(c.tick); err != nil {
			c.judge(ruleLayer, l.Name(), 0, err)
		}
		if c.failed != nil {
			return
		}
		c.Entries += uint64(l.Len())
		c.step(l.Size())
		if ids, err := l.Externals(); err != nil {
			c.blind = true
		} else if len(ids) > 0 {
			c.externals(l, ids)
		}
		whole = whole && len(c.Problems) == problems
	}
	if !whole {
		c.incomplete("live entries were not counted: a layer is damaged")
		return
	}
	live, err := snapshot.Stack{Layers: layers}.Verify(c.tick)
	if err != nil {
		c.judge(ruleRebuild, "layers", 0, err)
		return
	}
	for i, n := range live {
		if c.Live = n; n != list.Layers[i].Live {
			c.found(ruleList, controlName, atSnapshot, "%s has %d live entries in and below it, the list says %d", layers[i].Name(), n, list.Layers[i].Live)
		}
	}
}

// tick is a progress function.
func (c *checkup) tick() error { return c.advance(0) }

// agrees checks that a layer is the one that is listed.
func (c *checkup) agrees(l *snapshot.Layer, listed snapshot.Listed) {
	is := [...]uint64{l.From(), l.To(), uint64(l.Len()), uint64(l.Tombstones()), uint64(l.Size())}
	says := [...]uint64{listed.From, listed.To, listed.Entries, listed.Tombstones, listed.Bytes}
	for i, what := range [...]string{"from", "to", "entries", "tombstones", "bytes"} {
		if is[i] != says[i] {
			c.found(ruleList, l.Name(), 0, "its %s is %d, the list says %d", what, is[i], says[i])
		}
	}
}

// externals checks the bodies that a layer refers to, and each value in them.
func (c *checkup) externals(l *snapshot.Layer, ids []uint64) {
	for _, id := range ids {
		c.referred[shm.NameOf(shm.Body, id)] = true
	}
	seen := map[uint64]bool{}
	for e, err := range l.All() {
		if err != nil || c.failed != nil {
			return // said by Verify
		}
		if e.External == 0 {
			continue
		}
		raw := string(e.Value)
		if e.Marks&markExpiring != 0 {
			raw = raw[min(deadlineSize, len(raw)):]
		}
		p, ok := parsePlace(raw)
		if !ok || p.body != e.External {
			c.found(ruleLayer, l.Name(), 0, "malformed place of the value of %.40q", e.Key)
			continue
		}
		name := shm.NameOf(shm.Body, e.External)
		seg := c.body(name)
		if seg == nil {
			if c.bodies.missing[name] && !seen[e.External] && c.stillReferred(e.External) {
				c.found(ruleRebuild, name.String(), 0, "it is missing, and %s refers to it", l.Name())
			}
			seen[e.External] = true
			continue
		}
		if !seen[e.External] {
			c.Bodies++
			seen[e.External] = true
		}
		c.refersTo(seg, e.Revision)
		c.read(seg, p.Place, "value")
	}
}

// stillReferred reports whether layers that are listed now refer to a body that
// was missed. A body goes only when none does.
func (c *checkup) stillReferred(id uint64) bool {
	for range 100 {
		list, err := c.d.control.snapshot.Read()
		if err != nil || c.d.str.Ended() {
			return false
		}
		refers, ok := c.refer(list, id)
		if ok && c.d.control.snapshot.Sequence() == list.Sequence {
			return refers
		}
	}
	c.incomplete("%s is missing, and the list of layers did not come to rest", shm.NameOf(shm.Body, id))
	return false
}

// refer reports whether listed layers refer to a body, and whether all of them
// could be read.
func (c *checkup) refer(list snapshot.List, id uint64) (refers, ok bool) {
	for _, listed := range list.Layers {
		name := shm.NameOf(shm.Layer, listed.ID)
		seg, err := c.d.dir.Open(name, c.d.segment.Instance(), false, false)
		if err != nil {
			return false, false
		}
		l, err := snapshot.Open(seg.Bytes(), name.String(), seg)
		if err != nil {
			return false, errors.Is(err, errs.ErrCorrupt)
		}
		ids, err := l.Externals()
		if err != nil {
			return false, true
		}
		for _, other := range ids {
			if other == id {
				return true, true
			}
		}
	}
	return false, true
}
