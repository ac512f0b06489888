package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ultradict/go/ultradict"
)

// trees shows that nobody loses an update of a counter two levels deep while somebody
// else replaces the level above it.
func trees(r *run) {
	length := time.Duration(r.scaled(10, 2)) * time.Second
	d := r.dict("tree", ultradict.WithStreamSize(smallest))
	counts, err := ultradict.Nested[string, int](d, "above", "counts")
	r.must(err)
	r.must(counts.Set("n", 0))
	replacer := r.start("tree-replace", d.Name())
	adders := []*process{r.start("tree-add", d.Name(), "Add"), r.start("tree-add", d.Name(), "Update")}
	for _, p := range append(adders, replacer) {
		p.expect("ready")
	}
	for _, p := range append(adders, replacer) {
		p.tell("go")
	}
	time.Sleep(length)
	acknowledged, removed, replaced := 0, 0, 0
	for _, p := range adders {
		p.tell("end")
		var n, gone int
		p.expect("added %d removed %d", &n, &gone)
		acknowledged, removed = acknowledged+n, removed+gone
		p.end()
	}
	replacer.tell("end")
	replacer.expect("replaced %d", &replaced)
	replacer.end()
	total := 0
	r.must(d.View(func(v *ultradict.DictView) error {
		counts, err := ultradict.ViewNested[string, int](v, "above", "counts")
		if err != nil {
			return err
		}
		here, err := counts.Get("n")
		if err != nil {
			return err
		}
		before, err := ultradict.As[int](v.Get("total"))
		total = before + here
		return err
	}))
	r.equal(fmt.Sprintf("increments two levels deep, the level above replaced, %v", length), total, acknowledged)
	r.tell("    replaced; increments that were told ErrRemoved", "%d; %d", replaced, removed)
	r.figure("    it was replaced, and met", fmt.Sprint(replaced > 100 && removed > 0), "true", replaced > 100 && removed > 0)
	report, err := ultradict.Check(d.Name(), ultradict.WithDir(r.dir))
	r.must(err)
	r.equal("problems that Check finds", len(report.Problems), 0)
}

// told reports that the show has sent something.
func told() <-chan struct{} {
	c := make(chan struct{})
	go func() {
		await()
		close(c)
	}()
	return c
}

func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// treeReplaceRole replaces the level above the counter, and adds up what it held.
func treeReplaceRole(dir string, args []string) error {
	return using(dir, args[0], func(d *ultradict.Dict) error {
		say("ready")
		await()
		end, replaced := told(), 0
		for ; !over(end); replaced++ {
			err := d.Update(context.Background(), func(tx *ultradict.DictTx) error {
				counts, err := ultradict.TxNested[string, int](tx, "above", "counts")
				if err != nil {
					return err
				}
				n, err := counts.Get("n")
				if err != nil {
					return err
				}
				total, err := ultradict.As[int](tx.Get("total"))
				if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
					return err
				}
				if err := tx.Set("total", total+n); err != nil {
					return err
				}
				if _, err := tx.Delete("above"); err != nil {
					return err
				}
				fresh, err := ultradict.TxNested[string, int](tx, "above", "counts")
				if err != nil {
					return err
				}
				return fresh.Set("n", 0)
			})
			if err != nil {
				return err
			}
			time.Sleep(200 * time.Microsecond)
		}
		say("replaced %d", replaced)
		return nil
	})
}

// treeAddRole increments the counter through a handle that it opens again when it is
// told that the dictionary is gone.
func treeAddRole(dir string, args []string) error {
	return using(dir, args[0], func(d *ultradict.Dict) error {
		say("ready")
		await()
		end, added, removed := told(), 0, 0
		counts, err := ultradict.Nested[string, int](d, "above", "counts")
		for !over(end) {
			if err != nil {
				return err
			}
			if args[1] == "Add" {
				_, err = counts.Add("n", 1)
			} else {
				err = counts.Update(context.Background(), func(tx *ultradict.Tx[string, int]) error { return add(tx, 1) })
			}
			switch {
			case err == nil:
				added++
			case errors.Is(err, ultradict.ErrRemoved):
				removed++
				counts, err = ultradict.Nested[string, int](d, "above", "counts")
			}
		}
		say("added %d removed %d", added, removed)
		return err
	})
}

// nestedMemory shows that nested dictionaries leave no memory behind.
func nestedMemory(r *run) {
	d := r.dict("nested")
	settled := func() int64 {
		return r.atRest(func() error { _, err := d.Peek("n"); return ignoreMiss(err) })
	}
	below, err := d.Dict("a", "b")
	r.must(err)
	rounds := r.scaled(100_000, 20_000)
	rewrite := func() {
		for i := range rounds {
			r.must(below.Set("n", i))
		}
	}
	rewrite()
	first := settled()
	rewrite()
	last := settled()
	r.figure(fmt.Sprintf("shared memory after a nested key was set %d times", rounds), fmt.Sprintf("%s, was %s", size(last), size(first)), "≤ 1.5 × as before", 2*last <= 3*first)

	rounds = r.scaled(10_000, 2_000)
	come := func() {
		for i := range rounds {
			n, err := d.Dict("come", fmt.Sprint("and go ", i))
			r.must(err)
			r.must(n.Set("k", i))
			existed, err := d.Delete("come")
			r.must(err)
			if !existed {
				r.must(errors.New("it was not there"))
			}
		}
	}
	come()
	first = settled()
	come()
	last = settled()
	r.figure(fmt.Sprintf("shared memory after %d dictionaries came and went", 2*rounds), fmt.Sprintf("%s, was %s", size(last), size(first)), "≤ 1.5 × as before", 2*last <= 3*first)
	n, err := d.Len()
	r.must(err)
	r.equal("entries in the end", n, 1)
}

func ignoreMiss(err error) error {
	if errors.Is(err, ultradict.ErrNotFound) {
		return nil
	}
	return err
}
