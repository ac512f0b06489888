//go:build ultradict_broken_commit

package stream

import "time"

// headFirst publishes a record before it is there. It exists to show that the
// check of histories (linear/) would find out.
const headFirst = true

// linger gives others the time to look. The caller is pinned, so it must not
// sleep.
func linger() {
	for begin := time.Now(); time.Since(begin) < 5*time.Microsecond; {
	}
}
