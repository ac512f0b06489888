package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ultradict/go/ultradict"
)

// ringSize is the size of the dictionary's stream at rest: small, so that a worker which
// is stopped for long has to be told the difference instead of each step.
const ringSize = 32 << 10

// owner is the only one that writes the configuration.
type owner struct {
	dict     *ultradict.Map[string, Setting]
	settings map[string]Setting // what the dictionary holds
	pushed   []int64            // when: number n at n-1
	number   atomic.Uint64      // of the last push, for who looks on
	backends int                // made so far
}

// change is what a push does: keys that get a value, and keys that go.
type change struct {
	set map[string]Setting
	del []string
}

// openOwner creates the dictionary, and pushes the first configuration.
func openOwner(ctx context.Context, name string) (*owner, error) {
	dict, err := ultradict.OpenMap[string, Setting](name, ultradict.CreateOnly(), ultradict.WithStreamSize(ringSize))
	if err != nil {
		return nil, err
	}
	o := &owner{dict: dict, settings: map[string]Setting{}}
	first := change{set: map[string]Setting{
		servingKey:         {Any: true},
		shutdownKey:        {Any: false},
		limitsKey:          {Limits: &Limits{Connections: 10}},
		o.newBackend():     {Backend: &Backend{Address: "10.0.0.1:80", Weight: 100, Connections: 10}},
		routePrefix + "/":  {Any: map[string]any{"to": "b1"}},
		routePrefix + "/a": {Any: map[string]any{"to": "b1", "canary": 5, "tags": []any{"new", 1.5}}},
		routePrefix + "/b": {Any: map[string]any{"to": "b1", "headers": map[string]any{"x-from": "b"}}},
	}}
	if err := o.push(ctx, first); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *owner) close() error {
	return errors.Join(o.dict.Close(), remove(o.dict.Name()))
}

// remove removes the dictionary, if nobody else has.
func remove(name string) error {
	if err := ultradict.Remove(name); !errors.Is(err, ultradict.ErrNotExist) {
		return err
	}
	return nil
}

// push commits a change, all of it at once, unless what comes of it makes no sense.
func (o *owner) push(ctx context.Context, c change) error {
	next := maps.Clone(o.settings)
	maps.Copy(next, c.set)
	for _, key := range c.del {
		delete(next, key)
	}
	p := Push{Number: uint64(len(o.pushed) + 1)}
	next[pushKey] = Setting{Push: &p}
	if _, err := compile(next); err != nil {
		return fmt.Errorf("push %d: %w", p.Number, err)
	}
	p.At = monotonic()
	err := o.dict.Update(ctx, func(tx *ultradict.Tx[string, Setting]) error {
		for key, s := range c.set {
			if err := tx.Set(key, s); err != nil {
				return err
			}
		}
		for _, key := range c.del {
			if _, err := tx.Delete(key); err != nil {
				return err
			}
		}
		return tx.Set(pushKey, Setting{Push: &p})
	})
	if err != nil {
		return fmt.Errorf("push %d: %w", p.Number, err)
	}
	o.settings = next
	o.pushed = append(o.pushed, p.At)
	o.number.Store(p.Number)
	return nil
}

// pushMany pushes some change or other, until ctx is done.
func (o *owner) pushMany(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			// What is begun is finished: it does not take long.
			if err := o.push(context.WithoutCancel(ctx), o.someChange()); err != nil {
				return err
			}
		}
	}
}

// someChange is a change that makes sense, but would not if half of it were left out.
func (o *owner) someChange() change {
	backends := slices.DeleteFunc(slices.Sorted(maps.Keys(o.settings)), func(key string) bool {
		return !strings.HasPrefix(key, backendPrefix)
	})
	rand.Shuffle(len(backends), func(i, j int) { backends[i], backends[j] = backends[j], backends[i] })
	from := backends[0]
	old := *o.settings[from].Backend
	limit := o.settings[limitsKey].Limits.Connections
	switch what := rand.IntN(3); {
	case len(backends) == 1 || what == 0 && len(backends) < 8:
		return o.addBackend(from, old, limit)
	case what == 1 && len(backends) > 2:
		return o.dropBackend(from, backends[1], old, limit)
	default:
		return o.shift(from, backends[1], old)
	}
}

// addBackend makes a backend, gives it a part of another one's weight, and leads a path
// to it.
func (o *owner) addBackend(from string, old Backend, limit int) change {
	key := o.newBackend()
	part, connections := rand.IntN(old.Weight+1), 1+rand.IntN(20)
	address := fmt.Sprintf("10.0.%d.%d:80", o.backends/256, o.backends%256)
	old.Weight -= part
	return change{set: map[string]Setting{
		key:       {Backend: &Backend{Address: address, Weight: part, Connections: connections}},
		from:      {Backend: &old},
		limitsKey: {Limits: &Limits{Connections: limit + connections}},
		routePrefix + []string{"/", "/a", "/b"}[rand.IntN(3)]: {Any: map[string]any{"to": strings.TrimPrefix(key, backendPrefix), "since": o.backends}},
	}}
}

// newBackend is the key of a backend that there was never before.
func (o *owner) newBackend() string {
	o.backends++
	return fmt.Sprintf("%sb%d", backendPrefix, o.backends)
}

// dropBackend removes a backend, and has another one take over.
func (o *owner) dropBackend(key, heir string, old Backend, limit int) change {
	b := *o.settings[heir].Backend
	b.Weight += old.Weight
	c := change{del: []string{key}, set: map[string]Setting{
		heir:      {Backend: &b},
		limitsKey: {Limits: &Limits{Connections: limit - old.Connections}},
	}}
	for route, s := range o.settings {
		if !strings.HasPrefix(route, routePrefix) {
			continue
		}
		if to := maps.Clone(s.Any.(map[string]any)); backendPrefix+to["to"].(string) == key {
			to["to"] = strings.TrimPrefix(heir, backendPrefix)
			c.set[route] = Setting{Any: to}
		}
	}
	return c
}

// shift gives some of a backend's weight and connections to another one.
func (o *owner) shift(from, to string, a Backend) change {
	b := *o.settings[to].Backend
	part, connections := rand.IntN(a.Weight+1), rand.IntN(a.Connections+1)
	a.Weight, b.Weight = a.Weight-part, b.Weight+part
	a.Connections, b.Connections = a.Connections-connections, b.Connections+connections
	return change{set: map[string]Setting{from: {Backend: &a}, to: {Backend: &b}}}
}
