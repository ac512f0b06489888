package ultradict

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/record"
)

// EventKind says what an [Event] tells.
type EventKind uint8

// What an [Event] may tell.
const (
	EventPut    EventKind = 1 // the key has this value now
	EventDelete EventKind = 2 // the key is absent now
	EventClear  EventKind = 3 // everything is absent now; there is no key
	EventExpire EventKind = 4 // the key is absent now, because its time is up
	// EventResync says that steps in between were missed, since others wrote faster
	// than this watch was read. The puts and deletes that bring it up to date follow,
	// as events of the same commit. There is no key.
	EventResync EventKind = 5
	EventSynced EventKind = 6 // with WithContents: what was there before is complete; there is no key
)

// String is the kind's name.
func (k EventKind) String() string {
	names := []string{"", "put", "delete", "clear", "expire", "resync", "synced"}
	if int(k) < len(names) && k > 0 {
		return names[k]
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

// Event is one thing that [Map.Watch] tells.
type Event[K comparable, V any] struct {
	Kind     EventKind // what happened
	Path     []string  // of the nested dictionary in which it happened; empty for the watched one
	Key      K         // to which key, zero where the kind has none
	Value    V         // of a put; the receiver's own
	Revision uint64    // of the commit; of a resync, that up to which it brings the watch
	More     bool      // more events of the same commit, or of the same resync, follow
}

// WatchOption says what [Map.Watch] tells of.
type WatchOption func(*watching)

type watching struct {
	key      any
	prefix   *string
	from     *uint64
	contents bool
}

// OnlyKey leaves out what happens to other keys of the watched dictionary, and below
// them. K must be the map's.
func OnlyKey[K comparable](key K) WatchOption { return func(w *watching) { w.key = key } }

// Prefix leaves out what happens to keys of the watched dictionary that do not begin with
// p, and below them. The map's keys must be strings.
func Prefix(p string) WatchOption { return func(w *watching) { w.prefix = &p } }

// FromRevision begins after a revision, as an earlier [Event] told it, instead of now:
// that of the last event without More, or of the last [EventResync] once all that
// follows from it was told.
// Of nested dictionaries that were freed since, only that is told. If the records since
// then are gone, the watch begins with a resync of everything: its
// first event after that is an [EventClear].
func FromRevision(revision uint64) WatchOption { return func(w *watching) { w.from = &revision } }

// WithContents begins with a put of every entry that is there, in no order, and an
// [EventSynced].
func WithContents() WatchOption { return func(w *watching) { w.contents = true } }

// Watch tells what is committed from the moment of the call on, in order, each thing
// once, and without gaps, unless there is an [EventResync]. Of one commit all events
// come together, clears first, and of each key only the last state.
//
// A watch of a [Dict] tells as well of the dictionaries nested in it, whose keys are
// strings, with the Path to them. That one is nested is told by a put of its key, whose
// Value is a *Dict, before the puts in it; that it is freed, by what has become of its
// key alone. So whoever does to a tree of maps what the events say has the same tree. Of
// a dictionary that is freed itself, the watch ends with [ErrRemoved].
//
//	for e, err := range m.Watch(ctx) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// An error is the last thing that it yields: the context's; [ErrClosed], [ErrRemoved],
// [ErrCorrupt]; [ErrViewLost] with [ReadOnly], if others replace faster than it reads;
// *[TypeError] for a value that is no V; [ErrInvalidOption] for options that contradict
// each other or the map, and for a revision that this instance has not reached.
//
// While nothing happens a watch costs next to nothing. Whoever is slow to read it
// misses nothing either, but keeps memory of the layers as of the last event from being
// freed. The result is for one range loop, and for one goroutine; what it keeps is let
// go when that ends, or with ctx. Do not call it with a context that is never done and
// leave the result unused.
func (m *Map[K, V]) Watch(ctx context.Context, opts ...WatchOption) iter.Seq2[Event[K, V], error] {
	var o watching
	for _, opt := range opts {
		opt(&o)
	}
	fail := func(err error) iter.Seq2[Event[K, V], error] {
		return func(yield func(Event[K, V], error) bool) { yield(Event[K, V]{}, err) }
	}
	wanted, err := m.wanted(&o)
	if err != nil {
		return fail(err)
	}
	var w *core.Watch
	below := m.values.dynamic && m.strings // else nothing can hang from it
	if o.from != nil {
		w, err = m.d.WatchFrom(m.number(), below, *o.from)
	} else {
		w, err = m.d.Watch(m.number(), below)
	}
	if err != nil {
		return fail(err)
	}
	var over sync.Once
	end := func() { over.Do(w.Close) }
	stop := context.AfterFunc(ctx, end) // also of a watch that nobody ever reads
	return func(yield func(Event[K, V], error) bool) {
		if !stop() { // it is let go already
			err := ctx.Err()
			if err == nil {
				err = fmt.Errorf("watch %q: the result is for one loop: %w", m.Name(), ErrTxDone)
			}
			yield(Event[K, V]{}, err)
			return
		}
		defer end()
		emit := func(e Event[K, V], err error) bool { return yield(e, err) && err == nil }
		if o.contents && !m.contents(w, wanted, emit) {
			return
		}
		for {
			c, err := w.Next(ctx)
			if err != nil {
				yield(Event[K, V]{}, err)
				return
			}
			if !m.events(w, &c, wanted, emit) {
				return
			}
		}
	}
}

// wanted is the filter for encoded keys that options ask for.
func (m *Map[K, V]) wanted(o *watching) (func(enc string) bool, error) {
	invalid := func(reason string) error {
		return fmt.Errorf("watch %q: %s: %w", m.Name(), reason, ErrInvalidOption)
	}
	switch {
	case o.contents && o.from != nil:
		return nil, invalid("WithContents and FromRevision")
	case o.key != nil && o.prefix != nil:
		return nil, invalid("OnlyKey and Prefix")
	case o.prefix != nil:
		if !m.keys.IsString() {
			return nil, invalid("Prefix, and its keys are no strings")
		}
		return func(enc string) bool { return strings.HasPrefix(enc, *o.prefix) }, nil
	case o.key != nil:
		key, ok := o.key.(K)
		if !ok {
			return nil, invalid(fmt.Sprintf("OnlyKey of a %T", o.key))
		}
		only, err := m.keys.Append(nil, key)
		if err != nil {
			return nil, unencodable(key, err)
		}
		return func(enc string) bool { return enc == string(only) }, nil
	}
	return func(string) bool { return true }, nil
}

// contents emits what was there when the watch began.
func (m *Map[K, V]) contents(w *core.Watch, wanted func(string) bool, emit func(Event[K, V], error) bool) (more bool) {
	more = true
	var failed error
	err := w.Contents(func(c *core.KeyChange) bool {
		if !wanted(step(c)) {
			return true
		}
		var e Event[K, V]
		if e, failed = m.event(w, c); failed != nil {
			return false
		}
		more = emit(e, nil)
		return more
	})
	switch {
	case failed != nil:
		return emit(Event[K, V]{}, failed)
	case err != nil:
		return emit(Event[K, V]{}, err)
	}
	return more && emit(Event[K, V]{Kind: EventSynced, Revision: w.Position()}, nil)
}

// events emits what a commit has changed of what is wanted.
func (m *Map[K, V]) events(w *core.Watch, c *core.Commit, wanted func(string) bool, emit func(Event[K, V], error) bool) (more bool) {
	changes := c.Changes[:0]
	for _, change := range c.Changes {
		if change.Kind == record.Clear && len(change.Path) == 0 || wanted(step(&change)) {
			changes = append(changes, change)
		}
	}
	if c.Resync && !emit(Event[K, V]{Kind: EventResync, Revision: c.Revision, More: len(changes) > 0}, nil) {
		return false
	}
	for i := range changes {
		e, err := m.event(w, &changes[i])
		if err != nil {
			return emit(Event[K, V]{}, err)
		}
		e.More = i+1 < len(changes)
		if !emit(e, nil) {
			return false
		}
	}
	return true
}

// step is the key of the watched dictionary at which, or below which, something happened.
func step(c *core.KeyChange) string {
	if len(c.Path) > 0 {
		return c.Path[0]
	}
	return c.Key
}

// event is a change of a key as an event.
func (m *Map[K, V]) event(w *core.Watch, c *core.KeyChange) (e Event[K, V], err error) {
	e.Revision, e.Path = c.Revision, c.Path
	switch c.Kind {
	case record.Clear:
		e.Kind = EventClear
		return e, nil
	case record.Delete:
		e.Kind = EventDelete
		if c.Expired {
			e.Kind = EventExpire
		}
	default:
		e.Kind = EventPut
	}
	if e.Key, err = m.keys.Decode(c.Key); err != nil || e.Kind != EventPut {
		return e, err
	}
	if c.Version != nil {
		e.Value, err = m.own(w, e.Key, c.Version)
	} else {
		e.Value, err = m.values.codec.Decode([]byte(c.Value))
	}
	return e, named(e.Key, err)
}
