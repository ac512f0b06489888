package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ultradict/go/ultradict"
)

const (
	groups = 4 // of keys

	turns  = 4 // workers that run at a time
	spares = 4 // workers that wait until one of those has ended

	operations = 500     // of each worker
	entrySize  = 230     // of an operation in a journal, roughly
	smallest   = 4 << 10 // stream
)

// errInterrupted says that the driver is about to end.
var errInterrupted = errors.New("interrupted")

// figures are what a round, or all of them, amounts to.
type figures struct {
	rounds     int
	operations int
	unknown    int // of these, called by processes that died in them
	histories  int // one for each group and round
	processes  int
	kills      int
	stops      int
	rollovers  uint64
	merges     uint64
	takeovers  uint64
	conflicts  uint64
	checking   time.Duration
}

func (f *figures) add(g figures) {
	f.rounds += g.rounds
	f.operations += g.operations
	f.unknown += g.unknown
	f.histories += g.histories
	f.processes += g.processes
	f.kills += g.kills
	f.stops += g.stops
	f.rollovers += g.rollovers
	f.merges += g.merges
	f.takeovers += g.takeovers
	f.conflicts += g.conflicts
	f.checking += g.checking
}

// A round is one dictionary, from its creation to its removal.
type round struct {
	figures
	dir     string // of the round
	rand    *rand.Rand
	clients int
	mu      sync.Mutex
	history []call
}

// play plays a round and returns its history, also where something went wrong.
func (r *round) play() error {
	dicts := filepath.Join(r.dir, "dicts")
	if err := errors.Join(os.Mkdir(r.dir, 0o700), os.Mkdir(dicts, 0o700)); err != nil {
		return err
	}
	options := []ultradict.Option{ultradict.WithDir(dicts)}
	sizes := []int{0, 0, 10, 100, 1000, 8000, 8000, 70_000} // the last one does not fit into the stream
	if r.rand.IntN(3) > 0 {
		options = append(options, ultradict.WithStreamSize(smallest))
		sizes = []int{0, 0, 0, 10, 10, 50, 100, 1000}
	}
	m, err := ultradict.OpenMap[string, string]("linear", options...)
	if err != nil {
		return err
	}
	r.rounds++
	err = r.load(order{Dir: dicts, Name: "linear", Groups: groups, Sizes: sizes})
	return errors.Join(err, r.last(m), m.Close(), r.remove(dicts))
}

// load lets the workers work, some at a time, until all have ended.
func (r *round) load(o order) error {
	waiting := make(chan *worker, turns+spares)
	for i := range cap(waiting) {
		o.Number = uint32(i + 1)
		o.Journal = filepath.Join(r.dir, fmt.Sprintf("worker%d-", o.Number))
		o.Seed = r.rand.Uint64()
		o.Goroutines = 1 + r.rand.IntN(3)
		o.Operations = operations / o.Goroutines
		o.Late = i >= turns && r.rand.IntN(2) == 0
		w, err := start(o)
		if err != nil {
			return err
		}
		defer func() { // in any case
			w.kill()
			_ = w.stdin.Close()
		}()
		r.processes++
		waiting <- w
	}
	var failed error
	for range cap(waiting) {
		w := <-waiting
		failed = errors.Join(failed, w.ready())
		waiting <- w
	}
	if failed != nil {
		return failed
	}
	close(waiting)
	var running sync.WaitGroup
	for range turns {
		random := rand.New(rand.NewPCG(r.rand.Uint64(), 0))
		running.Go(func() {
			for w := range waiting {
				err := r.turn(w, random)
				r.mu.Lock()
				failed = errors.Join(failed, err)
				r.mu.Unlock()
			}
		})
	}
	running.Wait()
	return failed
}

// turn lets one worker work, disturbs it, and collects its journals.
func (r *round) turn(w *worker, random *rand.Rand) error {
	goal := int64(operations * entrySize)
	kill, stop := goal*10, goal*10 // never
	if random.IntN(4) > 0 {
		kill = random.Int64N(goal)
	}
	if random.IntN(2) == 0 {
		stop = random.Int64N(goal)
	}
	w.begin()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var hung error
	for running := true; running; {
		select {
		case <-w.done:
			running = false
			continue
		case <-limit.C:
			hung = fmt.Errorf("worker %d did not end within %v", w.Number, patience)
			kill = 0
		case <-tick.C:
		}
		time.Sleep(time.Duration(random.IntN(1000)) * time.Microsecond)
		done := w.progress()
		if done >= stop {
			stop = goal * 10
			_ = w.cmd.Process.Signal(stopSignal) // it may have ended
			time.Sleep(time.Duration(random.IntN(15_000)) * time.Microsecond)
			if random.IntN(3) == 0 {
				kill = 0 // as it stands
			} else {
				_ = w.cmd.Process.Signal(continueSignal)
			}
			r.mu.Lock()
			r.stops++
			r.mu.Unlock()
		}
		if done >= kill {
			select {
			case <-w.done:
			default:
				w.killed = true
				w.kill()
			}
		}
	}
	return errors.Join(hung, r.collect(w))
}

// collect adds what a worker has written down to the history.
func (r *round) collect(w *worker) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	failed := w.result()
	died := int64(0)
	if w.err != nil {
		died = w.reaped
	}
	if w.died() {
		r.kills++
	}
	for _, path := range w.journals() {
		calls, err := readJournal(path, r.clients, died)
		failed = errors.Join(failed, err)
		r.history = append(r.history, calls...)
		r.clients++
	}
	return failed
}

// last looks at everything when all workers are gone.
func (r *round) last(m *ultradict.Map[string, string]) error {
	for g := range groups {
		op := &operation{Kind: "View", Group: g}
		for k := range keysPerGroup {
			op.Steps = append(op.Steps, step{Do: "get", Key: k})
		}
		begin := now()
		seen, err := look(m, op)
		if err != nil {
			return fmt.Errorf("after all others: %w", err)
		}
		r.history = append(r.history, call{Client: r.clients, Op: op, Call: begin, Return: now(), Out: outcome{Seen: seen}})
	}
	status, err := m.Status()
	r.rollovers, r.merges, r.takeovers, r.conflicts = status.Rollovers, status.Merges, status.Takeovers, status.Conflicts
	return err
}

// remove removes the dictionary; nothing may be left of it.
func (r *round) remove(dicts string) error {
	if err := ultradict.Remove("linear", ultradict.WithDir(dicts)); err != nil {
		return err
	}
	return filepath.WalkDir(dicts, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if info, err := e.Info(); err == nil && info.Size() == 0 {
			return nil // the root's lock
		}
		return fmt.Errorf("left over: %s", path)
	})
}
