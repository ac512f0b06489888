package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// patience is how long a show waits for a process that should do something. It
// is a net under a show that would hang, no measure of speed.
const patience = 3 * time.Minute

// process is a further process of this program, in a role.
type process struct {
	r      *run
	role   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan string
	stderr bytes.Buffer
	done   chan struct{} // closed once it is reaped
	err    error         // valid after done
}

// processes are those that live, so that none outlives this one.
var processes = procs{live: map[*process]bool{}}

type procs struct {
	mu   sync.Mutex
	live map[*process]bool
}

func (p *procs) killAll() {
	p.mu.Lock()
	all := make([]*process, 0, len(p.live))
	for proc := range p.live {
		all = append(all, proc)
	}
	p.mu.Unlock()
	for _, proc := range all {
		proc.kill()
	}
}

func (p *procs) set(proc *process, live bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if live {
		p.live[proc] = true
	} else {
		delete(p.live, proc)
	}
}

// start starts a process in a role.
func (r *run) start(role string, args ...any) *process {
	exe, err := os.Executable()
	r.must(err)
	words := []string{r.dir}
	for _, a := range args {
		words = append(words, fmt.Sprint(a))
	}
	p := &process{r: r, role: role, cmd: exec.Command(exe, words...), lines: make(chan string, 1<<16), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), roleVar+"="+role)
	p.cmd.Stderr = &p.stderr
	p.stdin, err = p.cmd.StdinPipe()
	r.must(err)
	// A pipe of our own: StdoutPipe would throw away unread lines at the end.
	out, childOut, err := os.Pipe()
	r.must(err)
	p.cmd.Stdout = childOut
	err = p.cmd.Start()
	_ = childOut.Close()
	if err != nil {
		_ = out.Close()
		r.must(err)
	}
	processes.set(p, true)
	go func() {
		in := bufio.NewReader(out)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				break
			}
			p.lines <- strings.TrimSuffix(line, "\n")
		}
		close(p.lines)
		_ = out.Close()
	}()
	go func() {
		p.err = p.cmd.Wait()
		processes.set(p, false)
		close(p.done)
	}()
	return p
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// line returns the next line that the role said; the show ends if there is none.
func (p *process) line() string {
	line, ok := p.next()
	if !ok {
		p.r.must(fmt.Errorf("process %d (%s) ended its output: %w", p.pid(), p.role, p.wait()))
	}
	return line
}

// next returns the next line, or false at the end of the output.
func (p *process) next() (string, bool) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case line, ok := <-p.lines:
		return line, ok
	case <-timer.C:
		p.r.must(fmt.Errorf("process %d (%s) said nothing for %v", p.pid(), p.role, patience))
		return "", false
	}
}

// expect takes a line apart, as fmt.Sscanf does.
func (p *process) expect(format string, into ...any) {
	line := p.line()
	if _, err := fmt.Sscanf(line, format, into...); err != nil {
		p.r.must(fmt.Errorf("process %d (%s) said %q: %w", p.pid(), p.role, line, err))
	}
}

// tell sends a line to the role.
func (p *process) tell(format string, args ...any) {
	if _, err := fmt.Fprintf(p.stdin, format+"\n", args...); err != nil {
		p.r.must(fmt.Errorf("tell process %d (%s): %w: %w", p.pid(), p.role, err, p.wait()))
	}
}

// kill kills the process and returns when it is reaped.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// wait returns nil when the process has ended with status 0, else why not.
func (p *process) wait() error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.kill()
		return fmt.Errorf("process %d (%s) did not end within %v", p.pid(), p.role, patience)
	}
	if p.err != nil {
		return fmt.Errorf("process %d (%s): %w\n%s", p.pid(), p.role, p.err, p.stderr.String())
	}
	return nil
}

// end lets the process end by itself and expects that it was content.
func (p *process) end() { p.r.must(p.wait()) }

// stop stops the process (SIGSTOP) and returns when all its threads stand
// still.
func (p *process) stop() {
	p.r.must(p.cmd.Process.Signal(stopSignal))
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Microsecond) {
		stopped, err := p.stopped()
		p.r.must(err)
		if stopped {
			return
		}
		if time.Now().After(deadline) {
			p.r.must(fmt.Errorf("process %d (%s) does not stop", p.pid(), p.role))
		}
	}
}

// resume lets a stopped process go on (SIGCONT).
func (p *process) resume() { p.r.must(p.cmd.Process.Signal(continueSignal)) }

// stopped reports whether every thread stands still: the signal reaches one of
// them first, and the others a moment later.
func (p *process) stopped() (bool, error) {
	dir := fmt.Sprintf("/proc/%d/task", p.pid())
	threads, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(dir + "/" + thread.Name() + "/stat")
		if err != nil {
			continue // this thread has ended
		}
		// "tid (name) state …", and the name may hold anything.
		rest := bytes.TrimSpace(stat[bytes.LastIndexByte(stat, ')')+1:])
		if !bytes.HasPrefix(rest, []byte("T")) {
			return false, nil
		}
	}
	return true, nil
}
