package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// workerVar names the environment variable that makes this program a worker; it holds the
// name of the dictionary.
const workerVar = "ULTRADICT_CONFIG"

// patience is how long the owner waits for a worker to start or to end.
const patience = 20 * time.Second

// message is a line of JSON that a worker writes to its standard output.
type message struct {
	Ready  bool    `json:",omitempty"` // it has the configuration
	Result *result `json:",omitempty"` // at the end
}

// process is a worker as the owner sees it.
type process struct {
	id    int // 1, 2, 3 …; who takes the place of another one has its number
	cmd   *exec.Cmd
	stdin io.WriteCloser // its end ends the worker
	ready chan struct{}

	done   chan struct{} // closed once it has ended
	result *result       // valid after done, nil if it gave none
	err    error         // its exit status, valid after done
}

// startWorker starts this program as a worker. Whoever gets one kills it in the end.
func startWorker(id int, name string) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{id: id, cmd: exec.Command(exe), ready: make(chan struct{}), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), workerVar+"="+name)
	p.cmd.Stderr = os.Stderr
	setApart(p.cmd)
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start worker %d: %w", id, err)
	}
	go p.listen(out)
	return p, nil
}

// listen takes what the worker says until it ends.
func (p *process) listen(out io.Reader) {
	defer close(p.done)
	for in := json.NewDecoder(out); ; {
		var m message
		if in.Decode(&m) != nil {
			break // the end, as a rule
		}
		if m.Ready {
			close(p.ready)
		}
		if m.Result != nil {
			p.result = m.Result
		}
	}
	p.err = p.cmd.Wait()
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// untilReady waits until the worker has the configuration.
func (p *process) untilReady(ctx context.Context) error {
	select {
	case <-p.ready:
		return nil
	case <-p.done:
		return p.failure()
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(patience):
		return fmt.Errorf("worker %d (process %d) has no configuration after %v", p.id, p.pid(), patience)
	}
}

// finish waits for the worker to end, and returns its result.
func (p *process) finish() (*result, error) {
	select {
	case <-p.done:
	case <-time.After(patience):
		return nil, fmt.Errorf("worker %d (process %d) has no result after %v", p.id, p.pid(), patience)
	}
	if p.err != nil || p.result == nil {
		return nil, p.failure()
	}
	return p.result, nil
}

// failure says how a worker ended that should not have.
func (p *process) failure() error {
	err := p.err
	if err == nil {
		err = errors.New("it ended too early")
	}
	return fmt.Errorf("worker %d (process %d): %w", p.id, p.pid(), err)
}

// explain returns what a signal's error means: mostly that the worker has ended.
func (p *process) explain(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		<-p.done
		return p.failure()
	}
	return err
}

// kill ends the process, if it still lives, and waits for that.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.done
}
