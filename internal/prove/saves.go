package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ultradict/go/ultradict"
)

// saves shows that each save is of one moment, that a saver that is killed leaves the
// save before whole, and that a dictionary comes back after a reboot.
func saves(r *run) {
	files := r.dir + ".saves"
	r.must(os.Mkdir(files, 0o700))
	defer func() { r.must(os.RemoveAll(files)) }()
	r.savedStates(files)
	r.killedSavers(files)
	r.reboots(filepath.Join(files, "kept"))
	r.millionSaved(files)
}

// savedStates saves while three processes write, and looks at what comes back.
func (r *run) savedStates(files string) {
	rounds := r.scaled(200, 30)
	bank, copied := r.numbers("bank", ultradict.WithStreamSize(smallest)), r.numbers("copied")
	var tellers []*process
	for i := range 3 {
		p := r.start("teller", bank.Name(), i)
		p.expect("ready")
		tellers = append(tellers, p)
	}
	broken, transfers := 0, 0
	var took times
	for n := range rounds {
		r.progress("save %d", n+1)
		file := filepath.Join(files, "bank")
		begin := time.Now()
		r.must(bank.Save(context.Background(), file))
		took = append(took, time.Since(begin))
		r.must(copied.Restore(context.Background(), file))
		count, ok := r.balanced(copied)
		if !ok || count < transfers {
			broken++
		}
		transfers = count
	}
	for _, p := range tellers {
		p.kill()
	}
	r.equal(fmt.Sprintf("saved states that break the invariant, of %d", rounds), broken, 0)
	took = took.sorted()
	r.tell("    transfers meanwhile; time of a save p50, worst", "%d; %s, %s", transfers, short(took.at(.5)), short(took.worst()))
}

// killedSavers kills a process that saves to one path again and again.
func (r *run) killedSavers(files string) {
	deaths := r.scaled(100, 15)
	file := filepath.Join(files, "bank")
	halves, whole := 0, 0
	for n := range deaths {
		r.progress("saver %d", n+1)
		p := r.start("save-loop", "bank", file)
		p.expect("ready")
		time.Sleep(time.Duration(rand.IntN(30_000)) * time.Microsecond)
		p.kill()
		if _, err := ultradict.CheckSave(file); err == nil {
			whole++
		}
		left, err := filepath.Glob(filepath.Join(files, ".bank.*"))
		r.must(err)
		halves += len(left)
	}
	r.figure(fmt.Sprintf("previous save whole after %d kills", deaths), fmt.Sprintf("%d of %d", whole, deaths), fmt.Sprintf("%d of %d", deaths, deaths), whole == deaths)
	r.tell("    kills that left half a file", "%d", halves)
}

// reboots kills the process that keeps saves by itself, and removes the memory.
func (r *run) reboots(files string) {
	rounds := r.scaled(50, 8)
	opts := r.options(ultradict.WithPersistence(files, 10*time.Millisecond))
	restored, last, most := 0, 0, 0
	for n := range rounds {
		r.progress("reboot %d", n+1)
		p := r.start("keep-saved", files)
		p.expect("saved")
		time.Sleep(time.Duration(rand.IntN(50_000)) * time.Microsecond)
		p.kill()
		acknowledged := 0
		for line, ok := p.next(); ok; line, ok = p.next() {
			if i, err := strconv.Atoi(line); err == nil {
				acknowledged = i
			}
		}
		r.must(os.RemoveAll(filepath.Join(r.dir, "kept")))
		m, err := ultradict.OpenMap[string, int]("kept", opts...)
		r.must(err)
		count, ok := r.balanced(m)
		if ok && count > last {
			restored++
		}
		last, most = count, max(most, acknowledged-count)
		r.must(m.Close())
		r.must(os.RemoveAll(filepath.Join(r.dir, "kept")))
	}
	r.equal("restored after reboot, a whole and newer state each time", restored, rounds)
	r.tell("    transfers lost with a reboot, saved every 10 ms, at most", "%d of %d", most, last)
	r.must(ultradict.Remove("kept", opts...))
}

// millionSaved tells what a save costs.
func (r *run) millionSaved(files string) {
	keys := r.scaled(1_000_000, 100_000)
	m := r.texts("large")
	r.load(m, keys, 100)
	file := filepath.Join(files, "reborn.0000000000000001.save")
	before, err := privateMemory()
	r.must(err)
	most := before
	begin := time.Now()
	r.must(m.Save(context.Background(), file, ultradict.SaveProgress(func(done, _ int64) error {
		if done%100_000 != 0 {
			return nil
		}
		now, err := privateMemory()
		most = max(most, now)
		return err
	})))
	saved := time.Since(begin)
	info, err := os.Stat(file)
	r.must(err)
	begin = time.Now()
	reborn := r.texts("reborn", ultradict.WithPersistence(files, time.Hour))
	took := time.Since(begin)
	n, err := reborn.Len()
	r.must(errors.Join(err, reborn.Close())) // as long as the directory is there
	r.equal("keys of a large dictionary that Open restored", n, keys)
	r.figure("private memory while it was saved", size(most-before), "< 30 MiB", most-before < 30<<20)
	r.tell("    saved; restored by Open; size of the file", "%s; %s; %s", short(saved), short(took), size(info.Size()))
}

// tills are the keys whose values add up to nothing.
const tills = 40

// moveMoney moves something from one till to another, and counts that.
func moveMoney(m *ultradict.Map[string, int], i int) error {
	return m.Update(context.Background(), func(tx *ultradict.Tx[string, int]) error {
		for _, move := range []struct {
			key string
			by  int
		}{{fmt.Sprint("till", i*7%tills), i + 1}, {fmt.Sprint("till", (i*13+5)%tills), -i - 1}, {"transfers", 1}} {
			n, err := tx.Get(move.key)
			if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
				return err
			}
			if err := tx.Set(move.key, n+move.by); err != nil {
				return err
			}
		}
		return nil
	})
}

// balanced reports whether the tills add up to nothing, and how many transfers there
// were.
func (r *run) balanced(m *ultradict.Map[string, int]) (transfers int, ok bool) {
	sum := 0
	for e, err := range m.Entries() {
		r.must(err)
		if e.Key == "transfers" {
			transfers = e.Value
		} else {
			sum += e.Value
		}
	}
	return transfers, sum == 0
}

// tellerRole makes transfers for ever: name, number.
func tellerRole(dir string, args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	return using(dir, args[0], func(m *ultradict.Map[string, int]) error {
		say("ready")
		for i := n; ; i += 3 {
			if err := moveMoney(m, i); err != nil {
				return err
			}
		}
	})
}

// saveLoopRole makes a transfer and saves, for ever: name, file.
func saveLoopRole(dir string, args []string) error {
	return using(dir, args[0], func(m *ultradict.Map[string, int]) error {
		say("ready")
		for i := 0; ; i++ {
			if err := errors.Join(moveMoney(m, i), m.Save(context.Background(), args[1])); err != nil {
				return err
			}
		}
	})
}

// keepSavedRole makes transfers in a dictionary that is kept saved, and says so when it
// was, and how many transfers there are now and then: directory of saves.
func keepSavedRole(dir string, args []string) error {
	keep := ultradict.WithPersistence(args[0], 10*time.Millisecond)
	return using(dir, "kept", func(m *ultradict.Map[string, int]) error {
		told := false
		for i := 0; ; i++ {
			if err := moveMoney(m, i); err != nil {
				return err
			}
			if i%20 != 0 {
				continue
			}
			st, err := m.Status()
			if err != nil {
				return err
			}
			if !told && st.Saves > 0 {
				say("saved")
				told = true
			}
			if told {
				n, err := m.Get("transfers")
				if err != nil {
					return err
				}
				say("%d", n)
			}
		}
	}, keep)
}
