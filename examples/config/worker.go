package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ultradict/go/ultradict"
)

// applied is a Config that a worker has put in force.
type applied struct {
	Number uint64 // of the push
	At     int64  // when, in nanoseconds of CLOCK_MONOTONIC
	Pushed int64  // when it was pushed
	Resync bool   // steps before it were left out; for the first one: the contents
}

// result is what a worker has to say in the end.
type result struct {
	PID       int
	Log       []applied // everything that was in force
	Revision  uint64    // of the last one
	Settings  map[string]Setting
	Served    uint64        // requests
	Misrouted uint64        // requests that a route led nowhere
	HalfWrong uint64        // states between the events of a commit that contradict themselves
	Quiet     time.Duration // how long nothing was pushed or served, 0 for never
	QuietCPU  time.Duration // CPU time of the worker meanwhile
	Wakeups   int64         // how often a thread of it went to sleep meanwhile
}

// worker follows the configuration, and serves requests according to it.
type worker struct {
	config  atomic.Pointer[Config] // in force
	changed chan struct{}          // has something in it after config has changed

	draft  map[string]Setting // all settings, as far as events have come
	synced bool               // the draft has all that was there at the beginning
	resync bool               // the commit that is being told is a resync
	quiet  usage              // when a quiet time began, or zero
	result result
}

// errGone says that there is nobody to work for any more.
var errGone = errors.New("the owner is gone")

// workerMain is a worker process. It ends when the configuration says so, or when in
// does, because the owner was killed.
func workerMain(name string, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel(errGone)
	}()
	err := follow(ctx, name, json.NewEncoder(out))
	if context.Cause(ctx) == errGone {
		return errors.Join(errGone, remove(name))
	}
	return err
}

// follow is the whole life of a worker.
func follow(ctx context.Context, name string, out *json.Encoder) (err error) {
	dict, err := ultradict.OpenMap[string, Setting](name, ultradict.AttachOnly())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dict.Close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &worker{changed: make(chan struct{}, 1), draft: map[string]Setting{}}
	w.result.PID = os.Getpid()

	var serving sync.WaitGroup
	defer serving.Wait()
	defer cancel()
	for e, err := range dict.Watch(ctx, ultradict.WithContents()) {
		if err != nil {
			return err
		}
		whole, err := w.take(e)
		if err != nil {
			return err
		}
		if !whole {
			continue
		}
		if e.Kind == ultradict.EventSynced {
			serving.Go(func() { w.serve(ctx) })
			if err := out.Encode(message{Ready: true}); err != nil {
				return err
			}
		}
		if w.config.Load().Shutdown {
			break
		}
	}
	cancel()
	serving.Wait()
	w.result.Settings = w.draft
	return out.Encode(message{Result: &w.result})
}

// take takes an event into the draft, and puts it in force where it is whole: at the end
// of what was there already, and at the end of each commit.
func (w *worker) take(e ultradict.Event[string, Setting]) (whole bool, err error) {
	switch e.Kind {
	case ultradict.EventPut:
		w.draft[e.Key] = e.Value
	case ultradict.EventDelete, ultradict.EventExpire:
		delete(w.draft, e.Key)
	case ultradict.EventClear:
		clear(w.draft)
	case ultradict.EventResync:
		w.resync = e.More // otherwise there is nothing to tell
		return false, nil
	case ultradict.EventSynced:
		w.synced, w.resync = true, true
	}
	if !w.synced {
		return false, nil
	}
	c, err := compile(w.draft)
	if e.More {
		if err != nil {
			w.result.HalfWrong++
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("at revision %d, push %+v: %w", e.Revision, w.draft[pushKey].Push, err)
	}
	w.enforce(c)
	w.result.Revision = e.Revision
	w.resync = false
	return true, nil
}

// enforce puts a Config in force.
func (w *worker) enforce(c *Config) {
	w.config.Store(c)
	select {
	case w.changed <- struct{}{}:
	default:
	}
	w.result.Log = append(w.result.Log, applied{Number: c.Push.Number, At: monotonic(), Pushed: c.Push.At, Resync: w.resync})
	switch {
	case !c.Serving && w.quiet.at == 0:
		w.quiet = used()
	case c.Serving && w.quiet.at != 0:
		now := used()
		w.result.Quiet = time.Duration(now.at - w.quiet.at)
		w.result.QuietCPU = now.cpu - w.quiet.cpu
		w.result.Wakeups = now.sleeps - w.quiet.sleeps
		w.quiet = usage{}
	}
}

// serve serves requests, each according to what is in force when it begins.
func (w *worker) serve(ctx context.Context) {
	for paths := []string{"/", "/a", "/b"}; ctx.Err() == nil; {
		c := w.config.Load()
		if !c.Serving {
			select {
			case <-w.changed:
			case <-ctx.Done():
			}
			continue
		}
		// What compile has checked holds for as long as this request takes, whatever
		// is pushed meanwhile: it has the Config to itself.
		if backend := c.Backends[c.Routes[paths[w.result.Served%3]]]; backend.Address == "" {
			w.result.Misrouted++
		}
		w.result.Served++
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	}
}
