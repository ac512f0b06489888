package core

import (
	"errors"
	"math"

	"github.com/ultradict/go/internal/errs"
)

// words checks the locks, the leases and the flags.
func (c *checkup) words() {
	ctl := c.d.control
	for _, w := range []struct {
		what  string
		at    int64
		owner func() uint32
	}{
		{"the writers' lock", atLock, ctl.lock.Owner},
		{"the retriers' lock", atRetry, ctl.retry.Owner},
		{"the folder's lease", atWork, ctl.work.fold.owner.Load},
		{"the merger's lease", atMerge, ctl.work.merge.owner.Load},
		{"the lease of who sweeps what has expired", atExpiry, ctl.work.expiry.owner.Load},
		{"the saver's lease", atSaving, ctl.work.saving.lease.owner.Load},
	} {
		switch owner := w.owner(); {
		case owner == 0:
		case !c.d.peer.Known(owner):
			c.found(ruleLock, controlName, w.at, "%s names %d, which was never given out as an id", w.what, owner)
		case c.d.peer.Dead(owner):
			c.note("%s has an owner that is gone, participant %d: whoever wants it next takes it over", w.what, owner)
		}
	}
	if full := ctl.work.full.Load(); full > 1 {
		c.found(ruleLock, controlName, atFull, "the flag that it is full is %d", full)
	}
	if timed := ctl.work.timed.Load(); timed > 1 {
		c.found(ruleLock, controlName, atTimed, "the flag that something may expire is %d", timed)
	}
}

// participants checks the table.
func (c *checkup) participants() {
	table, last := c.d.control.peers.Inspect()
	head := c.d.str.Head() // after the pins: they are never above it
	seen := map[uint32]int{}
	for i, s := range table {
		at := atPeers + 64 + 64*int64(i)
		if s.ID != 0 {
			if other, twice := seen[s.ID]; twice {
				c.found(rulePeers, controlName, at, "participant %d has the entries %d and %d", s.ID, other, i)
			}
			seen[s.ID] = i
		}
		switch {
		case s.ID > last:
			c.found(rulePeers, controlName, at, "entry %d belongs to %d, the last id that was given out is %d", i, s.ID, last)
		case s.Ready > last:
			c.found(rulePeers, controlName, at+4, "entry %d was filled by %d, the last id that was given out is %d", i, s.Ready, last)
		case s.Pin > head && s.Pin != math.MaxUint64:
			c.found(rulePeers, controlName, at+40, "entry %d has a pin at %d, above head %d", i, s.Pin, head)
		}
	}
	for _, p := range c.d.peer.All() {
		if p.Alive {
			c.Participants = append(c.Participants, p)
		}
	}
}

// ring checks positions and chunk table, and what ties them to the layers.
func (c *checkup) ring() {
	str := c.d.str
	c.Tail, c.Floor = str.Tail(), str.Floor()
	position, _, ok := c.position()
	c.Folded = position
	c.Head = str.Head()
	if ok && c.Floor > position {
		c.found(ruleRebuild, controlName, atStream+72, "floor %d is above the end %d of the newest layer", c.Floor, position)
	}
	if ok && position > c.Head {
		c.found(ruleRebuild, controlName, atStream, "head %d is below the end %d of the newest layer", c.Head, position)
	}
	if ok && c.Floor < position && str.Floor() < position && len(c.Participants) == 0 {
		c.note("a publisher died before it told the stream of its layer: the next one does")
	}
	found, settled := str.Verify()
	if !settled {
		c.incomplete("the chunk table did not come to rest")
	}
	for _, err := range found {
		rule := ruleRebuild
		var damage *errs.CorruptError
		if errors.As(err, &damage) && damage.Offset >= 192 {
			rule = ruleRecords
		}
		c.judge(rule, controlName, atStream, err)
	}
}
