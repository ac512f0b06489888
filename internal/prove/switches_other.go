//go:build !linux

package main

func preemptions() int64 { return 0 }
