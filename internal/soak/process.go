package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// process is one that the driver has started.
type process struct {
	plan    plan
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	words   *os.File // its last words, if it ends itself
	log     *os.File // its standard error
	began   time.Time
	done    chan struct{} // closed once it is reaped
	byUs    bool          // killed by the driver
	told    bool          // to end
	stopped bool          // and the driver will continue it

	selfStopped bool // at its point
}

// start starts a process, and has its end told. journal is nil for those that keep
// none.
func (s *soak) start(p plan, journal *os.File, ended chan<- *process) *process {
	exe, err := os.Executable()
	must(err)
	w := &process{plan: p, cmd: exec.Command(exe), began: time.Now(), done: make(chan struct{})}
	w.words, err = unnamed(s.root)
	must(errors.Join(err, w.words.Truncate(wordsSize)))
	w.log, err = unnamed(s.root)
	must(err)
	w.cmd.Env = append(os.Environ(), roleVar+"="+p.encode(), "GORACE=atexit_sleep_ms=0")
	w.cmd.Stderr = w.log
	w.cmd.ExtraFiles = []*os.File{journal, w.words}
	if journal == nil {
		w.cmd.ExtraFiles[0] = w.log
	}
	w.stdin, err = w.cmd.StdinPipe()
	must(err)
	must(w.cmd.Start())
	go func() {
		_ = w.cmd.Wait() // what it says is in ProcessState
		close(w.done)
		if ended != nil {
			ended <- w
		}
	}()
	return w
}

// unnamed makes a file that goes with the last who has it open. What is written to
// it is appended, by whomever.
func unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "file-")
	if err != nil {
		return nil, err
	}
	g, err := os.OpenFile(f.Name(), os.O_RDWR|os.O_APPEND, 0)
	return g, errors.Join(err, os.Remove(f.Name()), f.Close())
}

func (w *process) pid() int { return w.cmd.Process.Pid }

// kill kills it, and waits for nothing.
func (w *process) kill() {
	w.byUs = true
	_ = w.cmd.Process.Kill() // it may have ended
}

// end lets it end by itself.
func (w *process) end() {
	w.told = true
	_ = w.stdin.Close()
}

// close gives back what the driver has of it.
func (w *process) close() {
	_ = w.stdin.Close()
	_ = w.words.Close()
	_ = w.log.Close()
}

// wordsSize is the size of the file of last words.
const wordsSize = 512

// lastWords are when and where it ended or stopped itself.
func (w *process) lastWords() (at time.Time, site string, ok bool) {
	b := make([]byte, wordsSize)
	_, _ = w.words.ReadAt(b, 0)
	text, _, ok := strings.Cut(string(b), "\n")
	when, site, _ := strings.Cut(text, " ")
	ns, err := strconv.ParseInt(when, 10, 64)
	if !ok || err != nil {
		return at, "", false
	}
	return time.Unix(0, ns), site, true
}

// said is what it wrote to standard error.
func (w *process) said() string {
	b := make([]byte, 4096)
	n, _ := w.log.ReadAt(b, 0)
	return string(b[:n])
}

// standing reports whether it is stopped.
func (w *process) standing() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.pid()))
	text := string(stat)
	// "pid (name) state …", and the name may hold anything.
	return err == nil && strings.HasPrefix(text[strings.LastIndexByte(text, ')')+1:], " T")
}
