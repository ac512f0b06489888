package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/ultradict/go/ultradict"
)

// How much there is.
const (
	ownKeys  = 16 // of each slot
	pairs    = 3  // of keys that are always written together, shared
	sums     = 2  // shared counters, which know only how often
	tallies  = 4  // shared counters, which know how often each slot
	maxSlots = 16
)

// The keys.
func ownKey(slot, k int) string   { return fmt.Sprintf("s%d/%d", slot, k) }
func doneKey(slot int) string     { return fmt.Sprintf("s%d/done", slot) }
func noiseKey(slot, k int) string { return fmt.Sprintf("noise/%d/%d", slot, k) }
func sumKey(i int) string         { return fmt.Sprintf("sum/%d", i) }
func tallyKey(i int) string       { return fmt.Sprintf("tally/%d", i) }
func pairKeys(i int) (string, string) {
	return fmt.Sprintf("pair/%d/left", i), fmt.Sprintf("pair/%d/right", i)
}

// value is what stands under one of a slot's keys: which operation wrote it, and
// how long it is. The zero value is none.
type value struct {
	n    uint64
	size uint32
}

// state is everything that only one slot changes.
type state struct {
	keys  [ownKeys]value
	done  uint64          // the last addition
	tally [tallies]uint64 // the slot's parts
}

// apply changes the state as an operation does.
func (s *state) apply(o op) {
	switch o.kind {
	case setOp, computeOp:
		s.keys[o.keys[0]] = value{o.n, o.size}
	case deleteOp, dropOp:
		s.keys[o.keys[0]] = value{}
	case updateOp:
		s.keys[o.keys[0]] = value{o.n, o.size}
		s.keys[o.keys[1]] = value{o.n, small}
		s.keys[o.keys[2]] = value{}
	case addOp:
		s.done = o.n
	case countOp:
		s.tally[o.which]++
	}
}

// small is the size of the values that an update writes beside the first.
const small = 40

// hash stands for the state in a command line.
func (s state) hash() uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, s)
	return h.Sum64()
}

// text is the value that an operation writes under a key. It says what it is and
// how it goes on, so that it shows whether it is whole.
func text(slot int, key uint8, v value) string {
	head := fmt.Sprintf("%d/%d/%d/%d:", slot, key, v.n, v.size)
	body := strings.Repeat(head, int(v.size)/len(head)+1)
	return head + body[:v.size]
}

// valueOf is what was made into a text; the error says that it is not whole.
func valueOf(slot int, key uint8, s string) (value, error) {
	head, _, _ := strings.Cut(s, ":")
	words := strings.Split(head, "/")
	if len(words) != 4 {
		return value{}, halfError(fmt.Sprintf("key %d of slot %d holds %.60q", key, slot, s))
	}
	n, err1 := strconv.ParseUint(words[2], 10, 64)
	size, err2 := strconv.ParseUint(words[3], 10, 32)
	v := value{n, uint32(size)}
	if err1 != nil || err2 != nil || int(size) > len(s) || text(slot, key, v) != s {
		return value{}, halfError(fmt.Sprintf("key %d of slot %d is not whole: %d bytes, %.60q", key, slot, len(s), s))
	}
	return v, nil
}

// halfError says that something was seen by halves.
type halfError string

func (e halfError) Error() string { return "seen by halves: " + string(e) }

// getter is the Get of whatever shows a dictionary.
type getter func(key string) (string, error)

// optional makes "" of what is not there.
func (get getter) optional(key string) (string, error) {
	s, err := get(key)
	if errors.Is(err, ultradict.ErrNotFound) {
		return "", nil
	}
	return s, err
}

// state reads that of a slot.
func (get getter) state(slot int) (s state, err error) {
	for k := range s.keys {
		raw, err := get.optional(ownKey(slot, k))
		if err != nil {
			return s, err
		}
		if raw == "" {
			continue
		}
		if s.keys[k], err = valueOf(slot, uint8(k), raw); err != nil {
			return s, err
		}
	}
	if s.done, err = get.number(doneKey(slot)); err != nil {
		return s, err
	}
	for i := range s.tally {
		parts, err := get.tally(i)
		if err != nil {
			return s, err
		}
		s.tally[i] = parts[slot]
	}
	return s, nil
}

// number reads a number, 0 where there is none.
func (get getter) number(key string) (uint64, error) {
	raw, err := get.optional(key)
	if err != nil || raw == "" {
		return 0, err
	}
	n, err := strconv.ParseUint(raw, 10, 64)
	if err != nil {
		return 0, halfError(fmt.Sprintf("%s holds %.60q", key, raw))
	}
	return n, nil
}

// tally reads all parts of one.
func (get getter) tally(i int) ([maxSlots]uint64, error) {
	raw, err := get.optional(tallyKey(i))
	if err != nil {
		return [maxSlots]uint64{}, err
	}
	return parseTally(raw)
}

func parseTally(raw string) (parts [maxSlots]uint64, err error) {
	if raw == "" {
		return parts, nil
	}
	words := strings.Fields(raw)
	if len(words) != maxSlots {
		return parts, halfError(fmt.Sprintf("a tally holds %.60q", raw))
	}
	for i, w := range words {
		if parts[i], err = strconv.ParseUint(w, 10, 64); err != nil {
			return parts, halfError(fmt.Sprintf("a tally holds %.60q", raw))
		}
	}
	return parts, nil
}

func formatTally(parts [maxSlots]uint64) string {
	return strings.Trim(fmt.Sprint(parts), "[]")
}

// pairs reads all pairs; both of each are the same.
func (get getter) pairs() (all [pairs]string, err error) {
	for i := range all {
		left, right := pairKeys(i)
		a, err := get.optional(left)
		if err != nil {
			return all, err
		}
		b, err := get.optional(right)
		if err != nil {
			return all, err
		}
		if a != b {
			return all, halfError(fmt.Sprintf("pair %d: %.60q and %.60q", i, a, b))
		}
		all[i] = a
	}
	return all, nil
}
