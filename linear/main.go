package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

func main() {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(play(role, os.Args[1:]))
	}
	var c config
	flag.DurationVar(&c.duration, "for", 10*time.Second, "how long to go on")
	flag.IntVar(&c.rounds, "rounds", 0, "how many rounds at most; 0 for any number")
	flag.Uint64Var(&c.seed, "seed", 0, "of all choices; 0 for a random one")
	flag.StringVar(&c.out, "out", "", "folder for the history of a round that fails (default a new temporary one)")
	flag.Parse()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, terminate)
	go func() {
		<-signals
		killAll()
		c.clean()
		os.Exit(130)
	}()
	if err := c.run(os.Stdout); err != nil {
		if errors.Is(err, errInterrupted) {
			select {} // the other goroutine ends the program
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A config says what to run.
type config struct {
	duration time.Duration
	rounds   int
	seed     uint64
	out      string

	mu   sync.Mutex
	root string // in shared memory, while it runs
}

// run plays and checks rounds until time is up or one has failed. It prints the
// figures.
func (c *config) run(out io.Writer) error {
	if c.seed == 0 {
		c.seed = rand.Uint64()
	}
	root, err := os.MkdirTemp(memory(), "ultradict-linear-")
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.root = root
	c.mu.Unlock()
	dismiss, err := hire(root)
	if err != nil {
		c.clean()
		return err
	}
	defer dismiss()
	defer c.clean()

	tell(out, "%s %s/%s, %d processors, in %s, -seed %d", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), root, c.seed)
	begin := time.Now()
	told := begin
	var all figures
	for n := 0; err == nil && (c.rounds == 0 || n < c.rounds) && time.Since(begin) < c.duration; n++ {
		r := &round{
			dir:  filepath.Join(root, fmt.Sprint("round", n)),
			rand: rand.New(rand.NewPCG(c.seed, uint64(n))),
		}
		err = r.play()
		err = errors.Join(err, os.RemoveAll(r.dir))
		if interrupted() {
			return errInterrupted
		}
		err = errors.Join(err, r.check())
		all.add(r.figures)
		if err != nil {
			err = fmt.Errorf("round %d of seed %d: %w", n, c.seed, err)
			c.keep(out, r)
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			tell(out, "%v: %d rounds, %d operations", time.Since(begin).Round(time.Second), all.rounds, all.operations)
		}
	}
	all.print(out, time.Since(begin), err)
	return err
}

// keep keeps the history of a round that has failed, and says where.
func (c *config) keep(out io.Writer, r *round) {
	dir, err := c.out, error(nil)
	if dir == "" {
		dir, err = os.MkdirTemp("", "ultradict-linear-")
	}
	if err == nil {
		var paths []string
		paths, err = r.keep(dir)
		for _, p := range paths {
			tell(out, "kept %s", p)
		}
	}
	if err != nil {
		tell(out, "keep the history: %v", err)
	}
}

// tell prints a line. What it says is lost where nobody reads it; the exit
// status is not.
func tell(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}

// clean removes what the run has in shared memory.
func (c *config) clean() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := removeAll(c.root); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// removeAll removes a folder in which workers may still be making files.
func removeAll(dir string) (err error) {
	for range 100 {
		if err = os.RemoveAll(dir); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// memory is the folder of the machine that is shared memory.
func memory() string {
	if runtime.GOOS == "linux" {
		return "/dev/shm"
	}
	return ""
}

func (f *figures) print(out io.Writer, took time.Duration, err error) {
	verdict := "linearizable"
	switch {
	case errors.Is(err, errNotLinearizable):
		verdict = "NOT LINEARIZABLE"
	case err != nil:
		verdict = "FAILED"
	}
	for _, row := range []struct {
		name   string
		figure any
	}{
		{"time", took.Round(time.Millisecond)},
		{"of that, checking", f.checking.Round(time.Millisecond)},
		{"rounds", f.rounds},
		{"histories checked", f.histories},
		{"operations in them", f.operations},
		{"called by processes that died in them", f.unknown},
		{"processes", f.processes},
		{"kills", f.kills},
		{"stops", f.stops},
		{"rollovers", f.rollovers},
		{"merges", f.merges},
		{"locks taken over from the dead", f.takeovers},
		{"conflicts of transactions", f.conflicts},
		{"result", verdict},
	} {
		tell(out, "%-40s %v", row.name, row.figure)
	}
}
