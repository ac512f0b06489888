package main

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"
)

// keysPerGroup is how many keys an operation can have to do with: those of its
// group.
const keysPerGroup = 3

// A step is what an operation does to one key.
type step struct {
	Do    string `json:"do"` // get, has, set, delete, add (set if absent), replace (set if present) or swap (set if it is Old)
	Key   int    `json:"key"`
	Value uint64 `json:"value,omitempty"` // of what sets; every one is unique
	Old   uint64 `json:"old,omitempty"`   // of a swap
}

// sets reports whether the step may give its key a value.
func (s step) sets() bool { return s.Do != "get" && s.Do != "has" && s.Do != "delete" }

// An operation is a list of steps that happen at once.
type operation struct {
	Kind  string `json:"kind"` // of the call: only for the reader
	Group int    `json:"group"`
	Steps []step `json:"steps"`
}

// writes reports whether the operation may change anything.
func (o *operation) writes() bool {
	for _, s := range o.Steps {
		if s.sets() || s.Do == "delete" {
			return true
		}
	}
	return false
}

// An outcome is what an operation has shown to its caller.
type outcome struct {
	// Seen has a number for each step: the value for a get, 0 for none; 1 for a
	// has or delete that found the key, and for an add, replace or swap that set it;
	// 0 for a set.
	Seen []uint64
	// Unknown says that the process died before it could tell: the operation
	// has happened, or it has not.
	Unknown bool
}

func one(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}

// contents are the values of a group's keys, 0 for absent.
type contents [keysPerGroup]uint64

// apply does the steps, and reports whether they show what was seen. Without
// seen they may show anything.
func (c contents) apply(steps []step, seen []uint64) (contents, bool) {
	for i, s := range steps {
		var shown uint64
		switch s.Do {
		case "get":
			shown = c[s.Key]
		case "has", "delete", "replace":
			shown = one(c[s.Key] != 0)
		case "add":
			shown = one(c[s.Key] == 0)
		case "swap":
			shown = one(c[s.Key] == s.Old)
		}
		if seen != nil && seen[i] != shown {
			return c, false
		}
		switch {
		case s.Do == "set", s.sets() && shown == 1:
			c[s.Key] = s.Value
		case s.Do == "delete":
			c[s.Key] = 0
		}
	}
	return c, true
}

// model is a group of keys as porcupine wants it.
var model = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{contents{}} },
	Step: func(state, input, output any) []any {
		before, op, out := state.(contents), input.(*operation), output.(outcome)
		if out.Unknown {
			after, _ := before.apply(op.Steps, nil)
			if after == before {
				return []any{before}
			}
			return []any{before, after}
		}
		after, ok := before.apply(op.Steps, out.Seen)
		if !ok {
			return nil
		}
		return []any{after}
	},
	Hash: func(state any) uint64 {
		h := uint64(14695981039346656037)
		for _, v := range state.(contents) {
			h = (h ^ v) * 0x9e3779b97f4a7c15
			h ^= h >> 29
		}
		return h
	},
	DescribeOperation: func(input, output any) string { return describe(input.(*operation), output.(outcome)) },
	DescribeState: func(state any) string {
		c := state.(contents)
		words := make([]string, len(c))
		for i, v := range c {
			words[i] = valueName(v)
		}
		return strings.Join(words, " ")
	},
}).ToModel()

// describe tells an operation in one line.
func describe(op *operation, out outcome) string {
	words := make([]string, len(op.Steps))
	for i, s := range op.Steps {
		words[i] = fmt.Sprintf("%s k%d", s.Do, s.Key)
		switch {
		case s.Do == "set":
			words[i] += "=" + valueName(s.Value)
		case s.sets():
			words[i] += "=" + valueName(s.Value)
			if s.Do == "swap" {
				words[i] += " for " + valueName(s.Old)
			}
			if !out.Unknown {
				words[i] += fmt.Sprintf("→%v", out.Seen[i] == 1)
			}
		case out.Unknown:
		case s.Do == "get":
			words[i] += "→" + valueName(out.Seen[i])
		default:
			words[i] += fmt.Sprintf("→%v", out.Seen[i] == 1)
		}
	}
	text := op.Kind + "(" + strings.Join(words, ", ") + ")"
	if out.Unknown {
		text += " ☠"
	}
	return text
}

// valueName is the worker and the number of a value.
func valueName(v uint64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%d.%d", v>>32, uint32(v))
}
