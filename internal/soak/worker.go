package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"

	"github.com/ultradict/go/ultradict"
)

// roleVar names the environment variable that makes this program a process that the
// driver has started.
const roleVar = "ULTRADICT_SOAK_ROLE"

// How a process that was not killed has ended.
const (
	exitDone      = 0
	exitViolation = 3 // with the reason on standard error
	exitGone      = 4 // there was no dictionary any more
)

// Files that the driver gives to a process, beside the usual three.
const (
	journalFile = 3 + iota
	wordsFile   // where it says where it ends itself
)

type texts = ultradict.Map[string, string]

// play is the whole of a process that the driver has started.
func play(arg string) int {
	signal.Ignore(os.Interrupt) // the driver sees to it
	p, err := decodePlan(arg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitViolation
	}
	words := os.NewFile(wordsFile, "words")
	if p.Point.After < 0 {
		err = p.Point.arm(words)
	}
	switch {
	case err != nil:
	case p.Role == "creator":
		err = create(p.Settings)
	case p.Role == "remover":
		err = remove(p.Settings)
	default:
		w := &worker{plan: p, journal: os.NewFile(journalFile, "journal"), words: words, rng: rand.New(rand.NewPCG(p.Seed, 1))}
		err = w.run()
	}
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, ultradict.ErrRemoved), errors.Is(err, ultradict.ErrNotExist):
		fmt.Fprintln(os.Stderr, err)
		return exitGone
	}
	fmt.Fprintf(os.Stderr, "%s of slot %d: %v\n", p.Role, p.Slot, err)
	return exitViolation
}

// create makes the dictionary and leaves, if it gets that far.
func create(s settings) error {
	m, err := ultradict.OpenMap[string, string](name, s.create()...)
	if err != nil {
		return tolerated(err)
	}
	return m.Close()
}

// remove removes the dictionary, if it gets that far.
func remove(s settings) error {
	return tolerated(ultradict.Remove(name, append(s.timeout(), ultradict.WithDir(s.Dir))...))
}

// tolerated drops the error that says that somebody was stopped for too long.
func tolerated(err error) error {
	var locked *ultradict.LockError
	if errors.As(err, &locked) {
		return nil
	}
	return err
}

// worker does what the library can do until it is ended, and keeps a journal of it.
// Its methods are for one goroutine; readers have their own.
type worker struct {
	plan    plan
	journal *os.File
	words   *os.File
	rng     *rand.Rand
	m       *texts
	mine    state

	ending atomic.Bool
	failed chan error             // of a reader
	parts  [tallies]atomic.Uint64 // what was acknowledged
}

func (w *worker) run() error {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		w.ending.Store(true) // the driver says so, or is gone
	}()
	logger := ultradict.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	m, err := ultradict.OpenMap[string, string](name, w.plan.Settings.attach(logger)...)
	if err != nil {
		return tolerated(err)
	}
	w.m = m
	if err := w.arrive(); err != nil {
		return err
	}
	const readers = 2
	w.failed = make(chan error, readers)
	for i := range uint64(readers) {
		r := &reader{w: w, rng: rand.New(rand.NewPCG(w.plan.Seed, 2+i)), views: i == 0}
		go func() { w.failed <- r.run() }()
	}
	err = w.work()
	w.ending.Store(true)
	for range readers {
		err = errors.Join(err, <-w.failed)
	}
	return errors.Join(err, m.Close())
}

// arrive looks whether everything that the slot has acknowledged is there.
func (w *worker) arrive() error {
	return w.m.View(func(v *ultradict.View[string, string]) (err error) {
		if w.mine, err = getter(v.Get).state(w.plan.Slot); err != nil {
			return err
		}
		if w.mine.hash() != w.plan.Expect {
			return fmt.Errorf("lost: a newcomer finds %v", w.mine)
		}
		for i, n := range w.mine.tally {
			w.parts[i].Store(n)
		}
		return nil
	})
}

// work does one operation after the other.
func (w *worker) work() error {
	for n := w.plan.Next; !w.ending.Load(); n++ {
		if int(n-w.plan.Next) == w.plan.Point.After {
			if err := w.plan.Point.arm(w.words); err != nil {
				return err
			}
		}
		if err := w.journaled(w.choose(n)); err != nil {
			return err
		}
		if err := w.aside(n); err != nil {
			return err
		}
		if len(w.failed) > 0 {
			return nil // the error is still to be collected
		}
	}
	return nil
}

func (w *worker) choose(n uint64) op {
	o := op{n: n, kind: kind(1 + w.rng.IntN(int(kinds)))}
	for i, k := range w.rng.Perm(ownKeys)[:len(o.keys)] {
		o.keys[i] = uint8(k)
	}
	switch o.kind {
	case updateOp:
		o.which = uint8(w.rng.IntN(pairs))
	case addOp:
		o.which = uint8(w.rng.IntN(sums))
	case countOp:
		o.which = uint8(w.rng.IntN(tallies))
	}
	switch n := w.rng.IntN(1000); {
	case n < 850:
		o.size = uint32(w.rng.IntN(200))
	case n < 960:
		o.size = uint32(w.rng.IntN(3000)) // out of line in the smallest stream
	case n < 992:
		o.size = uint32(5000 + w.rng.IntN(20_000))
	default:
		o.size = uint32(70_000 + w.rng.IntN(30_000)) // out of line in every stream
	}
	return o
}

// journaled does an operation between two lines of the journal.
func (w *worker) journaled(o op) error {
	if err := w.note(line{phase: intended, op: o}); err != nil {
		return err
	}
	err := w.do(o)
	var locked *ultradict.LockError
	if errors.As(err, &locked) {
		return w.note(line{phase: refused, op: o, value: uint64(locked.OwnerPID)})
	}
	if err != nil {
		return fmt.Errorf("%v %d: %w", o.kind, o.n, err)
	}
	if err := w.note(line{phase: acked, op: o}); err != nil {
		return err
	}
	w.mine.apply(o)
	if o.kind == countOp {
		w.parts[o.which].Store(w.mine.tally[o.which])
	}
	return nil
}

func (w *worker) note(l line) error {
	_, err := w.journal.Write(l.encode())
	return err
}

// do does an operation.
func (w *worker) do(o op) error {
	slot, first := w.plan.Slot, ownKey(w.plan.Slot, int(o.keys[0]))
	value := text(slot, o.keys[0], value{o.n, o.size})
	ctx := context.Background()
	switch o.kind {
	case setOp:
		return w.m.Set(first, value)
	case deleteOp:
		existed, err := w.m.Delete(first)
		if had := w.mine.keys[o.keys[0]].n != 0; err == nil && existed != had {
			return fmt.Errorf("lost: delete of %s says %v, not %v", first, existed, had)
		}
		return err
	case computeOp, dropOp:
		var wrong error
		_, err := w.m.Compute(ctx, first, func(old string, ok bool) (string, ultradict.Op) {
			if wrong = w.same(o.keys[0], old, ok); wrong != nil {
				return "", ultradict.Keep
			}
			if o.kind == dropOp {
				return "", ultradict.Drop
			}
			return value, ultradict.Store
		})
		return cmp.Or(wrong, err)
	case updateOp:
		return w.update(ctx, o)
	case addOp:
		return w.m.Update(ctx, func(tx *ultradict.Tx[string, string]) error {
			n, err := getter(tx.Get).number(sumKey(int(o.which)))
			if err != nil {
				return err
			}
			return errors.Join(tx.Set(sumKey(int(o.which)), strconv.FormatUint(n+1, 10)), tx.Set(doneKey(slot), strconv.FormatUint(o.n, 10)))
		})
	case countOp:
		var wrong error
		_, err := w.m.Compute(ctx, tallyKey(int(o.which)), func(old string, _ bool) (string, ultradict.Op) {
			parts, err := parseTally(old)
			if err == nil && parts[slot] != w.mine.tally[o.which] {
				err = fmt.Errorf("lost: tally %d says %d for slot %d, not %d", o.which, parts[slot], slot, w.mine.tally[o.which])
			}
			if wrong = err; err != nil {
				return "", ultradict.Keep
			}
			parts[slot]++
			return formatTally(parts), ultradict.Store
		})
		return cmp.Or(wrong, err)
	}
	return fmt.Errorf("no operation %v", o.kind)
}

// update writes several keys of the slot's own and a shared pair in one transaction.
func (w *worker) update(ctx context.Context, o op) error {
	slot := w.plan.Slot
	left, right := pairKeys(int(o.which))
	return w.m.Update(ctx, func(tx *ultradict.Tx[string, string]) error {
		if _, err := getter(tx.Get).pairs(); err != nil {
			return err
		}
		token := text(slot, 0, value{o.n, o.size % 2000})
		_, err := tx.Delete(ownKey(slot, int(o.keys[2])))
		return errors.Join(err,
			tx.Set(left, token),
			tx.Set(ownKey(slot, int(o.keys[0])), text(slot, o.keys[0], value{o.n, o.size})),
			tx.Set(ownKey(slot, int(o.keys[1])), text(slot, o.keys[1], value{o.n, small})),
			tx.Set(right, token))
	})
}

// same compares what is stored under an own key with what was acknowledged.
func (w *worker) same(key uint8, got string, ok bool) error {
	want := w.mine.keys[key]
	if ok != (want.n != 0) || ok && got != text(w.plan.Slot, key, want) {
		return fmt.Errorf("lost: key %d holds %.60q (%v), not %v", key, got, ok, want)
	}
	return nil
}

// aside does what needs no journal: reads of own keys, and writes that nobody
// acknowledges.
func (w *worker) aside(n uint64) error {
	k := uint8(w.rng.IntN(ownKeys))
	key := ownKey(w.plan.Slot, int(k))
	switch w.rng.IntN(4) {
	case 0:
		got, err := w.m.Get(key)
		if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
			return fmt.Errorf("get %s: %w", key, err)
		}
		return w.same(k, got, err == nil)
	case 1:
		ok, err := w.m.Has(key)
		if had := w.mine.keys[k].n != 0; err == nil && ok != had {
			err = fmt.Errorf("lost: has %s says %v, not %v", key, ok, had)
		}
		return err
	case 2:
		if w.plan.Settings.Noise > 0 {
			i := w.rng.IntN(w.plan.Settings.Noise)
			return tolerated(w.m.Set(noiseKey(w.plan.Slot, i), text(w.plan.Slot, 0, value{n, uint32(w.rng.IntN(100))})))
		}
	}
	return nil
}
