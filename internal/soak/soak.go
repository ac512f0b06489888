package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/ultradict/go/ultradict"
)

// config is what a run is asked for.
type config struct {
	length, epoch, pause time.Duration
	workers              int
	seed                 uint64
	out                  io.Writer
	live                 bool            // out is a terminal
	stop                 <-chan struct{} // closed to end early
}

// soak is one run. Its methods are for the driver's goroutine.
type soak struct {
	config
	root    string // of everything that the run leaves in shared memory
	started time.Time
	printed time.Time
	figures figures
	before  held // what the driver had of the system before it began
}

// violation ends a run from within: something was seen that must never be.
type violation struct{ error }

// errInterrupted ends a run from within, by the user's wish.
var errInterrupted = errors.New("interrupted")

// must ends the run if something went wrong that must not.
func must(err error) {
	if err != nil {
		panic(violation{err})
	}
}

func violate(format string, args ...any) { must(fmt.Errorf(format, args...)) }

// protected runs a part of the run and returns what has ended it.
func protected(f func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case violation:
			err = p.error
		default:
			panic(p)
		}
	}()
	f()
	return nil
}

// run makes the run and returns the exit status.
func (s *soak) run() int {
	s.started, s.printed = time.Now(), time.Now()
	var err error
	if s.root, err = os.MkdirTemp(sharedMemory(), "ultradict-soak-"); err != nil {
		s.say("%v\n", err)
		return 1
	}
	err = protected(s.warm)
	for n := 0; err == nil && time.Since(s.started) < s.length; n++ {
		e := &epoch{soak: s, n: n, rng: rand.New(rand.NewPCG(s.seed, uint64(n)))}
		err = protected(e.run)
		if err != nil {
			e.abandon(err)
		}
	}
	if err == nil {
		s.clear()
		s.say("%s\nno violation\n", s.figures.table(time.Since(s.started), s.seed))
		err = os.RemoveAll(s.root)
	} else if errors.Is(err, errInterrupted) {
		s.clear()
		s.say("%s\ninterrupted\n", s.figures.table(time.Since(s.started), s.seed))
		err = errors.Join(err, os.RemoveAll(s.root))
	} else {
		s.figures.blame(err)
		s.say("%s\nVIOLATION: %v\nkept in %s\n", s.figures.table(time.Since(s.started), s.seed), err, s.root)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		return 130
	}
	return 1
}

// warm has the driver do once what an epoch does, and notes what it holds then:
// some of it, such as the poller's descriptors, stays for good.
func (s *soak) warm() {
	dir := filepath.Join(s.root, "warm")
	m, err := ultradict.OpenMap[string, string](name, ultradict.WithDir(dir))
	must(err)
	must(errors.Join(m.Set("a", "b"), m.Close(), ultradict.Remove(name, ultradict.WithDir(dir)), os.Remove(dir)))
	p := s.start(plan{Role: "remover", Settings: settings{Dir: dir}}, nil, nil)
	<-p.done
	p.close()
	s.before = settled(held{}, func(a held) bool { return a.mapped == 0 })
}

// interrupted ends the run if the user has asked for that.
func (s *soak) interrupted() {
	select {
	case <-s.stop:
		panic(violation{errInterrupted})
	default:
	}
}

// sharedMemory is where temporary directories go: the usual place if there is none.
func sharedMemory() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// progress says now and then how far the run is: on one line of a terminal, which it
// rewrites, or else line by line.
func (s *soak) progress(what string) {
	every := 10 * time.Second
	if s.live {
		every = time.Second
	}
	if time.Since(s.printed) < every {
		return
	}
	s.printed = time.Now()
	s.clear()
	s.say("%4.0f s  %s; %s", time.Since(s.started).Seconds(), what, s.figures.short())
	if !s.live {
		s.say("\n")
	}
}

func (s *soak) clear() {
	if s.live {
		s.say("\r\x1b[K")
	}
}

// say writes to the user, who may have gone.
func (s *soak) say(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format, args...) }
