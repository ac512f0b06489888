package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/ultradict/go/ultradict"
)

// reader is a goroutine of a worker that only looks: one through views of the
// worker's handle, one through further handles.
type reader struct {
	w     *worker
	rng   *rand.Rand
	views bool
	reads uint64
	told  uint64
	seen  [tallies][maxSlots]uint64 // of every slot, which never goes back
}

func (r *reader) run() error {
	for !r.w.ending.Load() {
		look := r.elsewhere
		if r.views {
			look = func() error { return r.view(r.w.m, 1+r.rng.IntN(3)) }
		}
		if err := errors.Join(look(), r.peek()); err != nil {
			return err
		}
		if r.reads-r.told > 500 {
			if err := r.w.note(line{phase: read, value: r.reads - r.told}); err != nil {
				return err
			}
			r.told = r.reads
		}
		time.Sleep(time.Duration(r.rng.IntN(2000)) * time.Microsecond)
	}
	return nil
}

// view looks through a view, and through further ones while it is open: the world
// moves on meanwhile, but not in it.
func (r *reader) view(m *texts, depth int) error {
	before := r.acknowledged()
	return m.View(func(v *ultradict.View[string, string]) error {
		first, err := r.look(v.Get)
		if err != nil {
			return err
		}
		if err := r.forward(first.tallies, before); err != nil {
			return err
		}
		mine, err := getter(v.Get).state(r.w.plan.Slot)
		if err != nil {
			return err
		}
		time.Sleep(time.Duration(r.rng.IntN(3000)) * time.Microsecond)
		if depth > 1 {
			if err := r.view(m, depth-1); err != nil {
				return err
			}
		}
		again, err := r.look(v.Get)
		if err != nil {
			return err
		}
		if again != first {
			return halfError(fmt.Sprintf("a view changed: %.300v, then %.300v", first, again))
		}
		if now, err := getter(v.Get).state(r.w.plan.Slot); err != nil || now != mine {
			return errors.Join(err, halfError(fmt.Sprintf("a view changed: %v, then %v", mine, now)))
		}
		if r.rng.IntN(8) == 0 {
			return r.count(v)
		}
		return nil
	})
}

// shared is what all slots write.
type shared struct {
	pairs   [pairs]string
	tallies [tallies][maxSlots]uint64
	sums    [sums]uint64
}

func (r *reader) look(get getter) (s shared, err error) {
	if s.pairs, err = get.pairs(); err != nil {
		return s, err
	}
	for i := range s.tallies {
		if s.tallies[i], err = get.tally(i); err != nil {
			return s, err
		}
	}
	for i := range s.sums {
		if s.sums[i], err = get.number(sumKey(i)); err != nil {
			return s, err
		}
	}
	r.reads += 2*pairs + tallies + sums
	return s, nil
}

// acknowledged is how far the slot's own parts were when a look began.
func (r *reader) acknowledged() (parts [tallies]uint64) {
	for i := range parts {
		parts[i] = r.w.parts[i].Load()
	}
	return parts
}

// forward compares what is seen now with what was seen before, and with what had
// returned before the look began.
func (r *reader) forward(now [tallies][maxSlots]uint64, before [tallies]uint64) error {
	for i := range now {
		for slot, n := range now[i] {
			if n < r.seen[i][slot] {
				return fmt.Errorf("lost: tally %d of slot %d went back from %d to %d", i, slot, r.seen[i][slot], n)
			}
		}
		if n, after := now[i][r.w.plan.Slot], r.w.parts[i].Load()+1; n < before[i] || n > after {
			return fmt.Errorf("lost: tally %d of the own slot is %d, and %d to %d were acknowledged", i, n, before[i], after)
		}
		r.seen[i] = now[i]
	}
	return nil
}

// count compares the ways to learn what there is.
func (r *reader) count(v *ultradict.View[string, string]) error {
	n, err := v.Len()
	if err != nil {
		return err
	}
	found := 0
	for e, err := range v.Entries() {
		if err != nil {
			return err
		}
		if found++; strings.HasPrefix(e.Key, "noise/") {
			var slot, k int
			if _, err := fmt.Sscanf(e.Key, "noise/%d/%d", &slot, &k); err != nil {
				return err
			}
			if _, err := valueOf(slot, 0, e.Value); err != nil {
				return err
			}
		}
	}
	r.reads += uint64(found)
	if n != found {
		return halfError(fmt.Sprintf("a view of %d entries shows %d", n, found))
	}
	return nil
}

// peek looks at what the replica says as it stands: perhaps late, never by halves
// and never ahead.
func (r *reader) peek() error {
	i := r.rng.IntN(tallies)
	parts, err := getter(r.w.m.Peek).tally(i)
	if err != nil {
		return err
	}
	if n := parts[r.w.plan.Slot]; n > r.w.parts[i].Load()+1 {
		return halfError(fmt.Sprintf("tally %d: peeked %d before it was written", i, n))
	}
	r.reads++
	if r.rng.IntN(8) == 0 {
		if err := r.w.m.Sync(); err != nil {
			return err
		}
		_, err = r.w.m.Len()
	}
	return err
}

// elsewhere looks through a handle that it opens for that.
func (r *reader) elsewhere() error {
	s := r.w.plan.Settings
	switch r.rng.IntN(4) {
	case 0:
		d, err := ultradict.Open(name, s.attach()...)
		if err != nil {
			return tolerated(err)
		}
		_, err = r.look(func(key string) (string, error) { return ultradict.As[string](d.Get(key)) })
		var half halfError
		if errors.As(err, &half) && strings.Contains(string(half), "pair") {
			err = nil // single reads, not a view: others write in between
		}
		return errors.Join(err, d.Close())
	case 1:
		return r.readOnly(s)
	default:
		m, err := ultradict.OpenMap[string, string](name, s.attach()...)
		if err != nil {
			return tolerated(err)
		}
		err = r.view(m, 1+r.rng.IntN(2))
		if err == nil && r.rng.IntN(4) == 0 {
			n := 0
			for range m.All() {
				n++
			}
			keys := slices.Collect(m.Keys())
			r.reads += uint64(n + len(keys))
		}
		return errors.Join(err, m.Close())
	}
}

// readOnly looks through a handle that cannot write, whose views may be lost.
func (r *reader) readOnly(s settings) error {
	m, err := ultradict.OpenMap[string, string](name, s.attach(ultradict.ReadOnly())...)
	if err != nil {
		return tolerated(err)
	}
	err = r.view(m, 1)
	if errors.Is(err, ultradict.ErrViewLost) {
		err = nil
	}
	if set := m.Set("never", ""); !errors.Is(set, ultradict.ErrReadOnly) && !errors.Is(set, ultradict.ErrRemoved) {
		err = errors.Join(err, fmt.Errorf("a read-only handle answers Set with %w", set))
	}
	return errors.Join(err, m.Close())
}
