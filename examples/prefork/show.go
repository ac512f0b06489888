package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/ultradict/go/ultradict"
)

// show is the program's course: the workers, and what is done to them.
type show struct {
	*service // the parent's handles of the dictionaries
	out      io.Writer
	begin    time.Time
	socket   *os.File
	base     string // URL of the server
	workers  []*process
	all      []int // processes of all workers that there were
	killed   int   // process of the one that was killed, 0 before that
	roll     *rollCall
}

// open opens the socket.
func (s *show) open() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.base = "http://" + listener.Addr().String()
	s.socket, err = toInherit(listener.(*net.TCPListener))
	return errors.Join(err, listener.Close()) // the file is a copy: the socket stays open
}

// say prints a line. What cannot be printed is found out when the summary cannot be.
func (s *show) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "%5.1f s  %s\n", time.Since(s.begin).Seconds(), fmt.Sprintf(format, args...))
}

func (s *show) start() error {
	w, err := startWorker(s.rules, s.socket)
	if err != nil {
		return err
	}
	s.workers = append(s.workers, w)
	s.all = append(s.all, w.pid())
	return nil
}

// perform is what is done while the clients hammer. Whatever it says of sessions was found
// to be so by ask, as far as that can be told on a machine that is too slow. It returns the context's error if that
// is done before.
func (s *show) perform(ctx context.Context) error {
	sessions, err := s.roll.logins()
	if err != nil {
		return err
	}
	if err := s.roll.ask(ctx, sessions); err != nil {
		return err
	}
	s.say("%d sessions, one made by each worker: each is found by all %d", len(sessions), len(s.workers))
	if err := s.keep(ctx, sessions, s.TTL/2); err != nil {
		return err
	}

	i := rand.IntN(len(s.workers))
	s.killed = s.workers[i].pid()
	s.roll.drop(s.killed)
	s.workers[i].kill()
	s.say("worker %d is killed", s.killed)
	s.workers = append(s.workers[:i], s.workers[i+1:]...)
	if err := s.roll.ask(ctx, sessions); err != nil {
		return err
	}
	s.say("all sessions are found by those that are left, also the one that it had made")
	if err := s.start(); err != nil {
		return err
	}
	if err := s.roll.connect(ctx, s.workers); err != nil {
		return err
	}
	if err := s.roll.ask(ctx, sessions); err != nil {
		return err
	}
	s.say("worker %d takes its place, and finds them all", s.all[len(s.all)-1])

	half := (len(sessions) + 1) / 2
	if err := s.keep(ctx, sessions[:half], 2*s.TTL); err != nil {
		return err
	}
	if err := s.roll.ask(ctx, sessions); err != nil {
		return err
	}
	s.say("for %v, %d sessions were used, and live on; no worker finds the other %d", 2*s.TTL, half, len(sessions)-half)
	if err := sleep(ctx, s.TTL+10*margin); err != nil {
		return err
	}
	if err := s.roll.ask(ctx, sessions); err != nil {
		return err
	}
	s.say("for %v, none was used: no worker finds any", s.TTL)
	return nil
}

// keep uses sessions for some time, so often that they live on.
func (s *show) keep(ctx context.Context, sessions []*session, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := s.roll.ask(ctx, sessions); err != nil {
			return err
		}
		if err := sleep(ctx, s.TTL/8); err != nil {
			return err
		}
	}
	return nil
}

// sweptAway waits until no session is left in memory: they have all expired.
func (s *show) sweptAway() error {
	for end := time.Now().Add(s.TTL + patience); ; {
		n, err := s.sessions.Len()
		if err != nil || n == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d sessions are still there, %v after they have expired", n, patience)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// finish has the workers end.
func (s *show) finish() error {
	s.roll.close()
	for _, w := range s.workers {
		if err := w.stop(); err != nil {
			return err
		}
	}
	return nil
}

// close ends what is left, whatever has happened.
func (s *show) close() error {
	for _, w := range s.workers {
		w.kill()
	}
	return errors.Join(s.service.close(), s.remove(), s.socket.Close())
}

// counted is how many requests were counted in all.
func (s *show) counted() (int64, error) {
	n, err := s.limits.Get(everybody)
	if errors.Is(err, ultradict.ErrNotFound) {
		return 0, nil
	}
	return n, err
}

// sleep returns after a time, or with the error of ctx when that is done.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
