package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/ultradict/go/ultradict"
)

// slot is what one worker after the other works on, as the driver knows it.
type slot struct {
	id      int
	journal *os.File
	offset  int64 // of what was not read yet
	mine    state // as acknowledged
	next    uint64
	flying  *op // the operation of a dead worker of which nobody knows whether it happened
	tail    []line
	proc    *process // nil while there is none
}

// tailLines is how much of a journal is kept for who has to look into a violation.
const tailLines = 12

// read takes in what the journal says, once the slot's worker is dead: it is the
// only one who writes to it.
func (e *epoch) read(s *slot) {
	buf := make([]byte, 4096*entrySize)
	for {
		n, _ := s.journal.ReadAt(buf, s.offset)
		n -= n % entrySize
		if n == 0 {
			break
		}
		s.offset += int64(n)
		for b := buf[:n]; len(b) > 0; b = b[entrySize:] {
			e.take(s, decodeLine(b))
		}
	}
	// Everything of it is known: give the memory back.
	must(s.journal.Truncate(0))
	s.offset = 0
}

func (e *epoch) take(s *slot, l line) {
	if l.phase == read {
		e.figures.reads += l.value
		return
	}
	s.tail = append(s.tail, l)
	s.tail = s.tail[max(0, len(s.tail)-tailLines):]
	switch l.phase {
	case intended:
		s.next = l.op.n + 1
		s.flying = &l.op
		return
	case acked:
		e.figures.acked++
		e.happened(s, l.op)
	case refused:
		e.refused(s, int(l.value))
	}
	s.flying = nil
}

func (e *epoch) happened(s *slot, o op) {
	s.mine.apply(o)
	if o.kind == addOp {
		e.sums[o.which]++
	}
}

// refused judges a *LockError: it must name no stranger, and may not come at all
// where writers wait longer than anybody is ever stopped.
func (e *epoch) refused(s *slot, owner int) {
	e.figures.refusals++
	switch {
	case e.stoppedEver[owner]:
		e.figures.named++
	case owner == 0:
		e.figures.unknown++
	case e.dead[owner]:
		e.figures.dead++ // by now
	}
	switch {
	case owner != 0 && !e.pids[owner]:
		violate("slot %d got a *LockError that names %d, which never took part", s.id, owner)
	case e.settings.LockTimeout == 0:
		violate("slot %d waited 5 s for process %d and got a *LockError", s.id, owner)
	}
}

// settle finds out whether the operation that was under way has happened, and that
// everything else is as acknowledged.
func (e *epoch) settle(s *slot) {
	var got state
	must(e.m.View(func(v *ultradict.View[string, string]) (err error) {
		if got, err = getter(v.Get).state(s.id); err != nil {
			return fmt.Errorf("slot %d: %w", s.id, err)
		}
		_, err = getter(v.Get).pairs()
		return err
	}))
	before := s.mine
	if got != s.mine && s.flying != nil {
		e.happened(s, *s.flying)
	}
	if got != s.mine {
		violate("lost: slot %d\n  acknowledged %v\n  in flight    %v\n  found        %v", s.id, before, s.flying, got)
	}
	s.flying = nil
}

// lastLines is the end of the slot's journal.
func (s *slot) lastLines() string {
	var b strings.Builder
	for _, l := range s.tail {
		fmt.Fprintf(&b, "    %v\n", l)
	}
	return b.String()
}
