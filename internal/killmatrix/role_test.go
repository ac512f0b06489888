//go:build ultradict_failpoints

package killmatrix

import (
	"errors"
	"fmt"
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
	proctest.Main(m, map[string]func([]string) error{"victim": victim, "helper": helper, "dier": dier, "rival": rival})
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
// for: it may be where the scheduler is off.
func report(s failpoint.Site) {
	line := []byte("at " + s.String() + "\n")
	// Not through the scheduler: it would have to give up what it holds.
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, 1, uintptr(unsafe.Pointer(&line[0])), uintptr(len(line)))
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
	var more []ultradict.Option
	if sc.saves {
		more = append(more, persistence(dir))
	}
	d, err := sc.open(dir, more...)
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

// dier writes until it comes to a function, in which it dies. args are the
// directory, the scenario and the function.
func dier(args []string) error {
	d, err := scenarioOf(args[1]).open(args[0])
	if err != nil {
		return err
	}
	failpoint.Arm(failpoint.Plan{At: 3, Action: failpoint.Kill, Only: args[2]})
	for i := range 100_000 {
		if err := d.Set("dier", i%7); err != nil {
			return err
		}
	}
	return errors.New("it never came to " + args[2])
}

// rival is somebody else who is at work until the test has enough: it counts in the
// shared key, or answers pings. args are the directory and the scenario.
func rival(args []string) error {
	sc := scenarioOf(args[1])
	d, err := sc.open(args[0])
	if err != nil {
		return err
	}
	if sc.echo {
		go answer(d)
	} else {
		go func() {
			for i := 0; ; i++ {
				if err := errors.Join(bump("rival", fmt.Sprint(i%7)).do(d), count().do(d)); err != nil {
					return
				}
			}
		}()
	}
	proctest.Say("ready")
	proctest.Receive()
	return d.Close()
}
