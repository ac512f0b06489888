//go:build ultradict_failpoints && linux

package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/failpoint"
)

const points = failpoint.Enabled

// arm makes this process kill or stop itself at a point. It says so first, in the
// file of its last words. That is mapped, since the process may be where the
// scheduler is off: there a system call that the scheduler knows of is the end of the
// program.
func (p point) arm(words *os.File) error {
	if p.At == 0 {
		return nil
	}
	page, err := unix.Mmap(int(words.Fd()), 0, wordsSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	plan := failpoint.Plan{At: p.At, Only: p.Only, Action: failpoint.Kill, Report: func(s failpoint.Site) {
		copy(page, fmt.Appendf(nil, "%d %s\n", time.Now().UnixNano(), s))
	}}
	if p.Stop {
		plan.Action = failpoint.Stop
	}
	failpoint.Arm(plan)
	return nil
}
