package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ultradict/go/ultradict"
)

// roleVar names the environment variable that makes this program play a role:
// worker or janitor.
const roleVar = "ULTRADICT_LINEAR_ROLE"

// An order tells a worker what to do.
type order struct {
	Dir        string // of the dictionary
	Name       string
	Journal    string // path, without the goroutine's number
	Number     uint32 // of the worker, from 1, within the round
	Seed       uint64
	Goroutines int
	Groups     int
	Operations int   // of each goroutine
	Sizes      []int // of values, one of which is chosen each time
	Late       bool  // open the dictionary when it is the worker's turn, not before
}

// play plays a role and returns the exit status.
func play(role string, args []string) int {
	signal.Ignore(os.Interrupt, terminate) // these are for the driver
	if role == "janitor" && len(args) == 1 {
		return clean(args[0])
	}
	return work(args)
}

// clean is the janitor: when its input ends, the driver has ended, perhaps
// without a chance to clean up.
func clean(root string) int {
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if err := removeAll(root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// work is the whole life of a worker.
func work(args []string) int {
	var o order
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "a worker needs an order")
		return 2
	}
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	begin := make(chan struct{})
	go func() {
		in := bufio.NewReader(os.Stdin)
		if _, err := in.ReadString('\n'); err == nil {
			close(begin)
			_, _ = in.ReadString('\n') // there is no second line
		}
		os.Exit(3) // the driver is gone
	}()
	if err := o.run(begin); err != nil {
		fmt.Fprintf(os.Stderr, "worker %d: %v\n", o.Number, err)
		return 1
	}
	return 0
}

func (o *order) run(begin <-chan struct{}) error {
	var m *ultradict.Map[string, string]
	var err error
	open := func() {
		m, err = ultradict.OpenMap[string, string](o.Name, ultradict.WithDir(o.Dir), ultradict.AttachOnly())
	}
	if !o.Late {
		open()
	}
	fmt.Println("ready")
	<-begin
	if o.Late {
		open()
	}
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	var count atomic.Uint32
	for i := range o.Goroutines {
		j, err := openJournal(o.Journal + strconv.Itoa(i))
		if err != nil {
			return err
		}
		c := &client{
			order: o, m: m, journal: j, count: &count,
			rand: rand.New(rand.NewPCG(o.Seed, uint64(i))),
		}
		group.Go(func() {
			if err := c.run(); err != nil {
				fmt.Fprintf(os.Stderr, "worker %d: %v\n", o.Number, err)
				os.Exit(1)
			}
		})
	}
	group.Wait()
	return m.Close()
}

// A client is one goroutine of a worker.
type client struct {
	*order
	m       *ultradict.Map[string, string]
	journal *journal
	rand    *rand.Rand
	count   *atomic.Uint32 // of values, in this process
	clock   int            // see tick
}

func (c *client) run() error {
	for range c.Operations {
		var err error
		switch n := c.rand.IntN(100); {
		case n < 4:
			err = c.tick()
		case n < 8:
			err = c.abort()
		default:
			err = c.operate()
		}
		if err != nil {
			return err
		}
		if c.rand.IntN(25) == 0 {
			time.Sleep(time.Duration(c.rand.IntN(100)) * time.Microsecond)
		}
	}
	return nil
}

func keyName(group, key int) string { return fmt.Sprintf("g%dk%d", group, key) }

// fresh is a value that nobody else writes.
func (c *client) fresh() uint64 { return uint64(c.Number)<<32 | uint64(c.count.Add(1)) }

func (c *client) text(value uint64) string { return text(value, c.Sizes[c.rand.IntN(len(c.Sizes))]) }

// clockKey belongs to no group: it holds a number that only grows, for Peek,
// which is not linearizable but must never go back.
const clockKey = "clock"

// tick moves the clock on, or looks at it.
func (c *client) tick() error {
	read := c.m.Peek
	switch c.rand.IntN(4) {
	case 0:
		_, err := c.m.Compute(context.Background(), clockKey, func(old string, ok bool) (string, ultradict.Op) {
			n := 0
			if ok {
				n, _ = strconv.Atoi(old)
			}
			return strconv.Itoa(n + 1), ultradict.Store
		})
		return err
	case 1:
		read = c.m.Get
	}
	s, err := read(clockKey)
	n := 0
	switch {
	case errors.Is(err, ultradict.ErrNotFound):
	case err != nil:
		return err
	default:
		if n, err = strconv.Atoi(s); err != nil {
			return err
		}
	}
	if n < c.clock {
		return fmt.Errorf("the clock went back from %d to %d", c.clock, n)
	}
	c.clock = n
	return nil
}

var errAborted = errors.New("aborted")

// abort is a transaction that must have no effect. It is in no history, so who
// sees its value sees something that nobody wrote.
func (c *client) abort() error {
	err := c.m.Update(context.Background(), func(tx *ultradict.Tx[string, string]) error {
		if err := tx.Set(keyName(c.rand.IntN(c.Groups), c.rand.IntN(keysPerGroup)), c.text(c.fresh())); err != nil {
			return err
		}
		return errAborted
	})
	if !errors.Is(err, errAborted) {
		return fmt.Errorf("a transaction that failed returned %v", err)
	}
	return nil
}
