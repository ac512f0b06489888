package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ultradict/go/ultradict"
)

// fleet are the workers, and what is done to them.
type fleet struct {
	owner     *owner
	name      string
	out       io.Writer
	begin     time.Time
	workers   []*process
	stops     []stop
	newcomers map[int]uint64 // worker that was started anew: number of the last push before that
}

// stop is a time in which a worker was stopped.
type stop struct {
	worker   int   // its number
	from, to int64 // nanoseconds of CLOCK_MONOTONIC
}

// say prints a line. What cannot be printed is found out when the summary cannot be.
func (f *fleet) say(format string, args ...any) {
	_, _ = fmt.Fprintf(f.out, "%5.1f s  %s\n", time.Since(f.begin).Seconds(), fmt.Sprintf(format, args...))
}

// perform is what happens before the end. It returns the context's error if that is done
// before it has happened.
func (f *fleet) perform(ctx context.Context, opts options) error {
	for id := 1; id <= opts.workers; id++ {
		w, err := startWorker(id, f.name)
		if err != nil {
			return err
		}
		f.workers = append(f.workers, w)
	}
	for _, w := range f.workers {
		if err := w.untilReady(ctx); err != nil {
			return err
		}
	}
	f.say("%d workers have the configuration: %d settings", len(f.workers), len(f.owner.settings))

	part := opts.length / 100
	if err := f.whilePushing(ctx, opts.every, func() error { return f.trouble(ctx, part) }); err != nil {
		return err
	}
	if err := f.pushSetting(servingKey, false); err != nil {
		return err
	}
	f.say("push %d: nobody is to serve; then nothing is pushed", f.owner.number.Load())
	if err := sleep(ctx, 25*part); err != nil {
		return err
	}
	if err := f.pushSetting(servingKey, true); err != nil {
		return err
	}
	f.say("push %d: serve again", f.owner.number.Load())
	return f.whilePushing(ctx, opts.every, func() error { return sleep(ctx, 10*part) })
}

// trouble is what happens while changes are pushed. A part is a hundredth of the time.
func (f *fleet) trouble(ctx context.Context, part time.Duration) error {
	for _, step := range []func() error{
		func() error { return sleep(ctx, 15*part) },
		func() error { return f.stop(ctx, f.workers[1], 5*part) },
		func() error { return sleep(ctx, 5*part) },
		func() error { return f.stop(ctx, f.workers[1], 20*part) },
		func() error { return sleep(ctx, 10*part) },
		func() error { return f.restart(ctx, 2) },
		func() error { return sleep(ctx, 10*part) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// whilePushing calls fn while changes are pushed. It does so beside the pushes, which
// would have to wait if a worker were stopped with the dictionary's lock in its hands.
func (f *fleet) whilePushing(ctx context.Context, every time.Duration, fn func() error) error {
	pushing, end := context.WithCancel(ctx)
	pushed := make(chan error, 1)
	go func() { pushed <- f.owner.pushMany(pushing, every) }()
	err := fn()
	end()
	if failed := <-pushed; failed != nil {
		return failed
	}
	return err
}

func (f *fleet) pushSetting(key string, value any) error {
	return f.owner.push(context.Background(), change{set: map[string]Setting{key: {Any: value}}})
}

// stop stops a worker for a while.
func (f *fleet) stop(ctx context.Context, w *process, d time.Duration) error {
	s := stop{worker: w.id, from: monotonic()}
	if err := stopProcess(w.cmd.Process); err != nil {
		return w.explain(err)
	}
	first := f.owner.number.Load()
	f.say("push %d: worker %d is stopped", first, w.id)
	ended := sleep(ctx, d)
	s.to = monotonic()
	if err := continueProcess(w.cmd.Process); err != nil {
		return w.explain(err)
	}
	f.stops = append(f.stops, s)
	last := f.owner.number.Load()
	f.say("push %d: worker %d goes on, %d pushes behind", last, w.id, last-first)
	return ended
}

// restart kills a worker, and starts another one in its place.
func (f *fleet) restart(ctx context.Context, i int) error {
	id := f.workers[i].id
	f.workers[i].kill()
	number := f.owner.number.Load()
	f.say("push %d: worker %d is killed", number, id)
	start := time.Now()
	w, err := startWorker(id, f.name)
	if err != nil {
		return err
	}
	f.workers[i] = w
	f.newcomers = map[int]uint64{id: number}
	if err := w.untilReady(ctx); err != nil {
		return err
	}
	f.say("push %d: its successor has the configuration, %s after it was started", f.owner.number.Load(), short(time.Since(start)))
	return nil
}

// finish pushes the end, and has all workers say what they have seen.
func (f *fleet) finish() (*summary, error) {
	if err := f.pushSetting(shutdownKey, true); err != nil {
		return nil, err
	}
	f.say("push %d: the workers are to end", f.owner.number.Load())
	s := &summary{
		length: time.Since(f.begin), pushed: f.owner.pushed, settings: f.owner.settings,
		stops: f.stops, newcomers: f.newcomers,
	}
	for _, w := range f.workers {
		r, err := w.finish()
		if err != nil {
			return nil, err
		}
		s.workers = append(s.workers, r)
	}
	// What the dictionary holds is what was pushed.
	held := map[string]Setting{}
	err := f.owner.dict.View(func(v *ultradict.View[string, Setting]) error {
		for e, err := range v.Entries() {
			if err != nil {
				return err
			}
			held[e.Key] = e.Value
			s.revision = max(s.revision, e.Revision)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.held = held
	return s, nil
}

// kill ends all workers that there are.
func (f *fleet) kill() {
	for _, w := range f.workers {
		w.kill()
	}
}

// sleep returns after a time, or with the error of ctx when that is done.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
