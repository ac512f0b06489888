//go:build ultradict_failpoints

package killmatrix

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/ultradict/go/locks"
	"github.com/ultradict/go/ultradict"
)

// state is what a dictionary holds.
type state map[string]string

// step is one thing that a victim does, and what it makes of the state.
type step struct {
	do    func(d *ultradict.Dict) error
	model func(s state)
}

// scenario is what a victim does from the first point on.
type scenario struct {
	name  string
	opts  []ultradict.Option // beyond the directory
	fresh bool               // the victim creates the dictionary
	setup []step             // by the driver, before the victim starts
	steps []step             // by the victim, between Open and Close
	rest  time.Duration      // what the victim waits before Close, for work in the background
	last  func(dir string) error
	gone  bool // last removes the dictionary: whether it is there is open
	loose bool // steps leave more behind on their way than the model knows

	dead   string // the function in which somebody else has died before the victim comes
	rival  bool   // somebody else writes all the time
	claims bool   // the lock "door" and the values of keys are claimed
	echo   bool   // somebody else sleeps until there is a ping, and answers it

	saves   bool // the victim keeps saves, see save_test.go
	revived bool // everybody does, and the victim finds nothing but a save
}

func set(k, v string) step {
	return step{
		func(d *ultradict.Dict) error { return d.Set(k, v) },
		func(s state) { s[k] = v },
	}
}

func del(k string) step {
	return step{
		func(d *ultradict.Dict) error { _, err := d.Delete(k); return err },
		func(s state) { delete(s, k) },
	}
}

func wipe() step {
	return step{(*ultradict.Dict).Clear, func(s state) { clear(s) }}
}

// move is a transaction over three keys: what was under a goes to b, and c counts.
func move(a, b, c string) step {
	return step{
		func(d *ultradict.Dict) error {
			return d.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error {
				v, err := ultradict.As[string](tx.Get(a))
				if errors.Is(err, ultradict.ErrNotFound) {
					v, err = "", nil
				}
				if err != nil {
					return err
				}
				n, err := ultradict.As[string](tx.Get(c))
				if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
					return err
				}
				_, err = tx.Delete(a)
				return errors.Join(err, tx.Set(b, v), tx.Set(c, n+"."))
			})
		},
		func(s state) {
			v := s[a]
			delete(s, a)
			s[b], s[c] = v, s[c]+"."
		},
	}
}

// grow makes the value of a key longer by Compute, and drops it at eight.
func grow(k string) step {
	next := func(old string) string { return old + "x" }
	return step{
		func(d *ultradict.Dict) error {
			_, err := d.Compute(context.Background(), k, func(old any, ok bool) (any, ultradict.Op) {
				text, _ := old.(string)
				if len(text) == 8 {
					return nil, ultradict.Drop
				}
				return next(text), ultradict.Store
			})
			return err
		},
		func(s state) {
			if len(s[k]) == 8 {
				delete(s, k)
			} else {
				s[k] = next(s[k])
			}
		},
	}
}

// bump is a transaction over a key that everybody writes to, and one of its own.
func bump(k, v string) step {
	return step{
		func(d *ultradict.Dict) error {
			return d.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error {
				n, err := ultradict.As[int](tx.Get(shared))
				if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
					return err
				}
				return errors.Join(tx.Set(shared, n+1), tx.Set(k, v))
			})
		},
		func(s state) { s[k] = v },
	}
}

// count adds to the key that everybody writes to.
func count() step {
	return step{func(d *ultradict.Dict) error { _, err := d.Add(shared, 1); return err }, func(state) {}}
}

// call writes a ping and sleeps until it is answered.
func call(ping string) step {
	return step{
		func(d *ultradict.Dict) error {
			if err := d.Set("ping", ping); err != nil {
				return err
			}
			_, err := d.WaitFor(context.Background(), "pong", func(v any) bool { return v == ping })
			return err
		},
		func(s state) { s["ping"] = ping },
	}
}

// answer answers pings until the handle is closed.
func answer(d *ultradict.Dict) {
	for last := any(nil); ; {
		v, err := d.WaitFor(context.Background(), "ping", func(v any) bool { return v != last })
		if err != nil {
			return
		}
		var locked *ultradict.LockError
		for err = d.Set("pong", v); errors.As(err, &locked); { // somebody was stopped
			err = d.Set("pong", v)
		}
		if err != nil {
			return
		}
		last = v
	}
}

// claim computes a value that is missing, while it holds a lock with a name.
func claim(k string) step {
	return step{
		func(d *ultradict.Dict) error {
			held, err := d.Lock(context.Background(), "door")
			if err != nil {
				return err
			}
			_, err = d.GetOrCompute(context.Background(), k, func(context.Context) (any, error) { return "computed", nil })
			return errors.Join(err, held.Unlock())
		},
		func(s state) { s[k] = "computed" },
	}
}

// nest sets a key of a dictionary that is nested in another, and makes what is missing.
func nest(top, below, k, v string) step {
	return step{
		func(d *ultradict.Dict) error {
			return d.Update(context.Background(), func(tx *ultradict.DictTx) error {
				n, err := tx.Dict(top, below)
				if err != nil {
					return err
				}
				return n.Set(k, v)
			})
		},
		func(s state) { s[top+"/"], s[top+"/"+below+"/"], s[top+"/"+below+"/"+k] = "", "", v },
	}
}

// setIn is set in a nested dictionary that is there.
func setIn(top, below, k, v string) step {
	return step{
		func(d *ultradict.Dict) error {
			n, err := d.Dict(top, below)
			if err != nil {
				return err
			}
			return n.Set(k, v)
		},
		func(s state) { s[top+"/"+below+"/"+k] = v },
	}
}

// uproot puts a value in the place of a dictionary, and of all below it.
func uproot(top, v string) step {
	return step{
		func(d *ultradict.Dict) error { return d.Set(top, v) },
		func(s state) {
			maps.DeleteFunc(s, func(k, _ string) bool { return strings.HasPrefix(k, top+"/") })
			s[top] = v
		},
	}
}

// plant is nest where a value may be in the way.
func plant(top, below, k, v string) step {
	return step{
		func(d *ultradict.Dict) error {
			return d.Update(context.Background(), func(tx *ultradict.DictTx) error {
				if _, err := tx.Delete(top); err != nil {
					return err
				}
				n, err := tx.Dict(top, below)
				if err != nil {
					return err
				}
				return n.Set(k, v)
			})
		},
		func(s state) {
			uproot(top, "").model(s)
			delete(s, top)
			nest(top, below, k, v).model(s)
		},
	}
}

// hour stores something that does not expire as long as anybody looks.
func hour(k, v string) step {
	return step{
		func(d *ultradict.Dict) error { return d.SetWithTTL(k, v, time.Hour) },
		func(s state) { s[k] = v },
	}
}

// pass stores something whose time is up at once: nobody ever sees it, and it has to be
// swept.
func pass(k string) step {
	return step{
		func(d *ultradict.Dict) error { return d.SetWithTTL(k, small(0), time.Nanosecond) },
		func(s state) { delete(s, k) },
	}
}

// shared is the key that rivals write to.
const shared = "shared"

// lockFile takes and releases the lock of a lock file.
func lockFile(dir string, times int) error {
	f, err := locks.Open(filepath.Join(dir, lockName))
	if err != nil {
		return err
	}
	for range times {
		unlock, err := f.Lock(context.Background())
		if err != nil {
			return errors.Join(err, f.Close())
		}
		unlock()
	}
	return f.Close()
}

const lockName = "lock"

// view keeps a view open over the steps within.
func view(within ...step) step {
	return step{
		func(d *ultradict.Dict) error {
			return d.View(func(v *ultradict.View[string, any]) error {
				for _, s := range within {
					if err := s.do(d); err != nil {
						return err
					}
				}
				_, err := v.Len()
				return err
			})
		},
		func(s state) {
			for _, w := range within {
				w.model(s)
			}
		},
	}
}

// pause does nothing for a while.
func pause(t time.Duration) step {
	return step{func(*ultradict.Dict) error { time.Sleep(t); return nil }, func(state) {}}
}

// untilFull writes until there is no space, and clears everything.
func untilFull(k string, n int) step {
	return step{
		func(d *ultradict.Dict) error {
			for i := range n {
				if err := d.Set(fmt.Sprint(k, i), large(1)); err != nil {
					if errors.Is(err, ultradict.ErrNoSpace) {
						break
					}
					return err
				}
			}
			return d.Clear()
		},
		func(s state) { clear(s) },
	}
}

func repeat(n int, make func(i int) step) (steps []step) {
	for i := range n {
		steps = append(steps, make(i))
	}
	return steps
}

func small(i int) string { return fmt.Sprint("value ", i, " of a small key") }
func large(i int) string { return fmt.Sprint(i, strings.Repeat(" large", 700)) }

func key(i int) string { return fmt.Sprint("k", i%20) }

// after is the state after n steps of the victim's.
func (sc *scenario) after(n int) state {
	s := state{}
	for _, st := range sc.setup {
		st.model(s)
	}
	for _, st := range sc.steps[:min(n, len(sc.steps))] {
		st.model(s)
	}
	return s
}

// possible are the states that may be seen when the victim has said that n steps
// have returned.
func (sc *scenario) possible(n int) []state { return []state{sc.after(n), sc.after(n + 1)} }

func same(a, b state) bool { return maps.Equal(a, b) }

// tiny is the smallest stream there is: two chunks of 2 KiB.
var tiny = ultradict.WithStreamSize(4 << 10)

// scenarios are all of them. Together they pass every point of the library.
var scenarios = []*scenario{
	{name: "create", opts: []ultradict.Option{tiny}, fresh: true, steps: []step{set("a", "1"), set("b", "2")}},
	{name: "attach", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1")}, steps: []step{set("b", "2")}},
	{name: "set", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1")},
		steps: repeat(250, func(i int) step { return set(key(i), small(i)) }), rest: 20 * time.Millisecond},
	{name: "change", opts: []ultradict.Option{tiny}, setup: repeat(20, func(i int) step { return set(key(i), small(i)) }),
		steps: repeat(80, func(i int) step {
			switch i % 4 {
			case 0:
				return del(key(i))
			case 1:
				return move(key(i), key(i+7), "count")
			case 2:
				return grow(fmt.Sprint("g", i%8))
			default:
				return set(key(i), small(i))
			}
		}), rest: 20 * time.Millisecond},
	{name: "large", opts: []ultradict.Option{tiny}, setup: []step{set("l0", large(0)), set("s", "1")},
		steps: append(repeat(12, func(i int) step { return set(fmt.Sprint("l", i%3), large(i)) }),
			append(repeat(60, func(i int) step { return set(key(i), small(i)) }), del("l0"), del("l1"), pause(300*time.Millisecond))...)},
	{name: "clear", opts: []ultradict.Option{tiny}, setup: repeat(60, func(i int) step { return set(key(i), small(i)) }),
		steps: append(repeat(40, func(i int) step { return set(key(i), small(i)) }),
			append([]step{wipe()}, repeat(60, func(i int) step { return set(key(i), small(i)) })...)...), rest: 20 * time.Millisecond},
	{name: "view", opts: []ultradict.Option{tiny}, setup: []step{set("l", large(0))},
		steps: []step{view(set("l", large(1))), view(set("l", large(2))), set("x", "y")}},
	// What is written faster than it is folded makes the ring grow; left alone it
	// shrinks within half a second.
	{name: "growth", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1")},
		steps: repeat(700, func(i int) step { return set(key(i), small(i)) }), rest: 700 * time.Millisecond},
	{name: "limit", opts: []ultradict.Option{tiny, ultradict.WithMaxBytes(1 << 20)},
		steps: []step{untilFull("f", 400), set("after", "1"), untilFull("f", 400)}, loose: true},
	{name: "nested", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1"), nest("t0", "b", "k", "v")},
		steps: repeat(60, func(i int) step {
			top := fmt.Sprint("t", i/6%2)
			switch i % 6 {
			case 0:
				return plant(top, "b", key(i), small(i))
			case 1, 2:
				return setIn(top, "b", key(i), small(i))
			case 3:
				return nest(top, "c", key(i), large(i))
			case 4:
				return uproot(top, small(i))
			default:
				return set(key(i), small(i))
			}
		}), rest: 20 * time.Millisecond},
	{name: "expiry", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1")},
		steps: repeat(24, func(i int) step {
			switch i % 4 {
			case 0:
				return set(key(i), small(i))
			case 3:
				return pause(25 * time.Millisecond)
			default:
				return pass(key(i))
			}
		}), rest: 150 * time.Millisecond},
	// Somebody has died with the lock, in the middle of a record or of a list of layers.
	{name: "takeover", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1")}, dead: "(*Stream).Append",
		steps: repeat(5, func(i int) step { return set(key(i), small(i)) })},
	{name: "takeover of a lease", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1")}, dead: "(*Directory).Publish",
		steps: repeat(120, func(i int) step { return set(key(i), small(i)) }), rest: 20 * time.Millisecond},
	{name: "contention", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1")}, rival: true,
		steps: repeat(240, func(i int) step {
			if i%2 == 0 {
				return count()
			}
			return bump(key(i), small(i))
		})},
	{name: "wait", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1")}, echo: true,
		steps: repeat(10, func(i int) step { return call(fmt.Sprint(i)) })},
	{name: "claims", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1")}, claims: true,
		steps: repeat(6, func(i int) step { return claim(key(i)) })},
	// Two lives of the victim: in the second the saves of the first are gone.
	{name: "saves", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1"), set("l", large(0))}, saves: true,
		steps: append(repeat(6, func(i int) step { return set(key(i), small(i)) }),
			pause(40*time.Millisecond), set("b", "2"), pause(40*time.Millisecond), set("c", "3"), pause(40*time.Millisecond), set("d", "4")),
		last: forgetful},
	{name: "revival", opts: []ultradict.Option{tiny}, fresh: true, saves: true, revived: true,
		setup: append(repeat(30, func(i int) step { return set(key(i), small(i)) }),
			set("l", large(0)), nest("t", "b", "k", "v"), hour("h", "1")),
		steps: []step{set("b", "2"), del("l"), set("c", "3")}},
	{name: "lock file", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1")}, steps: []step{set("b", "2")},
		last: func(dir string) error { return lockFile(dir, 3) }},
	{name: "remove", opts: []ultradict.Option{tiny}, setup: []step{set("a", "1"), set("l", large(0))}, steps: []step{set("b", "2")},
		last: func(dir string) error { return ultradict.Remove("test", ultradict.WithDir(dir)) }, gone: true},
}

func scenarioOf(name string) *scenario {
	for _, sc := range scenarios {
		if sc.name == name {
			return sc
		}
	}
	return nil
}

func (sc *scenario) open(dir string, more ...ultradict.Option) (*ultradict.Dict, error) {
	if sc.revived {
		more = append(more, persistence(dir))
	}
	return ultradict.Open("test", append(append([]ultradict.Option{ultradict.WithDir(dir)}, sc.opts...), more...)...)
}
