package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// rollCall asks each of the workers, through a connection of its own, for the same
// sessions.
type rollCall struct {
	base  string
	begin time.Time
	ttl   time.Duration
	lines map[int]*client // by the worker at the other end

	seen    int // answers that had to find a session, and did
	missed  int // answers that had to find none, and did not
	unknown int // answers that prove nothing: this machine was too slow
}

// connect gets a connection to each of the workers. Which one accepts a connection is not
// ours to say, so it takes as many as that needs.
func (r *rollCall) connect(ctx context.Context, workers []*process) error {
	var spare []*client
	defer func() {
		for _, c := range spare {
			c.close()
		}
	}()
	missing := func() bool {
		for _, w := range workers {
			if r.lines[w.pid()] == nil {
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(patience); missing(); {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, w := range workers {
			if err := w.ended(); err != nil {
				return err
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("of %d workers, only %d have taken a connection in %v", len(workers), len(r.lines), patience)
		}
		c := newClient(r.base, r.begin)
		worker, err := c.who()
		if err != nil {
			return err
		}
		if r.lines[worker] != nil {
			spare = append(spare, c) // kept for now: that worker is busy, the next connection may be another's
			if len(spare) > 64 {
				spare[0].close()
				spare = spare[1:]
			}
			continue
		}
		r.lines[worker] = c
	}
	return nil
}

// drop gives up the connection to a worker.
func (r *rollCall) drop(worker int) {
	if c := r.lines[worker]; c != nil {
		c.close()
		delete(r.lines, worker)
	}
}

func (r *rollCall) close() {
	for worker := range r.lines {
		r.drop(worker)
	}
}

// logins has every worker make a session.
func (r *rollCall) logins() ([]*session, error) {
	var all []*session
	for worker, c := range r.lines {
		s, err := c.login(fmt.Sprintf("user-of-%d", worker))
		if err != nil {
			return nil, err
		}
		if s.by != worker {
			return nil, fmt.Errorf("worker %d has answered for %d", s.by, worker)
		}
		all = append(all, s)
	}
	return all, nil
}

// ask asks every worker for every session. Which of them have to be there, and which must
// not be, is told by the time.
func (r *rollCall) ask(ctx context.Context, sessions []*session) error {
	for worker, c := range r.lines {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, s := range sessions {
			k, err := c.post("/me", false, url.Values{"session": {s.id}})
			if err != nil {
				return err
			}
			if k.answer.Worker != worker {
				return fmt.Errorf("worker %d has answered for %d", k.answer.Worker, worker)
			}
			must := s.must(k, r.ttl)
			if err := s.see(k, r.ttl); err != nil {
				return err
			}
			switch {
			case must == present && k.status == http.StatusOK:
				r.seen++
			case must == absent && k.status == http.StatusUnauthorized:
				r.missed++
			default:
				r.unknown++
			}
		}
	}
	return nil
}
