package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ultradict/go/ultradict"
)

// finish ends an epoch: everybody is ended, everything verified and removed.
func (e *epoch) finish() {
	living := e.living()
	for _, s := range living {
		switch {
		case s.proc.byUs || s.proc.told:
		case e.removing: // they have to notice
		case e.rng.IntN(2) == 0:
			s.proc.end()
		default:
			s.proc.kill()
			e.figures.together++
		}
	}
	e.buryAll(living)
	for e.standing > 0 { // of the dead, too
		e.goOn(<-e.resume)
	}
	if !e.removing {
		for _, s := range e.slots {
			e.settle(s)
		}
		e.exact()
		e.newcomer()
		e.quiet() // who writes always leaves something to be tidied
		e.tidy()
	}
	e.detach()
	if !e.removing {
		e.deserted()
	}
	for _, s := range e.slots {
		must(s.journal.Close())
	}
	e.remove()
	e.leaks()
}

// exact compares what all share with what was acknowledged, while no worker lives.
func (e *epoch) exact() {
	must(e.m.View(func(v *ultradict.View[string, string]) error {
		get := getter(v.Get)
		for i, want := range e.sums {
			n, err := get.number(sumKey(i))
			if err != nil {
				return err
			}
			if n != want {
				return fmt.Errorf("lost: sum %d is %d, and %d were added", i, n, want)
			}
		}
		_, err := get.pairs()
		return err
	}))
}

// newcomer verifies everything through a fresh handle, and who takes part.
func (e *epoch) newcomer() {
	m, err := ultradict.OpenMap[string, string](name, e.settings.attach()...)
	must(err)
	e.alive(2)
	must(m.View(func(v *ultradict.View[string, string]) error {
		for _, s := range e.slots {
			got, err := getter(v.Get).state(s.id)
			if err != nil {
				return err
			}
			if got != s.mine {
				return fmt.Errorf("lost: a newcomer finds %v in slot %d, not %v", got, s.id, s.mine)
			}
		}
		n, err := v.Len()
		if err != nil {
			return err
		}
		found := 0
		for entry, err := range v.Entries() {
			if err != nil {
				return err
			}
			found++
			if err := whole(entry.Key, entry.Value); err != nil {
				return err
			}
		}
		if n != found {
			return halfError(fmt.Sprintf("%d entries, of which %d are shown", n, found))
		}
		return nil
	}))
	must(m.Close())
	e.alive(1)
	e.figures.newcomers++
}

// whole verifies a noise entry; the others are verified elsewhere.
func whole(key, raw string) error {
	var slot, k int
	if !strings.HasPrefix(key, "noise/") {
		return nil
	}
	if _, err := fmt.Sscanf(key, "noise/%d/%d", &slot, &k); err != nil {
		return halfError(fmt.Sprintf("key %q", key))
	}
	_, err := valueOf(slot, 0, raw)
	return err
}

// alive verifies that those who take part and live are exactly the open handles.
func (e *epoch) alive(want int) {
	st, err := e.m.Status()
	must(err)
	n := 0
	for _, p := range st.Participants {
		if p.Alive {
			n++
		}
	}
	if n != want {
		must(leakError(fmt.Sprintf("%d participants are alive, and %d handles are open: %+v", n, want, st.Participants)))
	}
}

// tidy waits until what the dead have left is gone, which is at the latest when the
// keeper has looked about, and counts what the instance has seen.
func (e *epoch) tidy() {
	var report ultradict.Report
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var err error
		report, err = ultradict.Check(name, ultradict.WithDir(e.settings.Dir))
		must(err)
		e.figures.checks++
		if len(report.Problems) > 0 {
			violate("check: %s", report)
		}
		if report.OK() && inStore(report.Orphans) {
			break
		}
		if time.Now().After(end) {
			must(leakError(fmt.Sprintf("after 20 s: %s", report)))
		}
	}
	st, err := e.m.Status()
	must(err)
	e.figures.rollovers += st.Rollovers
	e.figures.merges += st.Merges
}

// inStore reports whether there is at most the one chunk that a handle which has
// written may keep for the next time.
func inStore(orphans []ultradict.File) bool {
	return len(orphans) == 0 || len(orphans) == 1 && orphans[0].Living && strings.HasPrefix(orphans[0].Name, "stream-")
}

// deserted verifies that the last one to leave has left nothing either.
func (e *epoch) deserted() {
	e.figures.checks++
	report, err := ultradict.Check(name, ultradict.WithDir(e.settings.Dir))
	must(err)
	if !report.OK() || len(report.Orphans) > 0 {
		must(leakError(fmt.Sprintf("after the last one has left: %s", report)))
	}
}

// removeUnder removes the dictionary while the workers work: some who try to do so
// die of it, others may be faster than the driver.
func (e *epoch) removeUnder() {
	e.removing = true
	e.figures.removals++
	for range e.rng.IntN(4) {
		if points {
			e.helper("remover", 60)
		}
	}
	e.removed()
}

// removed removes the dictionary, and returns when it is gone.
func (e *epoch) removed() {
	opts := append(e.settings.timeout(), ultradict.WithDir(e.settings.Dir))
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err := ultradict.Remove(name, opts...)
		if errors.Is(err, ultradict.ErrNotExist) {
			return
		}
		must(tolerated(err))
		if time.Now().After(end) {
			violate("the dictionary cannot be removed within %v", patience)
		}
	}
}

// remove removes the dictionary and verifies that nothing is left.
func (e *epoch) remove() {
	e.removed()
	left, err := os.ReadDir(e.settings.Dir)
	must(err)
	if len(left) > 0 {
		must(leakError(fmt.Sprintf("left after Remove: %v", left)))
	}
}
