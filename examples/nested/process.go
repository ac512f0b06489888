package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/ultradict/go/ultradict"
)

// helperVar names the environment variable that makes this program a robot or the
// auditor; it holds the name of the dictionary. The first argument says which one.
const helperVar = "ULTRADICT_NESTED"

const auditorName = "auditor"

// patience is how long the owner waits for a process to end.
const patience = 20 * time.Second

// errGone says that there is nobody to work for any more.
var errGone = errors.New("the owner is gone")

// helperMain is a robot, or the auditor. It ends when the warehouse is closed, or when in
// ends, because the owner was killed.
func helperMain(name, who string, in io.Reader) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel(errGone)
	}()
	err := help(ctx, name, who)
	if context.Cause(ctx) == errGone {
		return errors.Join(errGone, remove(name))
	}
	return err
}

func help(ctx context.Context, name, who string) (err error) {
	d, err := ultradict.Open(name, ultradict.AttachOnly())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if who == auditorName {
		return auditorMain(ctx, d)
	}
	return robotMain(ctx, d, who)
}

// process is a helper as the owner sees it.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser // its end ends the helper
	done  chan struct{}  // closed once it has ended
	err   error          // its exit status, valid after done
}

// start starts this program as a helper. Whoever gets one kills it in the end.
func start(dictionary, name string) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: exec.Command(exe, name), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), helperVar+"="+dictionary)
	p.cmd.Stderr = os.Stderr
	setApart(p.cmd)
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// finish waits for the process to end by itself.
func (p *process) finish() error {
	select {
	case <-p.done:
	case <-time.After(patience):
		return fmt.Errorf("%s (process %d) goes on %v after the end", p.name, p.cmd.Process.Pid, patience)
	}
	if p.err != nil {
		return fmt.Errorf("%s (process %d): %w", p.name, p.cmd.Process.Pid, p.err)
	}
	return nil
}

// ended returns an error if the process has ended.
func (p *process) ended() error {
	select {
	case <-p.done:
		return errors.Join(p.finish(), fmt.Errorf("%s (process %d) has ended too early", p.name, p.cmd.Process.Pid))
	default:
		return nil
	}
}

// kill ends the process, if it still lives, and waits for that.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.done
}
