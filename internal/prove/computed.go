package main

import (
	"context"
	"fmt"

	"github.com/ultradict/go/ultradict"
)

// computed shows that of many processes one computes a missing value, and the next one
// does when it dies.
func computed(r *run) {
	const all, deaths = 20, 2
	m := r.texts("computed")
	said := make(chan string, all*4)
	r.numbers("computations")
	byPID := map[int]*process{}
	for range all {
		p := r.start("computer", m.Name(), deaths)
		p.expect("ready")
		byPID[p.pid()] = p
		go func() {
			for {
				line, ok := p.next()
				if !ok {
					return
				}
				said <- line
			}
		}()
	}
	for _, p := range byPID {
		p.tell("go")
	}
	times, values := 0, map[string]int{}
	for answers := 0; answers < all-deaths; {
		line := <-said
		var pid int
		if _, err := fmt.Sscanf(line, "computing %d", &pid); err == nil {
			if times++; times <= deaths {
				byPID[pid].kill()
			}
			continue
		}
		values[line]++
		answers++
	}
	r.equal(fmt.Sprintf("computations, %d processes, %d of them killed as they compute", all, deaths), times, deaths+1)
	r.equal("different values that the others got", len(values), 1)
}

// computerRole asks for a value; the first ones that are to compute it never end.
func computerRole(dir string, args []string) error {
	var deaths int64
	if _, err := fmt.Sscan(args[1], &deaths); err != nil {
		return err
	}
	counts, err := ultradict.OpenMap[string, int]("computations", ultradict.WithDir(dir))
	if err != nil {
		return err
	}
	return using(dir, args[0], func(m *ultradict.Map[string, string]) error {
		say("ready")
		await()
		v, err := m.GetOrCompute(background, "k", func(context.Context) (string, error) {
			n, err := counts.Add("n", 1)
			if err != nil {
				return "", err
			}
			say("computing %d", pid())
			if n <= deaths {
				select {} // until it is killed
			}
			return fmt.Sprint("by ", pid()), nil
		})
		if err != nil {
			return err
		}
		say("%s", v)
		return counts.Close()
	})
}
