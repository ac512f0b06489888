//go:build !linux

package main

import "time"

// The program says that it needs Linux before it comes to any of these.

func monotonic() int64 { return 0 }

func cpuTime() time.Duration { return 0 }

func terminal(uintptr) (width, height int, ok bool) { return 0, 0, false }
