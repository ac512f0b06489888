package main

import (
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// at is an operation with one outcome for each step.
func at(begin, end int64, steps []step, seen ...uint64) call {
	return call{Op: &operation{Kind: "test", Steps: steps}, Call: begin, Return: end, Out: outcome{Seen: seen}}
}

// died is an operation whose process died in it.
func died(begin, reaped int64, steps ...step) call {
	return call{Op: &operation{Kind: "test", Steps: steps}, Call: begin, Return: reaped, Out: outcome{Unknown: true}}
}

func TestModel(t *testing.T) {
	get := func(k int) step { return step{Do: "get", Key: k} }
	has := func(k int) step { return step{Do: "has", Key: k} }
	set := func(k int, v uint64) step { return step{Do: "set", Key: k, Value: v} }
	del := func(k int) step { return step{Do: "delete", Key: k} }
	add := func(k int, v uint64) step { return step{Do: "add", Key: k, Value: v} }
	replace := func(k int, v uint64) step { return step{Do: "replace", Key: k, Value: v} }
	swap := func(k int, old, v uint64) step { return step{Do: "swap", Key: k, Old: old, Value: v} }
	steps := func(s ...step) []step { return s }
	for name, c := range map[string]struct {
		history []call
		want    bool
	}{
		"empty":                 {nil, true},
		"seen":                  {[]call{at(1, 2, steps(set(0, 7)), 0), at(3, 4, steps(get(0)), 7)}, true},
		"not seen":              {[]call{at(1, 2, steps(set(0, 7)), 0), at(3, 4, steps(get(0)), 0)}, false},
		"not seen yet":          {[]call{at(1, 4, steps(set(0, 7)), 0), at(2, 3, steps(get(0)), 0)}, true},
		"nobody wrote it":       {[]call{at(1, 2, steps(get(0)), 9)}, false},
		"of another key":        {[]call{at(1, 2, steps(set(1, 7)), 0), at(3, 4, steps(get(0)), 7)}, false},
		"back":                  {[]call{at(1, 9, steps(set(0, 7)), 0), at(2, 3, steps(get(0)), 7), at(4, 5, steps(get(0)), 0)}, false},
		"has":                   {[]call{at(1, 2, steps(set(0, 7)), 0), at(3, 4, steps(has(0)), 1), at(3, 4, steps(has(1)), 0)}, true},
		"has not":               {[]call{at(1, 2, steps(set(0, 7)), 0), at(3, 4, steps(has(0)), 0)}, false},
		"deleted once":          {[]call{at(1, 2, steps(set(0, 7)), 0), at(3, 5, steps(del(0)), 1), at(4, 6, steps(del(0)), 0)}, true},
		"deleted twice":         {[]call{at(1, 2, steps(set(0, 7)), 0), at(3, 5, steps(del(0)), 1), at(4, 6, steps(del(0)), 1)}, false},
		"own writes":            {[]call{at(1, 2, steps(get(0), set(0, 7), get(0), del(0), get(0)), 0, 0, 7, 1, 0)}, true},
		"half of a transaction": {[]call{at(1, 2, steps(set(0, 7), set(1, 8)), 0, 0), at(1, 2, steps(get(0), get(1)), 7, 0)}, false},
		"added once":            {[]call{at(1, 4, steps(add(0, 7)), 1), at(2, 5, steps(add(0, 8)), 0), at(6, 7, steps(get(0)), 7)}, true},
		"added twice":           {[]call{at(1, 4, steps(add(0, 7)), 1), at(2, 5, steps(add(0, 8)), 1)}, false},
		"replaced":              {[]call{at(1, 2, steps(replace(0, 7)), 0), at(3, 4, steps(set(0, 8)), 0), at(5, 6, steps(replace(0, 9)), 1), at(7, 8, steps(get(0)), 9)}, true},
		"replaced nothing":      {[]call{at(1, 2, steps(replace(0, 7)), 1)}, false},
		"swapped once":          {[]call{at(1, 2, steps(set(0, 7)), 0), at(3, 6, steps(swap(0, 7, 8)), 1), at(4, 5, steps(swap(0, 7, 9)), 0)}, true},
		"swapped twice":         {[]call{at(1, 2, steps(set(0, 7)), 0), at(3, 6, steps(swap(0, 7, 8)), 1), at(4, 5, steps(swap(0, 7, 9)), 1)}, false},
		"swap died":             {[]call{at(1, 2, steps(set(0, 7)), 0), died(3, 4, swap(0, 6, 8)), at(5, 6, steps(get(0)), 8)}, false},
		"lost update": {[]call{
			at(1, 5, steps(get(0), set(0, 7)), 0, 0), at(2, 6, steps(get(0), set(0, 8)), 0, 0)}, false},
		"died before":       {[]call{died(1, 5, set(0, 7)), at(6, 7, steps(get(0)), 0)}, true},
		"died after":        {[]call{died(1, 5, set(0, 7)), at(6, 7, steps(get(0)), 7)}, true},
		"died, seen early":  {[]call{died(1, 9, set(0, 7)), at(3, 4, steps(get(0)), 7)}, true},
		"died, seen once":   {[]call{died(1, 3, set(0, 7)), at(4, 5, steps(get(0)), 7), at(6, 7, steps(get(0)), 0)}, false},
		"came after death":  {[]call{died(1, 3, set(0, 7)), at(4, 5, steps(get(0)), 0), at(6, 7, steps(get(0)), 7)}, false},
		"died, half of it":  {[]call{died(1, 3, set(0, 7), set(1, 8)), at(4, 5, steps(get(0), get(1)), 7, 0)}, false},
		"died, overwritten": {[]call{died(1, 3, set(0, 7)), at(2, 4, steps(set(0, 8)), 0), at(5, 6, steps(get(0)), 8)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, porcupine.CheckOperations(model, operationsOf(c.history)))
		})
	}
}

func TestDescribe(t *testing.T) {
	steps := []step{{Do: "get", Key: 1}, {Do: "set", Key: 0, Value: 3<<32 | 5}, {Do: "delete", Key: 2}}
	require.Equal(t, "test(get k1→2.1, set k0=3.5, delete k2→true)", describe(&operation{Kind: "test", Steps: steps}, outcome{Seen: []uint64{2<<32 | 1, 0, 1}}))
	require.Equal(t, "test(get k1, set k0=3.5, delete k2) ☠", describe(&operation{Kind: "test", Steps: steps}, outcome{Unknown: true}))
}

func TestDescribeConditions(t *testing.T) {
	steps := []step{{Do: "add", Key: 1, Value: 1<<32 | 2}, {Do: "swap", Key: 0, Old: 1<<32 | 2, Value: 1<<32 | 3}}
	require.Equal(t, "test(add k1=1.2→true, swap k0=1.3 for 1.2→false)", describe(&operation{Kind: "test", Steps: steps}, outcome{Seen: []uint64{1, 0}}))
}

func TestValues(t *testing.T) {
	for _, size := range []int{0, 1, 70_000} {
		v, err := parse(text(1<<40|77, size))
		require.NoError(t, err)
		require.Equal(t, uint64(1<<40|77), v)
	}
	for _, bad := range []string{"", "7", "7:1", "7:1:", "7:1:a", "7:1:hh", "x:0:", "7:0:h", text(8, 9) + text(8, 9)} {
		_, err := parse(bad)
		require.Error(t, err, bad)
	}
}
