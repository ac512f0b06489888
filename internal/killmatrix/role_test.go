//go:build ultradict_failpoints

package killmatrix

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/failpoint"
	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func TestMain(m *testing.M) {
	proctest.Main(m, map[string]func([]string) error{"victim": victim, "helper": helper})
}

// arm makes this process do something at a point: args are its number, 0 for none,
// and "kill" or "stop".
func arm(at, action string) error {
	n, err := strconv.ParseUint(at, 10, 64)
	if err != nil {
		return err
	}
	plan := failpoint.Plan{At: n, Trace: n == 0, Report: report}
	switch action {
	case "kill":
		plan.Action = failpoint.Kill
	case "stop":
		plan.Action = failpoint.Stop
	default:
		return fmt.Errorf("no action %q", action)
	}
	failpoint.Arm(plan)
	return nil
}

// report says where the process is, without a lock that a goroutine could wait
// for: it may be where the scheduler is off. The scheduler must not even know of the
// system call, or it may take the processor away meanwhile, which is fatal there.
func report(s failpoint.Site) {
	b := []byte("at " + s.String() + "\n")
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, os.Stdout.Fd(), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
}

// victim runs a scenario: args are the directory, the scenario, and those of arm.
// It says how many steps have returned, and at the end, if it gets there, how many
// points it has passed.
func victim(args []string) error {
	dir, sc := args[0], scenarioOf(args[1])
	if err := arm(args[2], args[3]); err != nil {
		return err
	}
	err := sc.play(dir, func(n int) { proctest.Say("ack %d", n) })
	n := failpoint.Disarm()
	if err != nil {
		proctest.Say("failed %v", err)
	}
	if args[2] == "0" {
		for _, s := range failpoint.Sites() {
			proctest.Say("site %s", s)
		}
	}
	proctest.Say("points %d", n)
	return nil
}

func (sc *scenario) play(dir string, ack func(n int)) error {
	d, err := sc.open(dir)
	if err != nil {
		return err
	}
	for i, s := range sc.steps {
		if err := s.do(d); err != nil {
			return errors.Join(fmt.Errorf("step %d: %w", i+1, err), d.Close())
		}
		ack(i + 1)
	}
	time.Sleep(sc.rest)
	if err := d.Close(); err != nil {
		return err
	}
	if sc.last != nil {
		return sc.last(dir)
	}
	return nil
}

// helper is somebody who comes after a death, and may die as well: it opens the
// dictionary, writes a key of its own until layers were published, and leaves.
// args are the directory, the scenario, those of arm, and the key.
func helper(args []string) error {
	dir, sc := args[0], scenarioOf(args[1])
	if err := arm(args[2], args[3]); err != nil {
		return err
	}
	d, err := sc.open(dir)
	if err != nil {
		return fmt.Errorf("open after a death: %w", err)
	}
	for i := range 120 {
		if err := d.Set(args[4], small(i)); err != nil && !errors.Is(err, ultradict.ErrRemoved) && !errors.Is(err, ultradict.ErrNoSpace) {
			return fmt.Errorf("set after a death: %w", err)
		}
	}
	if _, err := d.Delete(args[4]); err != nil && !errors.Is(err, ultradict.ErrRemoved) {
		return fmt.Errorf("delete after a death: %w", err)
	}
	err = d.Close()
	proctest.Say("points %d", failpoint.Disarm())
	return err
}
