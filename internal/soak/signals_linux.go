package main

import (
	"os"
	"syscall"
)

var (
	terminate      os.Signal = syscall.SIGTERM
	stopSignal     os.Signal = syscall.SIGSTOP
	continueSignal os.Signal = syscall.SIGCONT
)

// killed reports whether a process was ended by SIGKILL.
func killed(p *os.ProcessState) bool {
	ws, ok := p.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}
