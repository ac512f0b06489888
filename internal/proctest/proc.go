package proctest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for anything that a role should do. It is
// a net under tests that would hang, no measure of speed.
const patience = 30 * time.Second

// Proc is a process that plays a role. See the package comment for goroutines.
type Proc struct {
	t      testing.TB
	role   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan string
	stderr logBuffer

	done chan struct{} // closed once the process is reaped
	err  error         // its exit status, valid after done
}

// Start starts the test binary again in the given role, which Main must know.
// The process is killed, if it still lives, and reaped when the test ends.
func Start(t testing.TB, role string, args ...string) *Proc {
	t.Helper()
	return StartWith(t, nil, role, args...)
}

// StartWith is Start, and lets the caller change the command before it runs:
// its user, its namespaces, or a program that starts it in turn.
func StartWith(t testing.TB, change func(*exec.Cmd), role string, args ...string) *Proc {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatalf("start role %s: %v", role, err)
	}
	p := &Proc{t: t, role: role, lines: make(chan string, 1024), done: make(chan struct{})}
	p.cmd = exec.Command(exe, args...)
	p.cmd.Env = append(os.Environ(), roleVar+"="+role,
		// A program built with the race detector lingers for a second otherwise.
		"GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = 5 * time.Second // a grandchild may hold stderr open
	if change != nil {
		change(p.cmd)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatalf("start role %s: %v", role, err)
	}
	// A pipe of our own: StdoutPipe would throw away unread lines at the end.
	out, childOut, err := os.Pipe()
	if err != nil {
		t.Fatalf("start role %s: %v", role, err)
	}
	p.cmd.Stdout = childOut
	err = p.cmd.Start()
	childOut.Close()
	if err != nil {
		out.Close()
		t.Fatalf("start role %s: %v", role, err)
	}

	abandoned := make(chan struct{})
	go p.read(out, abandoned)
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		close(abandoned)
		out.Close()
		if text := p.stderr.String(); t.Failed() && text != "" {
			t.Logf("standard error of role %s (process %d):\n%s", p.role, p.PID(), text)
		}
	})
	return p
}

// read passes the output of the process on to Line.
func (p *Proc) read(out io.Reader, abandoned <-chan struct{}) {
	defer close(p.lines)
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return // a line that its writer did not finish is no line
		}
		select {
		case p.lines <- strings.TrimSuffix(line, "\n"):
		case <-abandoned:
			return
		}
	}
}

// PID returns the id of the process. Any goroutine may call it.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Line returns the next line that the role said. The test fails if there is
// none within 30 seconds, or the output ends.
func (p *Proc) Line() string {
	p.t.Helper()
	line, ok := p.TryLine()
	if !ok {
		p.t.Fatalf("role %s (process %d) ended its output: %v", p.role, p.PID(), p.Wait())
	}
	return line
}

// TryLine is Line, but returns false at the end of the output.
func (p *Proc) TryLine() (line string, ok bool) {
	p.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case line, ok = <-p.lines:
	case <-timer.C:
		p.t.Fatalf("role %s (process %d) said nothing for %v", p.role, p.PID(), patience)
	}
	return line, ok
}

// Send sends a line to the role's Receive. The test fails if the process is
// gone.
func (p *Proc) Send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatalf("send %q to role %s (process %d): %v", line, p.role, p.PID(), err)
	}
}

// CloseStdin ends the process softly, with status 0, wherever its role is.
func (p *Proc) CloseStdin() { p.stdin.Close() }

// Signal sends a signal and waits for nothing. A process that has ended
// already is none to complain about. Any goroutine may call it.
func (p *Proc) Signal(sig os.Signal) { p.cmd.Process.Signal(sig) }

// Kill kills the process (SIGKILL) and returns when it is reaped: its memory
// is gone and its file locks have fallen. Any goroutine may call it.
func (p *Proc) Kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// Wait waits for the process to end by itself and returns nil if its status
// is 0, else an error that holds what it wrote to standard error. The test
// fails if the process does not end within 30 seconds. It may be called again.
func (p *Proc) Wait() error {
	p.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Kill()
		p.t.Fatalf("role %s (process %d) did not end within %v", p.role, p.PID(), patience)
	}
	if p.err != nil {
		return fmt.Errorf("role %s: %w\n%s", p.role, p.err, p.stderr.String())
	}
	return nil
}

// logBuffer is a buffer for the copying goroutine of package exec and a test.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
