//go:build linux

package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"github.com/ultradict/go/ultradict"
)

// own gives an example a directory of its own. Programs do without: the default
// directory is where their processes meet.
func own() (dir ultradict.Option, remove func()) {
	path, err := os.MkdirTemp("", "ultradict-example-")
	if err != nil {
		log.Fatal(err)
	}
	return ultradict.WithDir(path), func() {
		if err := os.RemoveAll(path); err != nil {
			log.Fatal(err)
		}
	}
}

// Two handles of one dictionary, here in one process: it makes no difference.
func ExampleOpen() {
	dir, remove := own()
	defer remove()
	a, err := ultradict.Open("workers", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	b, err := ultradict.Open("workers", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	if err := a.Set("greeting", "hello"); err != nil {
		log.Fatal(err)
	}
	v, err := b.Get("greeting")
	fmt.Println(v, err)
	_, err = b.Get("no such key")
	fmt.Println(err == ultradict.ErrNotFound)
	// Output:
	// hello <nil>
	// true
}

// Keys and values of one's own types.
func ExampleOpenMap() {
	type Server struct {
		Addr  string
		Conns int
	}
	dir, remove := own()
	defer remove()
	servers, err := ultradict.OpenMap[int, Server]("servers", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer servers.Close()

	if err := servers.Set(7, Server{Addr: "10.0.0.7:80", Conns: 12}); err != nil {
		log.Fatal(err)
	}
	s, err := servers.Get(7)
	fmt.Println(s.Addr, s.Conns, err)

	// All handles of a dictionary agree about the kind of its keys.
	_, err = ultradict.OpenMap[string, Server]("servers", dir)
	fmt.Println(errors.Is(err, ultradict.ErrInvalidOption))
	// Output:
	// 10.0.0.7:80 12 <nil>
	// true
}

// A transfer between two accounts is seen whole or not at all.
func ExampleMap_Update() {
	dir, remove := own()
	defer remove()
	accounts, err := ultradict.OpenMap[string, int]("accounts", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()
	if err := accounts.Set("ann", 100); err != nil {
		log.Fatal(err)
	}

	poor := errors.New("not enough money")
	transfer := func(from, to string, amount int) error {
		return accounts.Update(context.Background(), func(tx *ultradict.Tx[string, int]) error {
			have, err := tx.Get(from)
			if err != nil {
				return err
			}
			if have < amount {
				return poor // nothing is changed
			}
			got, err := tx.Get(to)
			if err != nil && err != ultradict.ErrNotFound {
				return err
			}
			if err := tx.Set(from, have-amount); err != nil {
				return err
			}
			return tx.Set(to, got+amount)
		})
	}
	fmt.Println(transfer("ann", "bob", 30))
	fmt.Println(transfer("bob", "ann", 31))
	ann, _ := accounts.Get("ann")
	bob, _ := accounts.Get("bob")
	fmt.Println(ann, bob)
	// Output:
	// <nil>
	// not enough money
	// 70 30
}

// A counter that any number of processes may increment.
func ExampleMap_Compute() {
	dir, remove := own()
	defer remove()
	hits, err := ultradict.OpenMap[string, int]("hits", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer hits.Close()

	increment := func(old int, ok bool) (int, ultradict.Op) { return old + 1, ultradict.Store }
	for range 3 {
		if _, err := hits.Compute(context.Background(), "/index.html", increment); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(hits.Get("/index.html"))

	// Below a bound the counter goes away.
	n, err := hits.Compute(context.Background(), "/index.html", func(old int, ok bool) (int, ultradict.Op) {
		if old < 10 {
			return 0, ultradict.Drop
		}
		return 0, ultradict.Keep
	})
	fmt.Println(n, err)
	fmt.Println(hits.Has("/index.html"))
	// Output:
	// 3 <nil>
	// 0 <nil>
	// false <nil>
}

// A view shows one position, whatever is written meanwhile.
func ExampleMap_View() {
	dir, remove := own()
	defer remove()
	m, err := ultradict.OpenMap[string, int]("numbers", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if err := m.Set("a", 1); err != nil {
		log.Fatal(err)
	}

	err = m.View(func(v *ultradict.View[string, int]) error {
		if err := m.Set("a", 2); err != nil {
			return err
		}
		if err := m.Set("b", 3); err != nil {
			return err
		}
		a, err := v.Get("a")
		if err != nil {
			return err
		}
		n, err := v.Len()
		fmt.Println("in the view:", a, "of", n)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	a, err := m.Get("a")
	fmt.Println("behind it:", a, err)
	// Output:
	// in the view: 1 of 1
	// behind it: 2 <nil>
}

// An iteration sees one position; its body may write.
func ExampleMap_Entries() {
	dir, remove := own()
	defer remove()
	stock, err := ultradict.OpenMap[string, int]("stock", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer stock.Close()
	for name, n := range map[string]int{"apples": 3, "pears": 0, "plums": 12} {
		if err := stock.Set(name, n); err != nil {
			log.Fatal(err)
		}
	}

	for e, err := range stock.Entries() {
		if err != nil {
			log.Fatal(err)
		}
		if e.Value == 0 {
			if _, err := stock.Delete(e.Key); err != nil {
				log.Fatal(err)
			}
		}
	}
	fmt.Println(slices.Sorted(stock.Keys()))
	// Output:
	// [apples plums]
}

// As checks what a dynamic dictionary returns.
func ExampleAs() {
	dir, remove := own()
	defer remove()
	d, err := ultradict.Open("mixed", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	if err := d.Set("n", 300); err != nil {
		log.Fatal(err)
	}

	n, err := ultradict.As[int](d.Get("n"))
	fmt.Println(n, err)
	_, err = ultradict.As[uint8](d.Get("n"))
	fmt.Println(err)
	var wrong *ultradict.TypeError
	fmt.Println(errors.As(err, &wrong))
	// Output:
	// 300 <nil>
	// ultradict: value is not uint8: 300 of type int64 does not fit
	// true
}

// What an operator can ask for.
func ExampleMap_Status() {
	dir, remove := own()
	defer remove()
	d, err := ultradict.Open("watched", dir, ultradict.WithStreamSize(64<<10))
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	for i := range 10 {
		if err := d.Set(fmt.Sprint("key", i), i); err != nil {
			log.Fatal(err)
		}
	}

	s, err := d.Status()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("entries:", s.Entries)
	fmt.Println("commits:", s.Commits)
	fmt.Println("stream:", s.StreamSize, "bytes")
	for _, p := range s.Participants {
		fmt.Println("this process:", p.PID == os.Getpid(), "alive:", p.Alive, "lag:", p.Lag)
	}
	// Output:
	// entries: 10
	// commits: 10
	// stream: 65536 bytes
	// this process: true alive: true lag: 0
}

// A name can be used anew at once.
func ExampleRemove() {
	dir, remove := own()
	defer remove()
	old, err := ultradict.Open("jobs", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer old.Close()

	fmt.Println(ultradict.Remove("jobs", dir))
	fmt.Println(errors.Is(old.Set("k", 1), ultradict.ErrRemoved))
	_, err = ultradict.Open("jobs", dir, ultradict.AttachOnly())
	fmt.Println(errors.Is(err, ultradict.ErrNotExist))
	// Output:
	// <nil>
	// true
	// true
}

// A check reads everything, changes nothing, and may be made at any time.
func ExampleCheck() {
	dir, remove := own()
	defer remove()
	d, err := ultradict.Open("workers", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	for i := range 100 {
		if err := d.Set(fmt.Sprint("job ", i), "done"); err != nil {
			log.Fatal(err)
		}
	}
	r, err := ultradict.Check("workers", dir)
	if err != nil {
		log.Fatal(err) // it could not be checked
	}
	for _, p := range r.Problems {
		fmt.Println(p.Rule, p.Segment, p.Text, errors.Is(p, ultradict.ErrCorrupt))
	}
	fmt.Println(r.OK(), r.Records, "records,", len(r.Orphans), "orphans")
	// Output:
	// true 100 records, 0 orphans
}

// Waiting costs next to nothing until somebody writes.
func ExampleMap_WaitFor() {
	dir, remove := own()
	defer remove()
	deployment, err := ultradict.OpenMap[string, string]("deployment", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer deployment.Close()
	go func() { // in practice another process
		for _, stage := range []string{"migrating", "ready"} {
			if err := deployment.Set("stage", stage); err != nil {
				log.Fatal(err)
			}
		}
	}()
	stage, err := deployment.WaitFor(context.Background(), "stage", func(s string) bool { return s == "ready" })
	fmt.Println(stage, err)
	// Output: ready <nil>
}

// A write that depends on what is there loses to whoever was first.
func ExampleMap_CompareAndSet() {
	dir, remove := own()
	defer remove()
	leases, err := ultradict.OpenMap[string, string]("leases", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer leases.Close()
	_, stored, err := leases.SetIfAbsent("leader", "worker 1")
	fmt.Println(stored, err)
	e, err := leases.GetEntry("leader")
	if err != nil {
		log.Fatal(err)
	}
	_, err = leases.CompareAndSet("leader", e.Revision, "worker 2")
	fmt.Println(err)
	_, err = leases.CompareAndSet("leader", e.Revision, "worker 3")
	fmt.Println(errors.Is(err, ultradict.ErrConflict))
	// Output:
	// true <nil>
	// <nil>
	// true
}

func ExampleMap_Add() {
	dir, remove := own()
	defer remove()
	hits, err := ultradict.OpenMap[string, int]("hits", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer hits.Close()
	for range 3 {
		if _, err := hits.Add("/", 1); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(hits.Get("/"))
	// Output: 3 <nil>
}

func ExampleRange() {
	dir, remove := own()
	defer remove()
	ages, err := ultradict.OpenMap[string, int]("ages", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer ages.Close()
	for name, age := range map[string]int{"ada": 36, "ben": 7, "bob": 41, "cleo": 39} {
		if err := ages.Set(name, age); err != nil {
			log.Fatal(err)
		}
	}
	for e, err := range ultradict.Range(ages, "b", "c", 10) {
		fmt.Println(e.Key, e.Value, err)
	}
	// Output:
	// ben 7 <nil>
	// bob 41 <nil>
}

func ExampleMap_Dict() {
	dir, remove := own()
	defer remove()
	d, err := ultradict.Open("robots", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	arm, err := d.Dict("robot 7", "arm") // makes what is missing
	if err != nil {
		log.Fatal(err)
	}
	if err := arm.Set("angle", 30); err != nil {
		log.Fatal(err)
	}
	fmt.Println(ultradict.Plain(d))

	// It is gone with what it hangs from.
	_, _ = d.Delete("robot 7")
	err = arm.Set("angle", 45)
	fmt.Println(errors.Is(err, ultradict.ErrRemoved))
	// Output:
	// map[robot 7:map[arm:map[angle:30]]] <nil>
	// true
}

// Namespaces are nested dictionaries, and a note stands beside the value that it is about.
func Example_namespacesAndNotes() {
	dir, remove := own()
	defer remove()
	brain, err := ultradict.Open("brain", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer brain.Close()
	learn := func(namespace, name string, v any, note string) error {
		return brain.Update(context.Background(), func(tx *ultradict.DictTx) error {
			values, err := tx.Dict(namespace, "values")
			if err != nil {
				return err
			}
			notes, err := tx.Dict(namespace, "notes")
			if err != nil {
				return err
			}
			return errors.Join(values.Set(name, v), notes.Set(name, note))
		})
	}
	fmt.Println(learn("physics", "c", 299792458, "metres a second"))
	notes, err := brain.Dict("physics", "notes")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(notes.Get("c"))
	// Output:
	// <nil>
	// metres a second <nil>
}

func ExampleMap_AddInit() {
	dir, remove := own()
	defer remove()
	hits, err := ultradict.OpenMap[string, int]("hits", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer hits.Close()
	for range 4 {
		// At most three a minute of one client, whichever process is asked.
		n, err := hits.AddInit("client 7", 1, 0, time.Minute)
		fmt.Println(n <= 3, err)
	}
	// Output:
	// true <nil>
	// true <nil>
	// true <nil>
	// false <nil>
}
