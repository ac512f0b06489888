package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ultradict/go/ultradict"
)

// pulse writes all the time, in a goroutine of the driver, and so shows how long a
// death keeps a survivor from writing.
type pulse struct {
	m    *texts
	stop chan struct{}
	done chan struct{}
	err  error // valid after done

	mu         sync.Mutex
	deaths     []time.Time        // that no write has followed yet
	recent     [4096][2]time.Time // begin and end of the last writes, since a death is known late
	writes     int
	recoveries []time.Duration
	stopped    int       // processes that stand still
	calm       time.Time // when that changed last
}

// beat is the pause between two writes, part of every figure.
const beat = 200 * time.Microsecond

func newPulse(m *texts) *pulse {
	p := &pulse{m: m, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = p.run()
	}()
	return p
}

func (p *pulse) run() error {
	for n := 1; ; n++ {
		select {
		case <-p.stop:
			return nil
		case <-time.After(beat):
		}
		begin := time.Now()
		want := fmt.Sprint(n)
		switch err := p.m.Set("pulse", want); {
		case errors.Is(err, &ultradict.LockError{}):
			continue // it is counted where the workers meet it
		case err != nil:
			return err
		}
		p.wrote(begin, time.Now())
		if got, err := p.m.Get("pulse"); err != nil || got != want {
			if errors.Is(err, ultradict.ErrRemoved) {
				return err
			}
			return fmt.Errorf("lost: the driver wrote %s and read %q, %w", want, got, err)
		}
	}
}

// wrote notes which deaths a write has followed: those before it began.
func (p *pulse) wrote(begin, end time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recent[p.writes%len(p.recent)] = [2]time.Time{begin, end}
	p.writes++
	left := p.deaths[:0]
	for _, at := range p.deaths {
		if at.After(begin) {
			left = append(left, at)
		} else {
			p.recoveries = append(p.recoveries, end.Sub(at))
		}
	}
	p.deaths = left
}

// death notes one, unless somebody stands still: that may hold up writers too, and
// for as long as it lasts.
func (p *pulse) death(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped > 0 || at.Before(p.calm) {
		return
	}
	for i := max(p.writes-len(p.recent), 0); i < p.writes; i++ {
		if w := p.recent[i%len(p.recent)]; w[0].After(at) {
			p.recoveries = append(p.recoveries, w[1].Sub(at))
			return
		}
	}
	p.deaths = append(p.deaths, at)
}

// stops notes that processes have been stopped, or go on.
func (p *pulse) stops(change int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped += change
	p.deaths = p.deaths[:0]
	p.calm = time.Now()
}

// end ends it and returns what it has measured, and its error.
func (p *pulse) end() ([]time.Duration, error) {
	close(p.stop)
	<-p.done
	return p.recoveries, p.err
}
