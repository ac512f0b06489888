//go:build ultradict_failpoints

package failpoint

import "golang.org/x/sys/unix"

// stopSelf stops this process before the calling thread executes another
// instruction of the program: a signal to the thread is taken on the way back
// from the very call that sends it.
func stopSelf() { _ = unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGSTOP) }
