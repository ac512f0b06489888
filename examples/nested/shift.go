package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/ultradict/go/ultradict"
)

// shift is the time in which the robots work.
type shift struct {
	*warehouse
	out    io.Writer
	begin  time.Time
	robots []*process
	audit  *process
	killed int
}

// say prints a line. What cannot be printed is found out when the summary cannot be.
func (s *shift) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "%5.1f s  %s\n", time.Since(s.begin).Seconds(), fmt.Sprintf(format, args...))
}

// perform is what happens before the end, or before ctx is done.
func (s *shift) perform(ctx context.Context, opts options) (err error) {
	if s.audit, err = start(s.Name(), auditorName); err != nil {
		return err
	}
	for i := range opts.robots {
		r, err := start(s.Name(), robotName(i))
		if err != nil {
			return err
		}
		s.robots = append(s.robots, r)
	}
	s.say("%d robots in %d sites; in all: %v", len(s.robots), len(siteNames), s.total)

	end := time.After(opts.length)
	rebuild := time.NewTicker(opts.every)
	defer rebuild.Stop()
	kill := time.NewTicker(opts.length / time.Duration(opts.kills+1))
	defer kill.Stop()
	tell := time.NewTicker(time.Second)
	defer tell.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-end:
			return nil
		case <-rebuild.C:
			err = s.rebuild(context.WithoutCancel(ctx), siteNames[rand.IntN(len(siteNames))])
		case <-kill.C:
			if s.killed < opts.kills {
				err = s.replace(rand.IntN(len(s.robots)))
			}
		case <-tell.C:
			err = s.tell()
		}
		if err != nil {
			return err
		}
		for _, p := range append(s.robots, s.audit) {
			if err := p.ended(); err != nil {
				return err
			}
		}
	}
}

// replace kills a robot, and starts another one in its place.
func (s *shift) replace(i int) error {
	name := s.robots[i].name
	s.robots[i].kill()
	s.killed++
	tree, err := ultradict.Plain(s.Dict)
	if err != nil {
		return err
	}
	s.say("%s is killed; its successor finds on board: %v", name, plainGoods(at[any](tree, "robots", name, "cargo")))
	s.robots[i], err = start(s.Name(), name)
	return err
}

// tell prints how things stand.
func (s *shift) tell() error {
	tree, err := ultradict.Plain(s.Dict)
	if err != nil {
		return err
	}
	robots := at[map[string]any](tree, "robots")
	s.say("%d sites rebuilt, %d moves, %d handles opened again; on board: %v",
		sumOf(at[map[string]any](tree, "sites"), "rebuilt"), sumOf(robots, "log", "moves"), sumOf(robots, "log", "reopened"), onBoard(tree))
	return nil
}

// finish closes the warehouse, waits for everybody to end, and takes the last stock.
func (s *shift) finish() (*summary, error) {
	if err := s.Set("closed", true); err != nil {
		return nil, err
	}
	s.say("the warehouse is closed: the robots unload, and end")
	for _, p := range append(s.robots, s.audit) {
		if err := p.finish(); err != nil {
			return nil, err
		}
	}
	sum := &summary{total: s.total, rebuilt: s.rebuilt, runs: s.runs, killed: s.killed}
	var err error
	if sum.tree, err = ultradict.Plain(s.Dict); err != nil {
		return nil, err
	}
	sum.health, err = ultradict.Check(s.Name())
	return sum, err
}

// kill ends everybody that there is.
func (s *shift) kill() {
	for _, p := range s.robots {
		p.kill()
	}
	if s.audit != nil {
		s.audit.kill()
	}
}
