package core

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
)

// listFiles lists the directory.
func (c *checkup) listFiles() {
	entries, err := c.d.dir.Entries()
	if err != nil {
		c.judge(ruleFile, c.Name, 0, err)
		return
	}
	c.entries, c.Files = entries, len(entries)
	for _, e := range entries {
		c.Bytes += min(max(e.Size, 0), math.MaxInt64-c.Bytes)
	}
	c.total = c.Bytes
}

// files checks of each file what can be said without its contents. It also asks
// whether their creators live: that must be known before it is known what
// refers to them.
func (c *checkup) files() {
	c.listFiles()
	ring := false
	for _, e := range c.entries {
		name, ok := nameOf(e.File)
		if !ok {
			continue
		}
		if _, asked := c.gone[name.Creator]; !asked {
			c.gone[name.Creator] = c.d.peer.Dead(name.Creator)
		}
		if strings.HasPrefix(e.File, ".") {
			continue // a draft: its creator may be at work on it
		}
		ring = ring || name == firstRing
		c.file(name, e)
		if c.failed != nil {
			return
		}
	}
	if !ring {
		c.found(ruleFile, firstRing.String(), 0, "it is missing")
	}
}

// nameOf is the segment that a file is, or is a draft of.
func nameOf(file string) (shm.Name, bool) {
	if name, ok := shm.DraftOf(file); ok {
		return name, true
	}
	name, err := shm.ParseName(file)
	return name, err == nil
}

func (c *checkup) file(name shm.Name, e shm.Entry) {
	bad := func(format string, args ...any) { c.found(ruleFile, e.File, 0, format, args...) }
	switch {
	case name.Kind == shm.Control:
	case name.Creator == 0 && name != firstRing:
		bad("only the first chunks are made by nobody")
	case name.Creator != 0 && !c.d.peer.Known(name.Creator):
		bad("its creator %d was never given out as an id", name.Creator)
	}
	mode := fs.FileMode(c.d.id.mode)
	if mode == 0 {
		mode = 0o600
	}
	if e.Mode.IsRegular() && e.Mode.Perm() != mode {
		bad("its mode is %v, not %v", e.Mode.Perm(), mode)
	}
	if name.Kind == shm.Control {
		return // open has looked at the rest
	}
	seg, err := c.d.dir.Open(name, c.d.segment.Instance(), false, false)
	if errors.Is(err, fs.ErrNotExist) {
		return // removed meanwhile
	}
	if err != nil {
		c.judge(ruleFile, e.File, 0, err)
		return
	}
	size := int64(len(seg.Bytes()))
	_ = seg.Close() // nobody else has it
	chunk := int64(c.d.id.chunk)
	switch {
	case name == firstRing && size != streamsOffset+chunk*int64(c.d.id.chunks):
		bad("it has %d bytes, %d chunks of %d have others", size, c.d.id.chunks, chunk)
	case name.Kind == shm.Stream && name != firstRing && size != streamsOffset+chunk:
		bad("it has %d bytes, a chunk of %d has others", size, chunk)
	}
}

// leftovers lists the dotted directories of the root.
func (c *checkup) leftovers(root *shm.Root) {
	all, err := root.Leftovers()
	if err != nil {
		c.judge(ruleFile, root.Path(), 0, err)
		return
	}
	for _, l := range all {
		c.Orphans = append(c.Orphans, Stray{Name: l.Name, Bytes: l.Bytes,
			Why: "a dictionary that is being made or removed, or was when somebody died"})
	}
}

// orphans lists the files that nothing refers to.
func (c *checkup) orphans() {
	segments, ok := c.d.str.Segments()
	c.blind = c.blind || !ok
	for _, segment := range segments {
		name, _ := chunkName(segment)
		c.referred[name] = true
	}
	if c.blind {
		c.incomplete("files that nothing refers to were not looked for: what refers to them could not be read")
		return
	}
	pins := c.d.pins()
	for _, e := range c.entries {
		name, ok := nameOf(e.File)
		stray := Stray{Name: e.File, Bytes: e.Size, Living: ok && !c.gone[name.Creator]}
		switch {
		case !ok:
			stray.Why = "it is none of a dictionary's files"
		case strings.HasPrefix(e.File, "."):
			stray.Why = "a draft that was not published"
		case name.Kind == shm.Control, name == firstRing, c.referred[name]:
			continue
		case name.Kind == shm.Body:
			at, there := c.committed(name)
			if !there {
				continue
			}
			stray.Why = "a large record that is not needed any more, or was never committed"
			if pinned(pins, at, c.Folded) {
				stray.Why, stray.Living = "a large record that an open view may need", true
			}
		case name.Kind == shm.Layer:
			stray.Why = "a layer that is not listed: superseded, or not yet published"
		default:
			stray.Why = "a chunk that is not in the ring: given back, or in store"
		}
		if ok && !stray.Living {
			stray.Why += fmt.Sprintf("; its creator %d is gone", name.Creator)
		}
		if !c.d.dir.Has(e.File) {
			continue // removed since it was listed
		}
		c.Orphans = append(c.Orphans, stray)
	}
}

// position is the end of the newest layer, and whether the list could be read.
func (c *checkup) position() (uint64, snapshot.List, bool) {
	list, err := c.d.control.snapshot.Read()
	if err != nil {
		c.judge(ruleList, controlName, atSnapshot, err)
		c.blind = true
		return 0, list, false
	}
	return max(list.Position(), c.d.str.First()), list, true
}
