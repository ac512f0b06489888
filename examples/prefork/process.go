package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/ultradict/go/ultradict"
)

// workerVar names the environment variable that makes this program a worker; it holds the
// rules as JSON.
const workerVar = "ULTRADICT_PREFORK"

// inherited is the file descriptor of the socket in a worker: the first of ExtraFiles.
const inherited = 3

// stopLine is what the parent writes to a worker's standard input to end it.
const stopLine = "stop\n"

// patience is how long anybody waits for a process to do what it has to.
const patience = 20 * time.Second

// errGone says that there is nobody to work for any more.
var errGone = errors.New("the parent is gone")

// workerMain is a worker process. It ends when it is told to on in.
func workerMain(text string, in io.Reader) error {
	var r rules
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	socket := os.NewFile(inherited, "socket")
	listener, err := net.FileListener(socket)
	if err != nil {
		return fmt.Errorf("take the socket over: %w", err)
	}
	if err := socket.Close(); err != nil { // the listener has a copy
		return err
	}
	err = serve(r, listener, in)
	if errors.Is(err, errGone) {
		return errors.Join(err, r.remove())
	}
	return err
}

// serve answers requests until in says that it is to stop, or ends.
func serve(r rules, listener net.Listener, in io.Reader) (err error) {
	s, err := openService(r, ultradict.AttachOnly())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	server := &http.Server{Handler: s.handler()}
	stopped := make(chan error, 1)
	go func() {
		if line, err := bufio.NewReader(in).ReadString('\n'); err != nil || line != stopLine {
			stopped <- errors.Join(errGone, server.Close())
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil { // somebody has a connection, and does not use it
			stopped <- server.Close()
			return
		}
		stopped <- nil
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// process is a worker as the parent sees it.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed once it has ended
	err   error         // its exit status, valid after done
}

// startWorker starts this program as a worker that accepts connections from a socket.
// Whoever gets one kills it in the end.
func startWorker(r rules, socket *os.File) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(exe), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), workerVar+"="+string(text))
	p.cmd.ExtraFiles = []*os.File{socket}
	p.cmd.Stderr = os.Stderr
	setApart(p.cmd)
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop has the process end, and waits for that.
func (p *process) stop() error {
	if _, err := io.WriteString(p.stdin, stopLine); err != nil {
		return fmt.Errorf("stop worker %d: %w", p.pid(), err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		return fmt.Errorf("worker %d goes on %v after it was to stop", p.pid(), patience)
	}
	if p.err != nil {
		return fmt.Errorf("worker %d: %w", p.pid(), p.err)
	}
	return nil
}

// ended returns an error if the process has ended.
func (p *process) ended() error {
	select {
	case <-p.done:
		return fmt.Errorf("worker %d has ended: %v", p.pid(), p.err)
	default:
		return nil
	}
}

// kill ends the process, if it still lives, and waits for that.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.done
}
