package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ultradict/go/ultradict"
)

// incrementers is how many processes increment one counter.
const incrementers = 8

// smallest is the smallest stream there is, in bytes: it turns over all the time.
const smallest = 4 << 10

// increments shows that no increment is lost or counted twice.
func increments(r *run) {
	each := r.scaled(25_000, 2_500)
	for _, way := range []string{"Update", "Compute"} {
		r.increment(way, each, false)
	}
}

// failingIncrements shows the same where functions fail in between.
func failingIncrements(r *run) {
	each := r.scaled(25_000, 2_500)
	for _, way := range []string{"Update", "Compute"} {
		r.increment(way, each, true)
	}
}

func (r *run) increment(way string, each int, failing bool) {
	m := r.numbers("counter-"+way, ultradict.WithStreamSize(smallest))
	var all []*process
	for range incrementers {
		all = append(all, r.start("increment", m.Name(), way, each, failing))
	}
	for _, p := range all {
		p.expect("ready")
	}
	begin := time.Now()
	for _, p := range all {
		p.tell("go")
	}
	failed := 0
	for _, p := range all {
		r.progress("%s: waiting for process %d", way, p.pid())
		n := 0
		p.expect("failed %d", &n)
		failed += n
		p.end()
	}
	took := time.Since(begin)
	n, err := m.Get("n")
	r.must(err)
	what := way
	if failing {
		what += " that fails or panics now and then"
	}
	r.equal(fmt.Sprintf("%s: %d × %d increments", what, incrementers, each), n, incrementers*each)
	st, err := m.Status()
	r.must(err)
	r.tell("    failed functions; rate; conflicts; rollovers", "%d; %.0f/s; %d; %d", failed, float64(n)/took.Seconds(), st.Conflicts, st.Rollovers)
}

var errFailing = errors.New("this one fails")

// incrementRole increments a counter: name, way, how often, whether functions
// fail in between.
func incrementRole(dir string, args []string) error {
	name, way := args[0], args[1]
	each, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	failing := args[3] == "true"
	return using(dir, name, func(m *ultradict.Map[string, int]) error {
		say("ready")
		await()
		failed := 0
		for i := range each {
			if failing && i%5 == 0 {
				if err := failToIncrement(m, way, i%10 == 0); err != nil {
					return err
				}
				failed++
			}
			if err := increment(m, way); err != nil {
				return err
			}
		}
		say("failed %d", failed)
		return nil
	})
}

func increment(m *ultradict.Map[string, int], way string) error {
	ctx := context.Background()
	if way == "Compute" {
		_, err := m.Compute(ctx, "n", func(old int, _ bool) (int, ultradict.Op) { return old + 1, ultradict.Store })
		return err
	}
	return m.Update(ctx, func(tx *ultradict.Tx[string, int]) error { return add(tx, 1) })
}

func add(tx *ultradict.Tx[string, int], n int) error {
	old, err := tx.Get("n")
	if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
		return err
	}
	return tx.Set("n", old+n)
}

// failToIncrement does what increment does, and then fails or panics: nothing
// may come of it.
func failToIncrement(m *ultradict.Map[string, int], way string, panics bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != errFailing {
				panic(p)
			}
			err = nil
		}
	}()
	ctx := context.Background()
	if way == "Compute" { // its function can fail in one way only
		_, err = m.Compute(ctx, "n", func(old int, _ bool) (int, ultradict.Op) { panic(errFailing) })
		return fmt.Errorf("return of Compute after a panic: %w", err)
	}
	err = m.Update(ctx, func(tx *ultradict.Tx[string, int]) error {
		if err := add(tx, 1000); err != nil {
			return err
		}
		if panics {
			panic(errFailing)
		}
		return errFailing
	})
	if !errors.Is(err, errFailing) {
		return fmt.Errorf("wrong error of Update where its function failed: %w", err)
	}
	return nil
}
