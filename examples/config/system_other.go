//go:build !linux

package main

import (
	"errors"
	"os"
	"os/exec"
	"time"
)

// Where there are no dictionaries, the program ends before it comes to any of these.

type usage struct {
	at     int64
	cpu    time.Duration
	sleeps int64
}

func monotonic() int64 { return 0 }

func used() usage { return usage{} }

func setApart(*exec.Cmd) {}

func stopProcess(*os.Process) error { return errors.ErrUnsupported }

func continueProcess(*os.Process) error { return errors.ErrUnsupported }
