package main

import (
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic returns the time of CLOCK_MONOTONIC in nanoseconds. It can be
// compared between processes, which the readings in a time.Time cannot.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // the kernel always has this clock
	}
	return t.Nano()
}

// usage is what this process has used.
type usage struct {
	at     int64         // nanoseconds of CLOCK_MONOTONIC
	cpu    time.Duration // CPU time
	sleeps int64         // how often one of its threads has gone to sleep
}

func used() usage {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // only for an unknown argument
	}
	return usage{at: monotonic(), cpu: time.Duration(u.Utime.Nano() + u.Stime.Nano()), sleeps: int64(u.Nvcsw)}
}

// setApart has a command run in a process group of its own: Ctrl-C is for the owner, and
// when to end is for the owner to say. If the owner is killed while the process is stopped,
// the kernel continues it, so that it can end.
func setApart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGCONT}
}

func stopProcess(p *os.Process) error     { return p.Signal(syscall.SIGSTOP) }
func continueProcess(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
