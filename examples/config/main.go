package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options is what the command line says.
type options struct {
	length  time.Duration // of the run
	workers int
	every   time.Duration // from push to push
}

// shortest is a time in which there is something to be seen.
const shortest = 500 * time.Millisecond

func main() {
	var err error
	if name, ok := os.LookupEnv(workerVar); ok {
		err = workerMain(name, os.Stdin, os.Stdout)
	} else {
		var opts options
		flag.DurationVar(&opts.length, "for", 8*time.Second, "how long to run")
		flag.IntVar(&opts.workers, "workers", 4, "number of worker processes, 3 to 32")
		flag.DurationVar(&opts.every, "every", 5*time.Millisecond, "time from push to push")
		flag.Parse()
		// All that usually ends a program ends this one in good order. SIGPIPE
		// belongs to that: without it, "config | head" would leave a dictionary.
		ctx, stop := signal.NotifyContext(context.Background(),
			os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
		err = run(ctx, opts, os.Stdout)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "config:", err)
		os.Exit(1)
	}
}

// run is the whole course of the owner.
func run(ctx context.Context, opts options, out io.Writer) (err error) {
	if opts.length < shortest || opts.workers < 3 || opts.workers > 32 || opts.every <= 0 {
		return errors.New("it takes half a second, 3 to 32 workers, and some time between pushes")
	}
	name := fmt.Sprintf("config-%d", os.Getpid())
	o, err := openOwner(context.WithoutCancel(ctx), name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	f := &fleet{owner: o, name: name, out: out, begin: time.Now()}
	defer f.kill()

	err = f.perform(ctx, opts)
	if err != nil && ctx.Err() == nil {
		return err
	}
	// Also when interrupted: the workers go when the configuration says so.
	s, err := f.finish()
	if err != nil {
		return err
	}
	s.interrupted = ctx.Err() != nil
	if _, err := io.WriteString(out, s.String()); err != nil {
		return fmt.Errorf("print summary: %w", err)
	}
	return s.check()
}
