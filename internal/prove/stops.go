package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/ultradict/go/ultradict"
)

// stoppedOwner shows that a live process is never robbed of the lock, however
// long it stands still, and that the others are told who it is.
func stoppedOwner(r *run) {
	const timeout = 200 * time.Millisecond
	m := r.numbers("stopped", ultradict.WithStreamSize(64<<10), ultradict.WithLockTimeout(timeout))
	r.must(m.Set("mine", 1))
	spinner := r.start("spin", m.Name(), 2)
	spinner.expect("ready")
	wanted, found := r.scaled(10, 3), 0
	named, patient, onward, untouched := 0, 0, 0, 0
	stops := 0
	for ; found < wanted && stops < 20_000; stops++ {
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		spinner.stop()
		before, err := m.Status()
		r.must(err)
		if before.LockOwner != spinner.pid() {
			spinner.resume()
			continue
		}
		found++
		r.progress("stopped with the lock %d times in %d", found, stops+1)
		for range 2 {
			begin := time.Now()
			err := m.Set("mine", 2)
			var locked *ultradict.LockError
			if errors.As(err, &locked) && locked.OwnerPID == spinner.pid() {
				named++
			} else {
				r.tell("    trouble", "Set returned %v", err)
			}
			if time.Since(begin) >= timeout {
				patient++
			}
		}
		n, err := m.Get("mine")
		after, errStatus := m.Status()
		r.must(errors.Join(err, errStatus))
		if n == 1 && after.Takeovers == before.Takeovers && after.LockOwner == spinner.pid() {
			untouched++
		}
		spinner.resume()
		if err := m.Set("mine", 1); err == nil {
			onward++
		} else {
			r.tell("    trouble", "Set after SIGCONT returned %v", err)
		}
	}
	r.figure("stops with the lock", fmt.Sprintf("%d of %d", found, stops), fmt.Sprint("≥ ", wanted), found >= wanted)
	r.equal("Set returned *LockError with the owner's PID", named, 2*found)
	r.equal("    and not before its timeout", patient, 2*found)
	r.equal("nothing changed, the lock was not robbed, reads went on", untouched, found)
	r.equal("Set went on after SIGCONT", onward, found)
	spinner.tell("end")
	spinner.end()
}

// spinRole writes all the time, from some goroutines, until it is told to end.
func spinRole(dir string, args []string) error {
	writers, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	return using(dir, args[0], func(m *ultradict.Map[string, int]) error {
		failed := make(chan error, writers)
		for w := range writers {
			go func() {
				key := fmt.Sprint("spin", w)
				for i := 0; ; i++ {
					if err := m.Set(key, i); err != nil {
						failed <- err
						return
					}
				}
			}()
		}
		say("ready")
		over := make(chan struct{})
		go func() { await(); close(over) }()
		select {
		case err := <-failed:
			return err
		case <-over:
			return nil
		}
	})
}

// stoppedSnapshotter shows that a process that stands still while it writes a
// layer holds up nobody: its work is taken from it, and what it publishes when
// it wakes up is refused.
func stoppedSnapshotter(r *run) {
	m := r.texts("snapshotter")
	wanted, found, stops := r.scaled(10, 3), 0, 0
	var waits times
	troubles := 0
	for ; found < wanted && stops < 2000; stops++ {
		p := r.start("flood", m.Name(), stops)
		p.expect("ready")
		due := int64(0)
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
			st, err := m.Status()
			r.must(err)
			if due = st.StreamAtRest / 2; int64(unfolded(st)) >= due {
				break
			}
		}
		p.stop()
		before, err := m.Status()
		r.must(err)
		// A rollover is due, so its process is at it; and it does not hold the lock.
		if int64(unfolded(before)) < due || before.LockOwner != 0 {
			p.kill()
			continue
		}
		found++
		r.progress("stopped in a rollover %d times in %d", found, stops+1)
		waited, err := r.writeBeside(m, before)
		if err != nil {
			r.tell("    trouble", "%v", err)
			troubles++
		}
		waits = append(waits, waited...)
		p.resume()
		p.tell("end")
		written := 0
		p.expect("%d", &written)
		p.end()
		fresh, err := ultradict.OpenMap[string, string](m.Name(), r.options()...)
		r.must(err)
		for i := range written {
			if _, err := fresh.Get(fmt.Sprintf("flood%d/%d", stops, i)); err != nil {
				r.tell("    trouble", "write %d is gone: %v", i, err)
				troubles++
				break
			}
		}
		r.must(fresh.Close())
		r.must(m.Clear())
	}
	r.figure("stops in a rollover", fmt.Sprintf("%d of %d", found, stops), fmt.Sprint("≥ ", wanted), found >= wanted)
	r.equal("errors, lost writes, rollovers that nobody took over", troubles, 0)
	r.atMost("Set beside it, all the time, worst", waits.sorted().worst(), survives)
	r.tell("    all of them", "%v", waits)
}

// writeBeside writes without a pause until the rollover that a stopped process
// was at has been done by somebody else, and three times the stream has been
// written. It returns how long each Set took.
func (r *run) writeBeside(m *ultradict.Map[string, string], before ultradict.Status) (waits times, err error) {
	value := string(make([]byte, 200))
	enough := 3 * int(before.StreamAtRest) / len(value)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		for range enough {
			begin := time.Now()
			err := m.Set(fmt.Sprint("other", len(waits)%5000), value)
			waits = append(waits, time.Since(begin))
			if err != nil {
				return waits, fmt.Errorf("beside a stopped process: %w", err)
			}
		}
		after, err := m.Status()
		if err != nil || after.Rollovers > before.Rollovers {
			return waits, err
		}
	}
	return waits, errors.New("nobody has taken the rollover over")
}

// unfolded is how many bytes of stream no layer holds yet.
func unfolded(st ultradict.Status) uint64 {
	if len(st.Layers) == 0 {
		return st.Head - st.Tail
	}
	return st.Head - min(st.Head, st.Layers[len(st.Layers)-1].To)
}

// floodRole writes ever new keys until it is told to end.
func floodRole(dir string, args []string) error {
	over := make(chan struct{})
	go func() { await(); close(over) }()
	return using(dir, args[0], func(m *ultradict.Map[string, string]) error {
		say("ready")
		value := string(make([]byte, 100))
		for i := 0; ; i++ {
			select {
			case <-over:
				say("%d", i)
				return nil
			default:
			}
			if err := m.Set(fmt.Sprintf("flood%s/%d", args[1], i), value); err != nil {
				return err
			}
		}
	})
}
