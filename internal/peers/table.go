package peers

import (
	"fmt"
	"syscall"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
)

// maxTries bounds loops that end at once unless shared memory is damaged.
const maxTries = 1 << 12

// takeID takes the next id whose byte nobody has locked and locks it. It locks
// before it returns, so before the id can be seen in any word.
func takeID(conn syscall.RawConn, next *failpoint.Uint32) (uint32, error) {
	for range maxTries {
		last := next.Load()
		if last >= MaxID {
			return 0, fmt.Errorf("all %d participant ids of this dictionary are used up, create it anew: %w", MaxID, errs.ErrNoSpace)
		}
		if !next.CompareAndSwap(last, last+1) {
			continue
		}
		id := last + 1
		switch taken, err := lockByte(conn, Base+int64(id)); {
		case err != nil:
			return 0, fmt.Errorf("lock byte %d: %w", Base+int64(id), err)
		case taken:
			return id, nil
		}
		// Somebody alive has this id: the counter was set back. Go on.
	}
	return 0, fmt.Errorf("take a participant id: %w", &errs.CorruptError{Segment: "control", Reason: "the counter of participant ids gives out ids in use"})
}

// claim takes a slot that is free or whose owner is dead, and fills it. The
// walk begins where the id belongs, so that find is quick, and so that the
// slots of the dead are used as late as possible: they still tell their PIDs.
func (p *Peer) claim() (*Entry, error) {
	for i := range uint32(Slots) {
		e := p.sec.slot(p.id + i)
		owner := e.id.Load()
		if owner != 0 && p.Known(owner) && !p.Dead(owner) {
			continue
		}
		if e.id.CompareAndSwap(owner, p.id) {
			e.fill(p.id, p.self)
			return e, nil
		}
	}
	return nil, fmt.Errorf("%d participants are attached and no more fit: %w", Slots, errs.ErrNoSpace)
}

func (s *Section) slot(n uint32) *Entry { return &s.table[n%Slots] }

func (e *Entry) fill(id uint32, self process) {
	e.Applied.Store(0)
	e.Pin.Store(0)
	e.pid.Store(self.pid)
	e.namespace.Store(self.namespace)
	e.start.Store(self.start)
	e.joined.Store(time.Now().UnixNano())
	e.ready.Store(id)
}

func (e *Entry) release(id uint32) {
	if e.id.Load() != id {
		return // damaged, or taken for garbage: not ours any more
	}
	e.Pin.Store(0)
	e.ready.CompareAndSwap(id, 0)
	e.id.CompareAndSwap(id, 0)
}

// processOf returns the process of a participant, as its slot has it.
func (p *Peer) processOf(id uint32) (owner process, ok bool) {
	if !p.Known(id) {
		return process{}, false
	}
	for i := range uint32(Slots) {
		e := p.sec.slot(id + i)
		if e.id.Load() != id || e.ready.Load() != id {
			continue
		}
		owner = process{pid: e.pid.Load(), namespace: e.namespace.Load(), start: e.start.Load()}
		// If the slot changed hands meanwhile, these may be of two owners.
		return owner, e.id.Load() == id && e.ready.Load() == id
	}
	return process{}, false
}

// All describes the participants in the table, in no particular order; dead
// ones too, for as long as nobody has taken their slot. It costs a system call
// each. A reader has no slot and is not among them.
func (p *Peer) All() []Info {
	if p.sec == nil {
		return nil
	}
	var all []Info
	for i := range p.sec.table {
		if info, ok := p.describe(&p.sec.table[i]); ok {
			all = append(all, info)
		}
	}
	return all
}

// describe reads a slot as of one owner. It gives up on a slot that changes
// hands again and again, which no honest participants achieve.
func (p *Peer) describe(e *Entry) (info Info, ok bool) {
	for range maxTries {
		id := e.id.Load()
		if id == 0 {
			return Info{}, false
		}
		info = Info{ID: id, Self: id == p.id}
		if e.ready.Load() == id {
			info.PID = int(e.pid.Load() & MaxID)
			info.PIDNamespace = uint64(e.namespace.Load())
			info.Start = e.start.Load()
			info.Joined = time.Unix(0, e.joined.Load())
			info.Applied = e.Applied.Load()
			info.Pin = e.Pin.Load()
			info.PinFrom = e.PinFrom.Load()
		}
		info.Alive = info.Self || p.Known(id) && !p.Dead(id)
		if e.id.Load() == id {
			return info, true
		}
	}
	return Info{}, false
}

// Commits returns how many commits there were in all, those of participants
// that are gone included.
func (p *Peer) Commits() uint64 {
	if p.sec == nil {
		return 0
	}
	var sum uint64
	for i := range p.sec.table {
		sum += p.sec.table[i].Commits.Load()
	}
	return sum
}
