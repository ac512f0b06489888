package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/ultradict/go/ultradict"
)

// state identifies all that one process sees in one view.
type state struct {
	Revision uint64 // the position of the view
	Entries  int
	Hash     string // SHA-256 over the entries in the order of their keys, with the revision of each
}

// stateOf takes the state of a dictionary, and what is in it.
func stateOf(table *ultradict.Map[int, Process]) (state, map[int]Process, error) {
	var s state
	var entries []ultradict.Entry[int, Process]
	err := table.View(func(v *ultradict.View[int, Process]) error {
		s.Revision = v.Revision()
		for e, err := range v.Entries() {
			if err != nil {
				return err
			}
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil {
		return state{}, nil, fmt.Errorf("take the final state: %w", err)
	}
	slices.SortFunc(entries, func(a, b ultradict.Entry[int, Process]) int { return cmp.Compare(a.Key, b.Key) })

	processes := make(map[int]Process, len(entries))
	hash := sha256.New()
	for _, e := range entries {
		processes[e.Key] = e.Value
		_, _ = fmt.Fprintf(hash, "%d %#v %d %d\n", e.Key, e.Value, e.Revision, e.Created) // a hash takes everything
	}
	s.Entries = len(entries)
	s.Hash = fmt.Sprintf("%x", hash.Sum(nil))
	return s, processes, nil
}
