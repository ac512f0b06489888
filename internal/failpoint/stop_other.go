//go:build ultradict_failpoints && !linux

package failpoint

func stopSelf() { panic("failpoint: this system cannot stop a process") }
