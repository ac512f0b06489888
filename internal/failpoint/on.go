//go:build ultradict_failpoints

package failpoint

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Enabled reports whether this build has points.
const Enabled = true

// Words in shared memory: every method that changes one has a point before and
// a point after it.
type (
	Uint64 struct{ atomic.Uint64 }
	Uint32 struct{ atomic.Uint32 }
	Int64  struct{ atomic.Int64 }
)

// Atomic64 returns the word for who only reads it.
func Atomic64(w *Uint64) *atomic.Uint64 { return &w.Uint64 }

// Atomic32 returns the word for the futex calls.
func Atomic32(w *Uint32) *atomic.Uint32 { return &w.Uint32 }

// around calls a step between its two points.
func around[T any](step func() T) T {
	pass(3, "")
	v := step()
	pass(3, "")
	return v
}

// Store is [atomic.Uint64.Store] as a step.
func (w *Uint64) Store(v uint64) {
	pass(2, "")
	w.Uint64.Store(v)
	pass(2, "")
}

// CompareAndSwap is [atomic.Uint64.CompareAndSwap] as a step.
func (w *Uint64) CompareAndSwap(from, to uint64) bool {
	return around(func() bool { return w.Uint64.CompareAndSwap(from, to) })
}

// Add is [atomic.Uint64.Add] as a step.
func (w *Uint64) Add(n uint64) uint64 { return around(func() uint64 { return w.Uint64.Add(n) }) }

// Or is [atomic.Uint64.Or] as a step.
func (w *Uint64) Or(bits uint64) uint64 { return around(func() uint64 { return w.Uint64.Or(bits) }) }

// Swap is [atomic.Uint64.Swap] as a step.
func (w *Uint64) Swap(v uint64) uint64 { return around(func() uint64 { return w.Uint64.Swap(v) }) }

// Store is [atomic.Uint32.Store] as a step.
func (w *Uint32) Store(v uint32) {
	pass(2, "")
	w.Uint32.Store(v)
	pass(2, "")
}

// CompareAndSwap is [atomic.Uint32.CompareAndSwap] as a step.
func (w *Uint32) CompareAndSwap(from, to uint32) bool {
	return around(func() bool { return w.Uint32.CompareAndSwap(from, to) })
}

// Add is [atomic.Uint32.Add] as a step.
func (w *Uint32) Add(n uint32) uint32 { return around(func() uint32 { return w.Uint32.Add(n) }) }

// Or is [atomic.Uint32.Or] as a step.
func (w *Uint32) Or(bits uint32) uint32 { return around(func() uint32 { return w.Uint32.Or(bits) }) }

// Swap is [atomic.Uint32.Swap] as a step.
func (w *Uint32) Swap(v uint32) uint32 { return around(func() uint32 { return w.Uint32.Swap(v) }) }

// Store is [atomic.Int64.Store] as a step.
func (w *Int64) Store(v int64) {
	pass(2, "")
	w.Int64.Store(v)
	pass(2, "")
}

// CompareAndSwap is [atomic.Int64.CompareAndSwap] as a step.
func (w *Int64) CompareAndSwap(from, to int64) bool {
	return around(func() bool { return w.Int64.CompareAndSwap(from, to) })
}

// Step is a point before or after a step that is not a store to a shared word.
func Step(what string) { pass(2, what) }

// Action is what a process does at a point.
type Action uint8

// What a process does at the point that Arm names.
const (
	Note Action = iota // nothing
	Kill               // it kills itself
	Stop               // it stops itself, until somebody continues it
)

// Plan is what Arm takes.
type Plan struct {
	At     uint64     // the number of the point, from 1; 0 for none
	Only   string     // count only points in the function of this name, without its package; "" for all
	Action Action     // what to do there
	Report func(Site) // called right before Action, in the middle of the step; nil for nothing
	Trace  bool       // note the sites of all points, for Sites
}

// Site says where a point is.
type Site struct {
	Path     string // of the file, relative to the module
	Line     int
	Function string // without its package
	What     string // what Step was given
}

// String is the site in a line: where, then in which function, then what.
func (s Site) String() string {
	return strings.TrimSpace(s.Path + ":" + strconv.Itoa(s.Line) + " " + s.Function + " " + s.What)
}

const maxTrace = 1 << 17

type passed struct {
	pcs  [6]uintptr
	what string
}

var (
	armed  atomic.Pointer[Plan]
	count  atomic.Uint64
	traced []passed
)

// Arm counts the points that this process passes from now on, all goroutines
// together, and carries out the plan. It returns the points passed so far
// under the plan before, of which there is none at first.
func Arm(p Plan) {
	armed.Store(nil)
	count.Store(0)
	traced = nil
	if p.Trace {
		traced = make([]passed, maxTrace)
	}
	armed.Store(&p)
}

// Disarm ends the plan and returns how many points were passed under it.
func Disarm() uint64 {
	armed.Store(nil)
	return count.Load()
}

// Sites are the sites of all points that were passed under a plan with Trace,
// in their order.
func Sites() []Site {
	var sites []Site
	for _, p := range traced[:min(count.Load(), uint64(len(traced)))] {
		sites = append(sites, p.site())
	}
	return sites
}

// pass is called at every point. It may run where nothing may be allocated and
// the scheduler is off.
func pass(skip int, what string) {
	plan := armed.Load()
	if plan == nil {
		return
	}
	if plan.Only != "" {
		p := passed{what: what}
		runtime.Callers(skip+1, p.pcs[:])
		if p.site().Function != plan.Only {
			return
		}
	}
	n := count.Add(1)
	if plan.Trace && n <= maxTrace {
		p := &traced[n-1]
		runtime.Callers(skip+1, p.pcs[:])
		p.what = what
	}
	if n != plan.At {
		return
	}
	if plan.Report != nil {
		p := passed{what: what}
		runtime.Callers(skip+1, p.pcs[:])
		plan.Report(p.site())
	}
	switch plan.Action {
	case Kill:
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	case Stop:
		stopSelf()
	}
}

// wrappers are functions that do a step for their callers, whose place it is that
// counts.
var wrappers = []string{"internal/shm.change", "internal/shm.open", "internal/peers.fcntl"}

// module is the path of the module that this package belongs to.
const module = "github.com/ultradict/go/"

// site finds out where a point was: the innermost function that is neither of this
// package nor a wrapper.
func (p *passed) site() Site {
	frames := runtime.CallersFrames(p.pcs[:])
	for {
		f, more := frames.Next()
		name := strings.TrimPrefix(f.Function, module)
		if more && (strings.HasPrefix(name, "internal/failpoint.") || slices.Contains(wrappers, name)) {
			continue
		}
		slash := strings.LastIndexByte(name, '/') + 1
		dot := slash + strings.IndexByte(name[slash:], '.')
		return Site{
			Path:     name[:dot] + f.File[strings.LastIndexByte(f.File, '/'):],
			Line:     f.Line,
			Function: name[dot+1:],
			What:     p.what,
		}
	}
}
