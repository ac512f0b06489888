package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// patience is how long a worker may take for its whole life. It is a net under
// workers that hang, no measure of speed.
const patience = 2 * time.Minute

// A worker is a further process of this program, as the driver has it.
type worker struct {
	order
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
	done   chan struct{} // closed once it is reaped
	// Valid after done:
	err    error
	reaped int64 // it did nothing after this time
	killed bool  // the driver tried to; for the goroutine that does
}

// workers are those that live, so that none outlives the driver.
var workers = struct {
	mu    sync.Mutex
	live  map[*worker]bool
	ended bool // no further ones
}{live: map[*worker]bool{}}

// start starts a worker, which waits for its turn.
func start(o order) (*worker, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	w := &worker{order: o, cmd: exec.Command(exe, string(text)), done: make(chan struct{})}
	w.cmd.Env = append(os.Environ(), roleVar+"=worker",
		// A program built with the race detector lingers for a second otherwise.
		"GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	w.cmd.Stderr = &w.stderr
	wakeOrphans(w.cmd)
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.stdout = bufio.NewReader(out)
	workers.mu.Lock()
	defer workers.mu.Unlock()
	if workers.ended {
		return nil, errInterrupted
	}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	workers.live[w] = true
	return w, nil
}

// hire starts a process that removes root when this one has ended, or the
// returned function is called.
func hire(root string) (dismiss func(), err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, root)
	cmd.Env = append(os.Environ(), roleVar+"=janitor")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	}, nil
}

// ready waits until the worker is ready for its turn. From then on it is reaped
// as soon as it ends.
func (w *worker) ready() error {
	line, err := w.stdout.ReadString('\n')
	go func() {
		w.err = w.cmd.Wait()
		w.reaped = now()
		workers.mu.Lock()
		delete(workers.live, w)
		workers.mu.Unlock()
		close(w.done)
	}()
	if err != nil || line != "ready\n" {
		w.kill()
		return fmt.Errorf("worker %d said %q: %w\n%s", w.Number, line, w.err, w.stderr.String())
	}
	return nil
}

// begin is the worker's turn.
func (w *worker) begin() { _, _ = io.WriteString(w.stdin, "go\n") } // it may have died

// kill kills a worker and returns when it is reaped.
func (w *worker) kill() {
	_ = w.cmd.Process.Kill() // it may have ended
	<-w.done
}

// killAll kills what lives, and lets nothing be born any more.
func killAll() {
	workers.mu.Lock()
	defer workers.mu.Unlock()
	workers.ended = true
	for w := range workers.live {
		_ = w.cmd.Process.Kill() // it may have ended
	}
}

// died reports whether the driver's kill was what ended the worker.
func (w *worker) died() bool {
	var exit *exec.ExitError
	return w.killed && errors.As(w.err, &exit) && exit.ExitCode() == -1
}

// result says whether the worker did what it should, unless it was killed.
func (w *worker) result() error {
	if w.err == nil || w.died() {
		return nil
	}
	return fmt.Errorf("worker %d: %w\n%s", w.Number, w.err, w.stderr.String())
}

// interrupted reports whether the program is about to end.
func interrupted() bool {
	workers.mu.Lock()
	defer workers.mu.Unlock()
	return workers.ended
}

// journals are the paths of the journals that the worker has begun.
func (w *worker) journals() []string {
	var paths []string
	for i := range w.Goroutines {
		path := fmt.Sprint(w.Journal, i)
		if _, err := os.Stat(path); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// progress is how many bytes the worker has written down.
func (w *worker) progress() int64 {
	var sum int64
	for i := range w.Goroutines {
		if info, err := os.Stat(fmt.Sprint(w.Journal, i)); err == nil {
			sum += info.Size()
		}
	}
	return sum
}
