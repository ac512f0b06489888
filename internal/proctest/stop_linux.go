package proctest

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

func (p *Proc) stop() {
	p.t.Helper()
	p.Signal(syscall.SIGSTOP)
	p.awaitStop()
}

func (p *Proc) awaitStop() {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !p.stopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("role %s (process %d) did not stop within %v", p.role, p.PID(), patience)
		}
	}
}

func (p *Proc) cont() { p.Signal(syscall.SIGCONT) }

// stopped reports whether every thread is in state T: the signal reaches one
// thread first, and the others a moment later.
func (p *Proc) stopped() bool {
	p.t.Helper()
	dir := fmt.Sprintf("/proc/%d/task", p.PID())
	threads, err := os.ReadDir(dir)
	if err != nil {
		p.t.Fatalf("role %s (process %d) is gone: %v", p.role, p.PID(), err)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(dir + "/" + thread.Name() + "/stat")
		if err != nil {
			continue // this thread has ended
		}
		// "tid (name) state …", and the name may hold anything.
		_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
		if !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return true
}
