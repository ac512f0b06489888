package main

import (
	"os"
	"os/exec"
	"syscall"
)

var (
	terminate      os.Signal = syscall.SIGTERM
	stopSignal     os.Signal = syscall.SIGSTOP
	continueSignal os.Signal = syscall.SIGCONT
)

// wakeOrphans lets a worker that is stopped go on if the driver dies, so that it
// can notice.
func wakeOrphans(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGCONT}
}
