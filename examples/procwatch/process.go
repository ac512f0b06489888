package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
)

// readerVar names the environment variable that makes this program a reader; it
// holds the name of the dictionary.
const readerVar = "PROCWATCH_READER"

// stopLine is what the publisher writes to a reader's standard input to have
// its result.
const stopLine = "stop\n"

// patience is how long the publisher waits for a reader to start or to end.
const patience = 20 * time.Second

// message is one line of JSON that a reader writes to its standard output.
type message struct {
	Ready  bool    `json:",omitempty"` // it has the dictionaries open
	Answer *answer `json:",omitempty"` // now and then
	Result *result `json:",omitempty"` // at the end
}

// row is a process and its id.
type row struct {
	PID int
	Process
}

// answer is what a reader makes of one view.
type answer struct {
	Revision       uint64
	Memory, CPU    []row  // the top ones
	Queries, Reads uint64 // so far
}

// result is what a reader has to say in the end.
type result struct {
	PID            int
	Elapsed, CPU   time.Duration // since it was ready; CPU time of its whole life
	Queries, Reads uint64
	Seen, Awake    histogram // see watcher
	Missed         uint64
	State          state
}

// process is a reader as the publisher sees it.
type process struct {
	id     int // 1, 2, 3 …
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	ready  chan struct{}
	answer atomic.Pointer[answer] // the last one, nil if there was none yet

	done   chan struct{} // closed once it has ended
	result *result       // valid after done, nil if it gave none
	err    error         // its exit status, valid after done
}

// startReaders starts reader processes and waits until they are ready. What it
// returns is to be killed in the end, with an error too.
func startReaders(ctx context.Context, n int, name string) ([]*process, error) {
	var readers []*process
	for id := 1; id <= n; id++ {
		p, err := startReader(id, name)
		if err != nil {
			return readers, fmt.Errorf("start reader %d: %w", id, err)
		}
		readers = append(readers, p)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, p := range readers {
		select {
		case <-p.ready:
		case <-p.done:
			return readers, fmt.Errorf("start reader %d: %w", p.id, cause(p.err))
		case <-ctx.Done():
			return readers, fmt.Errorf("start reader %d: %w", p.id, ctx.Err())
		}
	}
	return readers, nil
}

func startReader(id int, name string) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{id: id, cmd: exec.Command(exe), ready: make(chan struct{}), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), readerVar+"="+name)
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.listen(out)
	return p, nil
}

// listen takes what the reader says until it ends.
func (p *process) listen(out io.Reader) {
	defer close(p.done)
	in := json.NewDecoder(out)
	for isReady := false; ; {
		var m message
		if in.Decode(&m) != nil {
			break // the end, as a rule
		}
		if m.Ready && !isReady {
			isReady = true
			close(p.ready)
		}
		if m.Answer != nil {
			p.answer.Store(m.Answer)
		}
		if m.Result != nil {
			p.result = m.Result
		}
	}
	p.err = p.cmd.Wait()
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ended reports whether the process has ended; then err and result are valid.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// finishReaders stops the readers, all at once, and returns their results.
func finishReaders(readers []*process) ([]*result, error) {
	for _, p := range readers {
		if _, err := io.WriteString(p.stdin, stopLine); err != nil {
			return nil, fmt.Errorf("stop reader %d: %w", p.id, err)
		}
	}
	timeout := time.After(patience)
	var results []*result
	for _, p := range readers {
		select {
		case <-p.done:
		case <-timeout:
			return nil, fmt.Errorf("stop reader %d: no result after %v", p.id, patience)
		}
		if p.err != nil || p.result == nil {
			return nil, fmt.Errorf("reader %d (process %d): %w", p.id, p.pid(), cause(p.err))
		}
		results = append(results, p.result)
	}
	return results, nil
}

// kill ends the process, if it still lives, and waits for that.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.done
}

// cause puts a process's status in words where it is that of a good end.
func cause(status error) error {
	if status == nil {
		return errors.New("it ended too early")
	}
	return status
}
