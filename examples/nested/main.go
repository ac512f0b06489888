package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options is what the command line says.
type options struct {
	length time.Duration // of the run
	robots int
	kills  int           // robots that are killed
	every  time.Duration // from one rebuilt site to the next
}

func main() {
	var err error
	if name, ok := os.LookupEnv(helperVar); ok {
		err = helperMain(name, os.Args[1], os.Stdin)
	} else {
		var opts options
		flag.DurationVar(&opts.length, "for", 5*time.Second, "how long to run")
		flag.IntVar(&opts.robots, "robots", 4, "number of robots, 1 to 32, each a process")
		flag.IntVar(&opts.kills, "kills", 3, "how many robots are killed")
		flag.DurationVar(&opts.every, "every", 100*time.Millisecond, "time from one rebuilt site to the next")
		flag.Parse()
		// All that usually ends a program ends this one in good order. SIGPIPE
		// belongs to that: without it, "nested | head" would leave a dictionary.
		ctx, stop := signal.NotifyContext(context.Background(),
			os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
		err = run(ctx, opts, os.Stdout)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nested:", err)
		os.Exit(1)
	}
}

// shortest is a time in which there is something to be seen.
const shortest = 500 * time.Millisecond

// run is the whole course of the owner.
func run(ctx context.Context, opts options, out io.Writer) (err error) {
	if opts.length < shortest || opts.robots < 1 || opts.robots > 32 || opts.kills < 0 || opts.every <= 0 {
		return errors.New("it takes half a second, 1 to 32 robots, and some time between rebuilt sites")
	}
	w, err := openWarehouse(context.WithoutCancel(ctx), fmt.Sprintf("nested-%d", os.Getpid()), opts.robots)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	s := &shift{warehouse: w, out: out, begin: time.Now()}
	defer s.kill()

	if err := s.perform(ctx, opts); err != nil {
		return err
	}
	sum, err := s.finish()
	if err != nil {
		return err
	}
	sum.interrupted = ctx.Err() != nil
	if _, err := io.WriteString(out, strings.Join(sum.lines(), "\n")+"\n"); err != nil {
		return fmt.Errorf("print summary: %w", err)
	}
	return sum.check()
}
