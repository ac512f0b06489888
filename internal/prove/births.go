package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ultradict/go/ultradict"
)

// births shows that processes that create the same name at the same instant
// all get the same instance.
func births(r *run) {
	rounds := r.scaled(100, 15)
	crowd := r.crowd("birth", incrementers)
	agreed, complete := 0, 0
	for n := range rounds {
		r.progress("round %d", n+1)
		name := fmt.Sprint("new", n)
		tellAll(crowd, "open %s", name)
		instances := map[string]bool{}
		for _, p := range crowd {
			var instance string
			p.expect("opened %s", &instance)
			instances[instance] = true
		}
		if len(instances) == 1 {
			agreed++
		}
		tellAll(crowd, "count")
		whole := true
		for _, p := range crowd {
			keys := 0
			p.expect("keys %d", &keys)
			whole = whole && keys == len(crowd)
		}
		if whole {
			complete++
		}
		r.must(ultradict.Remove(name, r.options()...))
	}
	endAll(crowd)
	r.equal(fmt.Sprintf("rounds in which %d processes got one instance", len(crowd)), agreed, rounds)
	r.equal("    and each saw the keys of all", complete, rounds)
}

func (r *run) crowd(role string, n int, args ...any) []*process {
	var crowd []*process
	for i := range n {
		crowd = append(crowd, r.start(role, append([]any{i}, args...)...))
	}
	for _, p := range crowd {
		p.expect("ready")
	}
	return crowd
}

func tellAll(crowd []*process, format string, args ...any) {
	for _, p := range crowd {
		p.tell(format, args...)
	}
}

func endAll(crowd []*process) {
	tellAll(crowd, "end")
	for _, p := range crowd {
		p.end()
	}
}

// birthRole opens what it is told to, sets its own key, and counts all keys
// when it is told that everybody has done so.
func birthRole(dir string, args []string) error {
	say("ready")
	for {
		line := await()
		name, ok := strings.CutPrefix(line, "open ")
		if !ok {
			return nil
		}
		err := using(dir, name, func(m *ultradict.Map[string, int]) error {
			if err := m.Set("of"+args[0], 1); err != nil {
				return err
			}
			st, err := m.Status()
			if err != nil {
				return err
			}
			say("opened %s", st.Instance)
			await()
			n, err := m.Len()
			say("keys %d", n)
			return err
		})
		if err != nil {
			return err
		}
	}
}

// removals shows that Remove may come at any moment: those who are attached
// get the errors that the documentation names, and what one instance held
// never shows up in another.
func removals(r *run) {
	rounds := r.scaled(100, 15)
	const name = "contested"
	r.names = append(r.names, name)
	crowd := r.crowd("opener", 4, name)
	tellAll(crowd, "go")
	removed := 0
	for n := 0; removed < rounds; n++ {
		r.progress("removed %d times", removed)
		err := ultradict.Remove(name, r.options()...)
		if err == nil {
			removed++
		} else if !errors.Is(err, ultradict.ErrNotExist) {
			r.must(err)
		}
		time.Sleep(time.Duration(n%7) * time.Millisecond)
	}
	tellAll(crowd, "end")
	opens, sets, ended := 0, 0, 0
	for _, p := range crowd {
		o, s, e := 0, 0, 0
		p.expect("%d %d %d", &o, &s, &e)
		opens, sets, ended = opens+o, sets+s, ended+e
		p.end()
	}
	r.equal("Remove beside Open and Set: rounds without another error", removed, rounds)
	r.tell("    opened; sets that succeeded; handles that saw the end", "%d; %d; %d", opens, sets, ended)
}

// openerRole opens a name again and again and writes to it until it is
// removed. Every key says which instance it was written to.
func openerRole(dir string, args []string) error {
	id, name := args[0], args[1]
	over := make(chan struct{})
	say("ready")
	await()
	go func() { await(); close(over) }()
	opens, sets, ended := 0, 0, 0
	for {
		select {
		case <-over:
			say("%d %d %d", opens, sets, ended)
			return nil
		default:
		}
		m, err := ultradict.OpenMap[string, string](name, ultradict.WithDir(dir))
		if err != nil {
			if errors.Is(err, ultradict.ErrRemoved) || errors.Is(err, ultradict.ErrNotExist) {
				continue
			}
			return fmt.Errorf("open: %w", err)
		}
		opens++
		n, err := writeUntilRemoved(m, id, over)
		sets += n
		if errors.Is(err, ultradict.ErrRemoved) {
			ended++
		} else if err != nil {
			return errors.Join(err, m.Close())
		}
		if err := m.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
		if err := m.Set("after", "close"); !errors.Is(err, ultradict.ErrClosed) {
			return fmt.Errorf("wrong error of Set after Close: %w", err)
		}
	}
}

// writeUntilRemoved writes the instance's id until the instance ends, and
// looks whether any value says another one.
func writeUntilRemoved(m *ultradict.Map[string, string], id string, over <-chan struct{}) (sets int, err error) {
	st, err := m.Status()
	if err != nil {
		return 0, err
	}
	for ; ; sets++ {
		select {
		case <-over:
			return sets, nil
		default:
		}
		if err := m.Set(id+"/"+strconv.Itoa(sets%100), st.Instance); err != nil {
			return sets, err
		}
		if sets%10 != 0 {
			continue
		}
		for e, err := range m.Entries() {
			if err != nil {
				return sets, err
			}
			if e.Value != st.Instance {
				return sets, fmt.Errorf("instance %s holds %q = %q", st.Instance, e.Key, e.Value)
			}
		}
	}
}
