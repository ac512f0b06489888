package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// config is what the command line says.
type config struct {
	length  time.Duration // how long to run
	readers int           // number of reader processes
	every   time.Duration // time from one scan of /proc to the next
}

func main() {
	if runtime.GOOS != "linux" {
		fmt.Fprintln(os.Stderr, "procwatch: needs Linux: its process table is /proc")
		os.Exit(1)
	}
	var err error
	if name, ok := os.LookupEnv(readerVar); ok {
		err = readerMain(name, os.Stdin, os.Stdout)
	} else {
		err = publisherMain(os.Args[1:])
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2) // package flag has said what is wrong
	case err != nil:
		fmt.Fprintln(os.Stderr, "procwatch:", err)
		os.Exit(1)
	}
}

// publisherMain is the process that the user starts.
func publisherMain(args []string) error {
	cfg, err := parseFlags(args, os.Stderr)
	if err != nil {
		return err
	}
	// All that usually ends a program ends this one in good order. SIGPIPE
	// belongs to that: without it, "procwatch | head" would leave dictionaries.
	ctx, stop := signal.NotifyContext(context.Background(),
		os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	return run(ctx, cfg, os.Stdout)
}

var errUsage = errors.New("bad usage")

func parseFlags(args []string, messages io.Writer) (config, error) {
	var cfg config
	f := flag.NewFlagSet("procwatch", flag.ContinueOnError)
	f.SetOutput(messages)
	f.DurationVar(&cfg.length, "for", 10*time.Second, "how long to run")
	f.IntVar(&cfg.readers, "readers", 3, "number of reader processes, 1 to 32")
	f.DurationVar(&cfg.every, "every", 200*time.Millisecond, "time from scan to scan, at least 10ms")
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return cfg, err
	case err != nil:
		return cfg, errUsage
	case f.NArg() > 0, cfg.length <= 0, cfg.readers < 1, cfg.readers > 32, cfg.every < 10*time.Millisecond:
		f.Usage()
		return cfg, errUsage
	}
	return cfg, nil
}

// run is the whole course of the publisher: open, start the readers, publish
// until ctx or the time is over, have everybody say what they hold, compare.
func run(ctx context.Context, cfg config, out *os.File) (err error) {
	name := fmt.Sprintf("procwatch-%d", os.Getpid())
	pub, err := openPublisher(name, os.DirFS("/proc"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pub.close()) }()
	if err := pub.scan(monotonic()); err != nil {
		return err
	}

	readers, err := startReaders(ctx, cfg.readers, name)
	defer func() {
		for _, r := range readers {
			r.kill()
		}
	}()
	if ctx.Err() != nil {
		return nil // interrupted before anything was to be seen
	}
	if err != nil {
		return err
	}

	start := time.Now()
	if err := publish(ctx, cfg, pub, readers, newScreen(out)); err != nil {
		return err
	}
	sum := summary{
		elapsed: time.Since(start), interrupted: ctx.Err() != nil,
		published: pub.counts, sets: pub.sets,
	}
	if sum.readers, err = finishReaders(readers); err != nil {
		return err
	}
	if sum.publisher, err = pub.verify(); err != nil {
		return err
	}
	if _, err := out.WriteString(sum.String()); err != nil {
		return fmt.Errorf("print summary: %w", err)
	}
	return sum.check()
}

// publish scans, and shows what the readers answer, until the time is over.
func publish(ctx context.Context, cfg config, pub *publisher, readers []*process, scr *screen) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.length)
	defer cancel()
	beacons := make(chan error, 1)
	go func() { beacons <- pub.sendBeacons(ctx) }()

	start := time.Now()
	tick := time.NewTicker(cfg.every)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			if err := pub.scan(monotonic()); err != nil {
				cancel()
				return errors.Join(err, <-beacons)
			}
			scr.show(progress{
				elapsed: time.Since(start), length: cfg.length, published: pub.counts,
				processes: len(pub.last), readers: readers,
			})
			for _, r := range readers {
				if r.ended() {
					cancel()
					return errors.Join(fmt.Errorf("reader %d (process %d) ended: %w", r.id, r.pid(), cause(r.err)), <-beacons)
				}
			}
		}
	}
	scr.end()
	return <-beacons
}
