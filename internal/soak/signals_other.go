//go:build !linux

package main

import "os"

// The library works on Linux only, and so does this program: elsewhere the
// first Open says so.
var (
	terminate      os.Signal = os.Interrupt
	stopSignal     os.Signal = os.Interrupt
	continueSignal os.Signal = os.Interrupt
)

func killed(*os.ProcessState) bool { return false }
