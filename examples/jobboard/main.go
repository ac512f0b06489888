package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ultradict/go/ultradict"
)

// config is what the command line says.
type config struct {
	jobs    int
	workers int
	kills   int
	bits    int // leading zeros of a hash: each makes a job twice as long
}

func main() {
	var err error
	if name, ok := os.LookupEnv(workerVar); ok {
		err = work(context.Background(), name)
	} else {
		var c config
		flag.IntVar(&c.jobs, "jobs", 24, "number of jobs")
		flag.IntVar(&c.workers, "workers", 4, "number of worker processes")
		flag.IntVar(&c.kills, "kills", 5, "how many workers are killed at work")
		flag.IntVar(&c.bits, "bits", 21, "how hard the jobs are; one more is twice as hard")
		flag.Parse()
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		err = run(ctx, c, os.Stdout)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "jobboard:", err)
		os.Exit(1)
	}
}

// workerVar is set for workers: it names the board.
const workerVar = "ULTRADICT_JOBBOARD"

// run is the whole course of the process that the user starts.
func run(ctx context.Context, c config, to io.Writer) (err error) {
	out := bufio.NewWriter(to) // which keeps the first error
	if c.jobs < 1 || c.workers < 1 || c.kills < 0 || c.bits < 1 || c.bits > 40 {
		return errors.New("there must be jobs and workers, and 1 to 40 bits")
	}
	name := fmt.Sprintf("jobboard-%d", os.Getpid())
	board, err := ultradict.OpenMap[string, job](name, ultradict.CreateOnly())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, board.Close(), ultradict.Remove(name)) }()
	err = board.Update(ctx, func(tx *ultradict.Tx[string, job]) error {
		for i := range c.jobs {
			if err := tx.Set(fmt.Sprintf("job-%02d", i+1), job{Bits: c.bits}); err != nil {
				return err
			}
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}

	said := make(chan string)
	ended := make(chan *worker)
	workers := map[*worker]bool{}
	defer func() { // whatever happens: none is left behind
		for w := range workers {
			_ = w.cmd.Process.Kill()
		}
		for len(workers) > 0 {
			select {
			case <-said:
			case w := <-ended:
				delete(workers, w)
			}
		}
	}()
	start := func() error {
		w, err := startWorker(name, said, ended)
		if err == nil {
			workers[w] = true
		}
		return err
	}
	for range c.workers {
		if err := start(); err != nil {
			return err
		}
	}
	begin := time.Now()
	killed := 0
	for len(workers) > 0 {
		select {
		case <-ctx.Done():
			return nil
		case line := <-said:
			say(out, "%5.1f s  %s\n", time.Since(begin).Seconds(), line)
			// Who begins a job may not end it.
			if strings.Contains(line, "begins") && killed < c.kills && rand.IntN(3) == 0 {
				for w := range workers {
					if strings.HasPrefix(line, fmt.Sprintf("worker %d ", w.cmd.Process.Pid)) {
						time.Sleep(20 * time.Millisecond)
						if err := w.cmd.Process.Kill(); errors.Is(err, os.ErrProcessDone) {
							continue
						} else if err != nil {
							return err
						}
						killed++
						w.killed = true
						say(out, "%5.1f s  worker %d is killed\n", time.Since(begin).Seconds(), w.cmd.Process.Pid)
					}
				}
			}
		case w := <-ended:
			delete(workers, w)
			if w.err != nil && !w.killed {
				return fmt.Errorf("worker %d: %w", w.cmd.Process.Pid, w.err)
			}
			if w.killed {
				if err := start(); err != nil {
					return err
				}
			}
		}
	}
	if err := report(board, c, killed, time.Since(begin), out); err != nil {
		return err
	}
	return out.Flush()
}

// say prints at once. The first error is kept, and told by the last Flush.
func say(out *bufio.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format, args...)
	_ = out.Flush()
}

// report checks the board and prints it.
func report(board *ultradict.Map[string, job], c config, killed int, took time.Duration, out *bufio.Writer) error {
	say(out, "\n%-8s %10s %9s %9s\n", "job", "answer", "begun", "done by")
	begun, n := 0, 0
	for e, err := range ultradict.Range(board, "", "", 0) {
		if err != nil {
			return err
		}
		j := e.Value
		if !j.Done || !j.right(e.Key) {
			return fmt.Errorf("%s is not done: %+v", e.Key, j)
		}
		say(out, "%-8s %10d %7d × %9d\n", e.Key, j.Answer, j.Begun, j.By)
		begun += j.Begun
		n++
	}
	if n != c.jobs || begun > c.jobs+killed {
		return fmt.Errorf("%d jobs of %d; begun %d times, though only %d workers were killed", n, c.jobs, begun, killed)
	}
	say(out, "\n%d jobs done in %.1f s by %d workers at a time, of which %d were killed at work:\nevery answer is right, and %d jobs were begun once more\n",
		n, took.Seconds(), c.workers, killed, begun-n)
	return nil
}

// worker is a process.
type worker struct {
	cmd    *exec.Cmd
	killed bool
	err    error // how it ended
}

// startWorker starts this program as a worker. What it prints goes to said.
func startWorker(board string, said chan<- string, ended chan<- *worker) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w := &worker{cmd: exec.Command(self)}
	w.cmd.Env = append(slices.Clone(os.Environ()), workerVar+"="+board)
	w.cmd.Stderr = os.Stderr
	r, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			said <- fmt.Sprintf("worker %d %s", w.cmd.Process.Pid, lines.Text())
		}
		w.err = w.cmd.Wait()
		ended <- w
	}()
	return w, nil
}
