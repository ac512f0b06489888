package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/ultradict/go/ultradict"
)

const (
	topSize     = 5
	burst       = 2048                   // single reads after each query
	lookEvery   = 16                     // reads from one look for a beacon to the next
	rest        = 4                      // how many times as long as it worked a reader rests …
	longestRest = 50 * time.Millisecond  // … but no longer than this
	answerEvery = 200 * time.Millisecond // how often it tells the publisher its answer
)

// reader answers queries from its replica.
type reader struct {
	table   *ultradict.Map[int, Process]
	watch   watcher
	answer  answer
	pids    []int // of the last query
	queries uint64
	reads   uint64
}

// errGone says that there is nobody to read for any more.
var errGone = errors.New("the publisher is gone")

// readerMain is a reader process. It ends when it is told to on in.
func readerMain(name string, in io.Reader, out io.Writer) error {
	// What a terminal sends goes to all processes of the program. When to stop
	// is for the publisher to say, which then wants the readers' results.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	stop := make(chan error, 1)
	go func() {
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil || line != stopLine {
			stop <- errGone
		}
		close(stop)
	}()

	err := read(name, stop, json.NewEncoder(out))
	if errors.Is(err, errGone) || errors.Is(err, ultradict.ErrRemoved) || errors.Is(err, syscall.EPIPE) {
		return errors.Join(errGone, removeAll(name))
	}
	return err
}

// read opens the dictionaries and answers queries until stop says something.
func read(name string, stop <-chan error, out *json.Encoder) (err error) {
	table, err := ultradict.OpenMap[int, Process](name, ultradict.AttachOnly())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	beacons, err := ultradict.OpenMap[int, Beacon](beaconsOf(name), ultradict.AttachOnly())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, beacons.Close()) }()

	r := &reader{table: table, watch: newWatcher(beacons)}
	if err := out.Encode(message{Ready: true}); err != nil {
		return err
	}
	start := time.Now()
	if err := r.serve(stop, out); err != nil {
		return err
	}
	if err := r.watch.look(); err != nil { // for the last ones
		return err
	}
	res := result{
		PID: os.Getpid(), Elapsed: time.Since(start), CPU: cpuTime(),
		Queries: r.queries, Reads: r.reads,
		Seen: r.watch.seen, Awake: r.watch.awake, Missed: r.watch.missed,
	}
	if res.State, _, err = stateOf(table); err != nil {
		return err
	}
	return out.Encode(message{Result: &res})
}

// serve works and rests until stop is closed, or gives an error.
func (r *reader) serve(stop <-chan error, out *json.Encoder) error {
	var answered time.Time
	for {
		start := time.Now()
		if err := r.query(); err != nil {
			return fmt.Errorf("query: %w", err)
		}
		if err := r.readMany(); err != nil {
			return err
		}
		if time.Since(answered) >= answerEvery {
			answered = time.Now()
			r.answer.Queries, r.answer.Reads = r.queries, r.reads
			if err := out.Encode(message{Answer: &r.answer}); err != nil {
				return err
			}
		}
		select {
		case err := <-stop:
			return err
		case <-time.After(min(rest*time.Since(start), longestRest)):
		}
	}
}

// query answers which processes use the most memory and the most CPU, both out
// of one view.
func (r *reader) query() error {
	var rows []row
	err := r.table.View(func(v *ultradict.View[int, Process]) error {
		if v.Revision() < r.answer.Revision {
			return fmt.Errorf("the dictionary went back from revision %d to %d", r.answer.Revision, v.Revision())
		}
		r.answer.Revision = v.Revision()
		for pid, p := range v.All() {
			rows = append(rows, row{PID: pid, Process: p})
		}
		return nil
	})
	r.pids = r.pids[:0]
	for _, p := range rows {
		r.pids = append(r.pids, p.PID)
	}
	r.answer.Memory = top(rows, byMemory)
	r.answer.CPU = top(rows, byCPU)
	r.queries++
	return err
}

// top returns the first rows in an order, as a slice of their own.
func top(rows []row, order func(a, b row) int) []row {
	slices.SortFunc(rows, order)
	return slices.Clone(rows[:min(topSize, len(rows))])
}

func byMemory(a, b row) int {
	return cmp.Or(-cmp.Compare(a.Memory, b.Memory), cmp.Compare(a.PID, b.PID))
}

func byCPU(a, b row) int {
	return cmp.Or(-cmp.Compare(a.Percent, b.Percent), -cmp.Compare(a.Process.CPU, b.Process.CPU), cmp.Compare(a.PID, b.PID))
}

// readMany reads one process after the other by its id, as programs do that
// look things up, and looks for beacons in between.
func (r *reader) readMany() error {
	for i := range burst {
		if i%lookEvery == 0 {
			if err := r.watch.look(); err != nil {
				return err
			}
		}
		if len(r.pids) == 0 {
			continue
		}
		_, err := r.table.Get(r.pids[i%len(r.pids)])
		if err != nil && !errors.Is(err, ultradict.ErrNotFound) { // it may have ended
			return fmt.Errorf("read: %w", err)
		}
		r.reads++
	}
	return nil
}
