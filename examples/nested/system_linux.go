package main

import (
	"os/exec"
	"syscall"
)

// setApart has a command run in a process group of its own: Ctrl-C is for the owner, and
// when to end is for the owner to say.
func setApart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
