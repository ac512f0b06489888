package main

import (
	"time"

	"github.com/ultradict/go/ultradict"
)

// act does one thing to the workers.
func (e *epoch) act() {
	e.selfStopped()
	living := e.living()
	if len(living) == 0 {
		return
	}
	s := living[e.rng.IntN(len(living))]
	switch n := e.rng.IntN(1000); {
	case n < 780:
		e.killOne(living)
	case n < 880:
		e.stopOne(s.proc)
	case n < 940:
		s.proc.end()
	case n < 965:
		e.killAll(false)
	case n < 985:
		e.killAll(true)
	default:
		e.check()
	}
}

// killOne kills the older of two workers: one that has had time to begin.
func (e *epoch) killOne(living []*slot) {
	a, b := living[e.rng.IntN(len(living))].proc, living[e.rng.IntN(len(living))].proc
	if b.began.Before(a.began) {
		a = b
	}
	if a.byUs || a.told {
		return
	}
	at := time.Now()
	a.kill()
	e.figures.random++
	if e.pulse != nil {
		e.pulse.death(at)
	}
}

// killAll kills all workers at once. Alone says that the driver is not there either,
// so that nobody at all is left: then a newcomer has to find everything.
func (e *epoch) killAll(alone bool) {
	early := e.rng.IntN(2) == 0 // gone before they die, so that nobody sees it
	if alone && early {
		e.detach()
	}
	living := e.living()
	at := time.Now()
	for _, s := range living {
		if s.proc.byUs || s.proc.told {
			continue
		}
		s.proc.kill()
		e.figures.together++
	}
	if e.pulse != nil {
		e.pulse.death(at)
	}
	if alone && !early {
		e.detach()
	}
	e.buryAll(living)
	if alone {
		e.figures.aloneDeaths++
		e.check()
		if e.rng.IntN(2) == 0 {
			e.repair()
		}
		e.attach()
	}
	for _, s := range e.slots {
		e.settle(s)
	}
	e.exact()
	for _, s := range e.slots {
		e.begin(s)
	}
}

// buryAll waits for the end of workers that end, and leaves it at that.
func (e *epoch) buryAll(living []*slot) {
	end := time.Now().Add(patience)
	for left := len(living); left > 0; {
		select {
		case p := <-e.ended:
			s := e.slots[p.plan.Slot]
			s.proc = nil
			e.read(s)
			e.judge(p)
			p.close()
			left--
		case p := <-e.resume:
			e.goOn(p)
		case <-time.After(5 * time.Millisecond):
			e.selfStopped()
		}
		if time.Now().After(end) {
			violate("%d workers do not end within %v", left, patience)
		}
	}
}

// patience is a net under what would hang, no measure of speed.
const patience = time.Minute

// stopOne stops a worker for a while.
func (e *epoch) stopOne(p *process) {
	if p.stopped || p.byUs || p.told {
		return
	}
	if p.cmd.Process.Signal(stopSignal) != nil {
		return // it has ended
	}
	e.figures.stops++
	e.standsStill(p)
}

// standsStill notes that a worker stands still, and when it is to go on.
func (e *epoch) standsStill(p *process) {
	p.stopped = true
	e.stoppedEver[p.pid()] = true
	e.standing++
	if e.pulse != nil {
		e.pulse.stops(1)
	}
	length := 5 * time.Millisecond << e.rng.IntN(6)
	length += time.Duration(e.rng.Int64N(int64(length)))
	time.AfterFunc(min(length, 300*time.Millisecond), func() {
		_ = p.cmd.Process.Signal(continueSignal) // it may be dead by now
		e.resume <- p
	})
}

// goOn notes that a worker goes on.
func (e *epoch) goOn(p *process) {
	p.stopped = false
	e.standing--
	if e.pulse != nil {
		e.pulse.stops(-1)
	}
}

// selfStopped looks for workers that have stopped themselves.
func (e *epoch) selfStopped() {
	for _, s := range e.living() {
		p := s.proc
		if !p.plan.Point.Stop || p.selfStopped || p.byUs || p.stopped {
			continue
		}
		if _, _, ok := p.lastWords(); !ok || !p.standing() {
			continue
		}
		p.selfStopped = true
		e.figures.stops++
		e.figures.leaseStops++
		e.standsStill(p)
	}
}

// check verifies the dictionary as it is, whoever is about.
func (e *epoch) check() {
	e.figures.checks++
	report, err := ultradict.Check(name, ultradict.WithDir(e.settings.Dir))
	must(err)
	e.figures.files = max(e.figures.files, report.Files)
	if len(report.Problems) > 0 {
		violate("check: %s", report)
	}
}

// repair has what the dead have left removed, while nobody is attached.
func (e *epoch) repair() {
	e.figures.repairs++
	report, err := ultradict.Check(name, append(e.settings.timeout(), ultradict.WithDir(e.settings.Dir), ultradict.WithRepair())...)
	must(err)
	if !report.OK() || len(report.Orphans) > 0 {
		violate("repaired, nobody attached: %s", report)
	}
}
