package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ultradict/go/ultradict"
)

// readers shows that what readers see never goes back, nor comes by halves.
func readers(r *run) {
	m := r.dict("pairs", ultradict.WithStreamSize(smallest))
	for _, side := range []string{"left", "right"} {
		r.must(m.Set(side, 0))
	}
	for w := range 2 {
		r.must(m.Set(fmt.Sprint("own", w), 0))
	}
	length := time.Duration(r.scaled(10_000, 2_000)) * time.Millisecond
	var writers, all []*process
	for w := range 2 {
		writers = append(writers, r.start("write-pair", m.Name(), length, w))
	}
	all = append(all, writers...)
	for i := range 3 {
		all = append(all, r.start("read-pair", m.Name(), length, i))
	}
	for _, p := range all {
		p.expect("ready")
	}
	for _, p := range all {
		p.tell("go")
	}
	r.progress("two writers and three readers are at work for %v", length)
	written, reads, troubles := 0, 0, 0
	for i, p := range all {
		err := p.wait()
		if err != nil {
			r.tell("    trouble", "%v", err)
			troubles++
			continue
		}
		n := 0
		p.expect("%d", &n)
		if i < len(writers) {
			written += n
		} else {
			reads += n
		}
	}
	r.equal("steps backwards, halves and errors", troubles, 0)
	st, err := m.Status()
	r.must(err)
	r.tell("    commits; rounds of reading; rollovers; merges", "%d; %d; %d; %d", written, reads, st.Rollovers, st.Merges)
}

// writePairRole moves two keys together, and one of its own, until its time is up.
func writePairRole(dir string, args []string) error {
	name, own := args[0], "own"+args[2]
	length, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	return using(dir, name, func(d *ultradict.Dict) error {
		say("ready")
		await()
		n := 0
		for end := time.Now().Add(length); time.Now().Before(end); n++ {
			err := d.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error {
				left, err := ultradict.As[int](tx.Get("left"))
				if err != nil {
					return err
				}
				if n%7 == 0 { // now and then a transaction that is too large for the stream
					if err := tx.Set("large", strings.Repeat("x", 1000+n%5000)); err != nil {
						return err
					}
				}
				if err := tx.Set("left", left+1); err != nil {
					return err
				}
				return tx.Set("right", left+1)
			})
			if err != nil {
				return err
			}
			if err := d.Set(own, n); err != nil {
				return err
			}
		}
		say("%d", 2*n)
		return nil
	})
}

// readPairRole reads what the writers write in all ways there are. The third
// of the readers is slow: it is lapped all the time.
func readPairRole(dir string, args []string) error {
	name, slow := args[0], args[2] == "2"
	length, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	return using(dir, name, func(d *ultradict.Dict) error {
		seen := counters{}
		say("ready")
		await()
		n := 0
		for end := time.Now().Add(length); time.Now().Before(end); n++ {
			if err := readPair(d, seen); err != nil {
				return fmt.Errorf("after %d rounds: %w", n, err)
			}
			if slow {
				time.Sleep(20 * time.Millisecond)
			}
		}
		say("%d", n)
		return nil
	})
}

// counters are the highest values that were seen of each key.
type counters map[string]int

// saw notes what was read of a key that only ever grows.
func (c counters) saw(how, key string, n int, err error) error {
	if err != nil {
		return fmt.Errorf("%s of %s: %w", how, key, err)
	}
	if n < c[key] {
		return fmt.Errorf("%s: %s went back from %d to %d", how, key, c[key], n)
	}
	c[key] = n
	return nil
}

func readPair(d *ultradict.Dict, seen counters) error {
	err := d.View(func(v *ultradict.View[string, any]) error {
		left, err := ultradict.As[int](v.Get("left"))
		if err := seen.saw("View", "left", left, err); err != nil {
			return err
		}
		right, err := ultradict.As[int](v.Get("right"))
		if err := seen.saw("View", "right", right, err); err != nil {
			return err
		}
		if left != right {
			return fmt.Errorf("half a transaction in View: left %d, right %d", left, right)
		}
		return nil
	})
	if err != nil {
		return err
	}
	// A replica moves forward only, whichever call moves it: so Peek is held
	// to what the other two have seen.
	for _, key := range []string{"left", "own0", "own1"} {
		n, err := ultradict.As[int](d.Peek(key))
		if err := seen.saw("Peek", key, n, err); err != nil {
			return err
		}
		n, err = ultradict.As[int](d.Get(key))
		if err := seen.saw("Get", key, n, err); err != nil {
			return err
		}
	}
	// Written with "left", so not older than it.
	right, err := ultradict.As[int](d.Peek("right"))
	if err := seen.saw("Peek", "right", right, err); err != nil {
		return err
	}
	if right < seen["left"] {
		return fmt.Errorf("half a transaction: Peek of right is %d after left was %d", right, seen["left"])
	}
	_, err = d.Peek("large")
	if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
		return fmt.Errorf("large value: %w", err)
	}
	return nil
}
