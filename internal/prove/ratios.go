package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/ultradict/go/ultradict"
)

// compared is how many keys a map has that is compared.
const compared = 10_000

// ratios shows what an operation costs beside the same operation on a plain
// Go map, which is what a program of one process would use. Both have the same
// string keys and the same numbers, boxed beforehand.
func ratios(r *run) {
	d := r.dict("compared")
	plain := map[string]any{}
	keys := make([]string, compared)
	values := make([]any, compared)
	for i := range keys {
		keys[i], values[i] = fmt.Sprintf("key-%d", i), i
		plain[keys[i]] = values[i]
		r.must(d.Set(keys[i], values[i]))
	}
	// Fresh strings to ask with: a program does not ask with the very string
	// that it has stored.
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%d", i)
	}
	c := &comparison{d: d, plain: plain, keys: keys, values: values, n: r.scaled(1_000_000, 300_000)}
	c.beside(r)
	rounds := r.scaled(15, 7)
	for n := range rounds {
		r.progress("round %d of %d", n+1, rounds)
		c.round()
	}
	r.must(c.err)
	r.ratio("Get / map read", median(c.get)/median(c.mapGet), 1.5, 1.3)
	r.ratio("Peek / map read", median(c.peek)/median(c.mapGet), 1.5, 1.3)
	r.ratio("Get of a nested dictionary / of the root", median(c.nestedGet)/median(c.get), 1.1, 1)
	r.ratio("Get of a struct / read of a Go map of structs", median(c.structGet)/median(c.mapStruct), 1.6, 1.6)
	r.ratio("Set / map write", median(c.set)/median(c.mapSet), 5, 4)
	r.ratio("Replace / Set", median(c.replace)/median(c.set), 1.5, 1.5)
	r.ratio("Add / Set", median(c.add)/median(c.set), 1.5, 1.5)
	r.tell("    ns, medians: map read, Get, Peek; map write, Set", "%.1f, %.1f, %.1f; %.1f, %.1f",
		median(c.mapGet), median(c.get), median(c.peek), median(c.mapSet), median(c.set))
	r.tell("    ns, means, whatever else the machine did", "%.1f, %.1f, %.1f; %.1f, %.1f",
		mean(c.mapGet), mean(c.get), mean(c.peek), mean(c.mapSet), mean(c.set))
	r.allocations("Get", 0, c.allocations(c.doGet))
	r.allocations("Peek", 0, c.allocations(c.doPeek))
	r.allocations("Get of a nested dictionary", 0, c.allocations(c.doNestedGet))
	r.allocations("Get of a struct", 0, c.allocations(c.doStructGet))
	r.allocations("Set", 1, c.allocations(c.doSet))
	r.allocations("Replace", 1, c.allocations(c.doReplace))
	r.allocations("Add", 1, c.allocations(c.doAdd))
}

func (r *run) allocations(what string, goal, got float64) {
	// What happens in the background now and then counts too, so that a little
	// more than a whole number is that number.
	r.figure("allocations a "+what, fmt.Sprintf("%.2f", got), fmt.Sprintf("≤ %.0f", goal), got < goal+.1)
}

// comparison collects nanoseconds an operation, one figure for each walk over
// the keys.
type comparison struct {
	d      *ultradict.Dict
	plain  map[string]any
	keys   []string
	values []any
	n      int
	err    error
	sink   any

	lastStruct measurement

	nested       *ultradict.Dict
	structs      *ultradict.Map[string, measurement]
	plainStructs map[string]measurement

	mapGet, get, peek, mapSet, set, replace, add []float64
	nestedGet, structGet, mapStruct              []float64
}

// measurement is a struct as programs store it.
type measurement struct {
	Name     string
	Count    int
	Sum, Max float64
	Seen     bool
}

// beside prepares a nested dictionary and one of structs with the same keys.
func (c *comparison) beside(r *run) {
	var err error
	c.nested, err = r.dict("nesting").Dict("nested")
	r.must(err)
	c.structs, err = ultradict.OpenMap[string, measurement]("structs", r.options()...)
	opened(r, c.structs, err)
	c.plainStructs = map[string]measurement{}
	for i, key := range c.keys {
		m := measurement{Name: "sensor " + key, Count: i, Sum: float64(i), Max: 7, Seen: true}
		r.must(c.nested.Set(key, c.values[i]))
		r.must(c.structs.Set(key, m))
		c.plainStructs[key] = m
	}
}

// round measures everything once, one after the other, so that a slow moment
// of the machine strikes them alike.
func (c *comparison) round() {
	c.measure(&c.mapGet, c.doMapGet)
	c.measure(&c.get, c.doGet)
	c.measure(&c.peek, c.doPeek)
	c.measure(&c.nestedGet, c.doNestedGet)
	c.measure(&c.mapStruct, c.doMapStruct)
	c.measure(&c.structGet, c.doStructGet)
	c.measure(&c.mapSet, c.doMapSet)
	c.measure(&c.set, c.doSet)
	c.measure(&c.replace, c.doReplace)
	c.measure(&c.add, c.doAdd)
}

func (c *comparison) measure(into *[]float64, loop func(n int)) {
	runtime.GC()
	loop(c.n / 10)
	for range c.n / compared {
		begin := time.Now()
		loop(compared)
		*into = append(*into, float64(time.Since(begin).Nanoseconds())/compared)
	}
}

// allocations is how many a call makes on average, those of background work
// included.
func (c *comparison) allocations(loop func(n int)) float64 {
	loop(c.n / 10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	loop(c.n)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(c.n)
}

// The loops walk over the keys in order, as benchmarks do.

func (c *comparison) doMapGet(n int) {
	i := 0
	var v any
	for range n {
		if i++; i == compared {
			i = 0
		}
		v = c.plain[c.keys[i]]
	}
	c.sink = v
}

func (c *comparison) doGet(n int) {
	i := 0
	var v any
	var err error
	for range n {
		if i++; i == compared {
			i = 0
		}
		if v, err = c.d.Get(c.keys[i]); err != nil {
			c.err = err
		}
	}
	c.sink = v
}

func (c *comparison) doPeek(n int) {
	i := 0
	var v any
	var err error
	for range n {
		if i++; i == compared {
			i = 0
		}
		if v, err = c.d.Peek(c.keys[i]); err != nil {
			c.err = err
		}
	}
	c.sink = v
}

func (c *comparison) doNestedGet(n int) {
	i := 0
	var v any
	var err error
	for range n {
		if i++; i == compared {
			i = 0
		}
		if v, err = c.nested.Get(c.keys[i]); err != nil {
			c.err = err
		}
	}
	c.sink = v
}

func (c *comparison) doMapStruct(n int) {
	i := 0
	var v measurement
	for range n {
		if i++; i == compared {
			i = 0
		}
		v = c.plainStructs[c.keys[i]]
	}
	c.lastStruct = v
}

func (c *comparison) doStructGet(n int) {
	i := 0
	var v measurement
	var err error
	for range n {
		if i++; i == compared {
			i = 0
		}
		if v, err = c.structs.Get(c.keys[i]); err != nil {
			c.err = err
		}
	}
	c.lastStruct = v
}

func (c *comparison) doMapSet(n int) {
	i := 0
	for range n {
		if i++; i == compared {
			i = 0
		}
		c.plain[c.keys[i]] = c.values[i]
	}
}

func (c *comparison) doSet(n int) {
	i := 0
	for range n {
		if i++; i == compared {
			i = 0
		}
		if err := c.d.Set(c.keys[i], c.values[i]); err != nil {
			c.err = err
		}
	}
}

func (c *comparison) doReplace(n int) {
	i := 0
	for range n {
		if i++; i == compared {
			i = 0
		}
		if _, err := c.d.Replace(c.keys[i], c.values[i]); err != nil {
			c.err = err
		}
	}
}

func (c *comparison) doAdd(n int) {
	i := 0
	for range n {
		if i++; i == compared {
			i = 0
		}
		if _, err := c.d.Add(c.keys[i], 1); err != nil {
			c.err = err
		}
	}
}
