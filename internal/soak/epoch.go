package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ultradict/go/ultradict"
)

// epoch is one life of the dictionary.
type epoch struct {
	*soak
	n        int
	rng      *rand.Rand
	settings settings
	slots    []*slot
	sums     [sums]uint64 // additions that have happened

	m     *texts // nil while the driver is detached
	pulse *pulse

	ended       chan *process
	resume      chan *process
	pids        map[int]bool // of everybody who ever took part
	stoppedEver map[int]bool
	dead        map[int]bool
	standing    int  // processes that were stopped and not resumed
	removing    bool // the dictionary is being removed: nobody has to find it
	takeovers   uint64
}

// run is all of an epoch.
func (e *epoch) run() {
	e.settings = settingsOf(e.rng, filepath.Join(e.root, "dictionaries"))
	e.ended = make(chan *process, 4*maxSlots)
	e.resume = make(chan *process, 1024)
	e.pids, e.stoppedEver, e.dead = map[int]bool{os.Getpid(): true}, map[int]bool{}, map[int]bool{}
	e.births()
	e.attach()
	for i := range e.workers {
		journal, err := unnamed(e.root)
		must(err)
		e.slots = append(e.slots, &slot{id: i, journal: journal, next: 1})
		e.begin(e.slots[i])
	}
	length := min(e.epoch, max(e.length-time.Since(e.started), time.Second))
	end := time.Now().Add(length)
	var removal time.Time
	if e.rng.IntN(4) == 0 {
		removal = time.Now().Add(length/2 + time.Duration(e.rng.Int64N(int64(length/2))))
	}
	next := time.NewTimer(0)
	defer next.Stop()
	for time.Now().Before(end) && !e.removing {
		select {
		case p := <-e.ended:
			e.bury(p)
		case p := <-e.resume:
			e.goOn(p)
		case <-next.C:
			e.act()
			next.Reset(time.Duration(e.rng.Int64N(int64(2 * e.pause))))
		case <-e.stop:
		}
		if !removal.IsZero() && time.Now().After(removal) {
			e.removeUnder()
		}
		e.interrupted()
		e.progress(fmt.Sprintf("epoch %d", e.n+1))
	}
	e.finish()
	e.figures.epochs++
}

// births lets processes die while they create the dictionary.
func (e *epoch) births() {
	for range e.rng.IntN(4) {
		if points {
			e.helper("creator", 400)
		}
	}
}

// helper has a process do one thing, and die at one of the first points if there are
// any, and returns when it has ended.
func (e *epoch) helper(role string, most uint64) {
	p := e.start(plan{Role: role, Settings: e.settings, Point: point{At: upTo(e.rng, most), After: -1}}, nil, nil)
	e.pids[p.pid()] = true
	<-p.done
	e.judge(p)
	if killed(p.cmd.ProcessState) {
		e.figures.atStart++
	}
	p.close()
}

// attach opens the driver's handle.
func (e *epoch) attach() {
	m, err := ultradict.OpenMap[string, string](name, e.settings.create()...)
	must(err)
	e.m, e.pulse = m, newPulse(m)
	if e.standing > 0 {
		e.pulse.stops(e.standing)
	}
}

// detach closes the driver's handle.
func (e *epoch) detach() {
	if e.m == nil {
		return
	}
	e.count()
	e.quiet()
	must(e.m.Close())
	e.m = nil
}

// quiet ends the driver's writes.
func (e *epoch) quiet() {
	if e.pulse == nil {
		return
	}
	recoveries, err := e.pulse.end()
	e.pulse = nil
	e.figures.recoveries = append(e.figures.recoveries, recoveries...)
	if !(e.removing && errors.Is(err, ultradict.ErrRemoved)) {
		must(err)
	}
}

// count notes the figures of the instance, which go with it.
func (e *epoch) count() {
	st, err := e.m.Status()
	if err != nil && e.removing && errors.Is(err, ultradict.ErrRemoved) {
		return
	}
	must(err)
	e.figures.takeovers += st.Takeovers - e.takeovers
	e.takeovers = st.Takeovers
}

// begin starts the next worker of a slot.
func (e *epoch) begin(s *slot) {
	s.proc = e.start(plan{
		Role: "worker", Slot: s.id, Seed: e.rng.Uint64(), Next: s.next, Expect: s.mine.hash(), Point: pointOf(e.rng), Settings: e.settings,
	}, s.journal, e.ended)
	e.pids[s.proc.pid()] = true
}

// bury takes in what a worker has left, and starts the next one, unless there is
// nobody who could verify it yet.
func (e *epoch) bury(p *process) {
	s := e.slots[p.plan.Slot]
	s.proc = nil
	e.read(s)
	e.judge(p)
	p.close()
	if e.m == nil || e.removing {
		return
	}
	e.settle(s)
	e.begin(s)
}

// judge says why a process has ended, and whether it may have.
func (e *epoch) judge(p *process) {
	e.dead[p.pid()] = true
	e.logged(p)
	at, site, last := p.lastWords()
	switch status := p.cmd.ProcessState; {
	case killed(status) && p.byUs:
		// Counted by who has killed it.
	case killed(status) && last && !p.plan.Point.Stop:
		e.figures.site(site)
		if p.plan.Role == "worker" {
			e.figures.failpoints++
			if e.pulse != nil {
				e.pulse.death(at)
			}
		}
	case killed(status):
		violate("process %d (%s) was killed by somebody else: %s", p.pid(), p.plan.Role, p.said())
	case status.ExitCode() == exitDone && (p.told || p.plan.Role != "worker" || e.tolerates()):
		e.figures.ends++
	case status.ExitCode() == exitGone && (e.removing || p.plan.Role == "remover"):
	default:
		violate("process %d (%s) of slot %d ended with %v: %s", p.pid(), p.plan.Role, p.plan.Slot, status, p.said())
	}
}

// logged looks at what a process has logged: background work fails where the
// dictionary is removed or somebody stood still, but finds no damage.
func (e *epoch) logged(p *process) {
	said := p.said()
	e.figures.warnings += strings.Count(said, "level=WARN")
	if strings.Contains(said, ultradict.ErrCorrupt.Error()) || strings.Contains(said, "is damaged") {
		violate("slot %d logged: %s", p.plan.Slot, said)
	}
}

// tolerates reports whether a worker may give up opening the dictionary because
// somebody stood still for too long.
func (e *epoch) tolerates() bool { return e.settings.LockTimeout != 0 }

// living are the slots with a worker.
func (e *epoch) living() []*slot {
	var all []*slot
	for _, s := range e.slots {
		if s.proc != nil {
			all = append(all, s)
		}
	}
	return all
}

// abandon ends everything that an epoch has under way, and adds to err, which ended
// it, what is needed to look into it.
func (e *epoch) abandon(err error) {
	for _, s := range e.slots {
		if s.proc != nil {
			s.proc.kill()
			<-s.proc.done
			s.proc.close()
		}
	}
	if e.pulse != nil {
		_, _ = e.pulse.end()
	}
	if !errors.Is(err, errInterrupted) {
		e.clear()
		e.say("epoch %d of seed %d: %+v, removing %v\n", e.n, e.seed, e.settings, e.removing)
		for _, s := range e.slots {
			e.say("  slot %d: in flight %v, journal\n%s", s.id, s.flying, s.lastLines())
		}
		report, errCheck := ultradict.Check(name, ultradict.WithDir(e.settings.Dir))
		e.say("%s(%v)\n", report, errCheck)
	}
	if e.m != nil {
		_ = e.m.Close()
	}
}
