package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/ultradict/go/ultradict"
)

// options is what the command line says.
type options struct {
	workers int
	clients int
	rules   rules
}

func main() {
	var err error
	if text, ok := os.LookupEnv(workerVar); ok {
		err = workerMain(text, os.Stdin)
	} else {
		var opts options
		flag.IntVar(&opts.workers, "workers", 4, "number of worker processes, 2 to 32")
		flag.IntVar(&opts.clients, "clients", 3, "number of clients, 1 to 32")
		flag.Int64Var(&opts.rules.Limit, "limit", 20, "requests that a client may make in a window")
		flag.DurationVar(&opts.rules.Window, "window", 250*time.Millisecond, "length of a window")
		flag.DurationVar(&opts.rules.TTL, "ttl", time.Second, "time to live of a session that is not used; the program takes about five of them")
		flag.Parse()
		// All that usually ends a program ends this one in good order. SIGPIPE
		// belongs to that: without it, "prefork | head" would leave dictionaries.
		ctx, stop := signal.NotifyContext(context.Background(),
			os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
		err = run(ctx, opts, os.Stdout)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "prefork:", err)
		os.Exit(1)
	}
}

// run is the whole course of the parent.
func run(ctx context.Context, opts options, out io.Writer) (err error) {
	r := opts.rules
	if opts.workers < 2 || opts.workers > 32 || opts.clients < 1 || opts.clients > 32 ||
		r.Limit < 1 || r.Window < 10*margin || r.TTL < 100*margin {
		return errors.New("it takes 2 to 32 workers, 1 to 32 clients, a limit, windows of 10 ms, and sessions of 100 ms")
	}
	r.Name = fmt.Sprintf("prefork-%d", os.Getpid())
	own, err := openService(r, ultradict.CreateOnly())
	if err != nil {
		return errors.Join(err, r.remove())
	}
	s := &show{service: own, out: out, begin: time.Now()}
	if err := s.open(); err != nil {
		return errors.Join(err, own.close(), r.remove())
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.roll = &rollCall{base: s.base, begin: s.begin, ttl: r.TTL, lines: map[int]*client{}}
	for range opts.workers {
		if err := s.start(); err != nil {
			return err
		}
	}
	if err := s.roll.connect(ctx, s.workers); err != nil && ctx.Err() == nil {
		return err
	}
	s.say("%d workers accept connections at %s; %d clients have %d of them each", opts.workers, s.base, opts.clients, connections)

	tallies, err := s.whileHammered(ctx, opts.clients)
	if err != nil {
		return err
	}
	interrupted := ctx.Err() != nil
	sum := &summary{
		rules: r, interrupted: interrupted, length: time.Since(s.begin), tallies: tallies,
		workers: s.all, killed: s.killed, seen: s.roll.seen, missed: s.roll.missed, unknown: s.roll.unknown,
	}
	if sum.counted, err = s.counted(); err != nil {
		return err
	}
	if !interrupted {
		if err := s.sweptAway(); err != nil {
			return err
		}
		s.say("the clients have ended, their sessions have expired, and are swept from memory")
	}
	if err := s.finish(); err != nil {
		return err
	}
	if _, err := io.WriteString(out, sum.String()); err != nil {
		return fmt.Errorf("print summary: %w", err)
	}
	return sum.check()
}

// whileHammered has the clients send requests while the show is performed.
func (s *show) whileHammered(ctx context.Context, clients int) ([]*tally, error) {
	working, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	tallies := make([]*tally, clients*connections)
	failures := make([]error, len(tallies))
	for i := range tallies {
		all.Go(func() {
			name := fmt.Sprintf("client-%d", i/connections+1)
			tallies[i], failures[i] = hammer(working, newClient(s.base, s.begin), name, s.TTL)
			if failures[i] != nil {
				stop()
			}
		})
	}
	err := s.perform(working)
	stop()
	all.Wait()
	if failed := errors.Join(failures...); failed != nil {
		return nil, failed
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	return tallies, nil
}
