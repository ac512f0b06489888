package main

import (
	"errors"
	"fmt"
	"strings"
)

// Setting is what a key of the configuration holds: a section with a type of its own or,
// in the dynamic part, anything. One field of it is set.
type Setting struct {
	Push    *Push    `cbor:",omitempty" json:",omitempty"` // key "push"
	Limits  *Limits  `cbor:",omitempty" json:",omitempty"` // key "limits"
	Backend *Backend `cbor:",omitempty" json:",omitempty"` // keys "backend/…"
	Any     any      `cbor:",omitempty" json:",omitempty"` // all other keys
}

// Push says which change this is. Every push changes it.
type Push struct {
	Number uint64 // 1, 2, 3 …
	At     int64  // nanoseconds of CLOCK_MONOTONIC, just before the transaction
}

// Limits is a section.
type Limits struct {
	Connections int // of all backends together
}

// Backend is a section. There are as many as there are backends.
type Backend struct {
	Address     string
	Weight      int // its part of the requests, in percent
	Connections int
}

// Keys of the configuration, or how they begin.
const (
	pushKey       = "push"
	limitsKey     = "limits"
	backendPrefix = "backend/"
	routePrefix   = "route/"   // dynamic: a map that says where to, and what else somebody wrote there
	servingKey    = "serving"  // dynamic: whether workers serve
	shutdownKey   = "shutdown" // dynamic: whether they are to end
)

// Config is the configuration as a worker uses it: made of all settings, once, and never
// changed after that.
type Config struct {
	Push     Push
	Limits   Limits
	Backends map[string]Backend
	Routes   map[string]string // from path to backend
	Serving  bool
	Shutdown bool
}

// compile makes a Config of all settings. It returns an error where they contradict each
// other: what no worker may ever act on.
func compile(settings map[string]Setting) (*Config, error) {
	c := &Config{Backends: map[string]Backend{}, Routes: map[string]string{}}
	weight, connections := 0, 0
	for key, s := range settings {
		backend, isBackend := strings.CutPrefix(key, backendPrefix)
		path, isRoute := strings.CutPrefix(key, routePrefix)
		ok := true
		switch {
		case key == pushKey && s.Push != nil:
			c.Push = *s.Push
		case key == limitsKey && s.Limits != nil:
			c.Limits = *s.Limits
		case isBackend && s.Backend != nil:
			c.Backends[backend] = *s.Backend
			weight += s.Backend.Weight
			connections += s.Backend.Connections
		case isRoute:
			route, _ := s.Any.(map[string]any)
			c.Routes[path], ok = route["to"].(string)
		case key == servingKey:
			c.Serving, ok = s.Any.(bool)
		case key == shutdownKey:
			c.Shutdown, ok = s.Any.(bool)
		default:
			ok = false
		}
		if !ok {
			return nil, fmt.Errorf("%s: %+v makes no sense", key, s)
		}
	}
	switch {
	case c.Push.Number == 0:
		return nil, errors.New("there is no push")
	case weight != 100:
		return nil, fmt.Errorf("the weights make %d in all, not 100", weight)
	case connections != c.Limits.Connections:
		return nil, fmt.Errorf("the backends have %d connections in all, the limit is %d", connections, c.Limits.Connections)
	}
	for path, backend := range c.Routes {
		if _, exists := c.Backends[backend]; !exists {
			return nil, fmt.Errorf("%s leads to %s, which does not exist", path, backend)
		}
	}
	return c, nil
}
