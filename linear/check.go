package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/anishathalye/porcupine"
)

// searching is how long the search for an order of one history may take. Most
// take milliseconds; what takes longer has not been checked, and that is a
// failure.
const searching = 30 * time.Second

var (
	errNotLinearizable = errors.New("NOT LINEARIZABLE")
	errNotChecked      = errors.New("NOT CHECKED")
)

// check looks for an order of each group's history.
func (r *round) check() error {
	begin := now()
	defer func() { r.checking += time.Duration(now() - begin) }()
	var failed error
	for g, calls := range split(r.history) {
		r.histories++
		r.operations += len(calls)
		for _, c := range calls {
			if c.Out.Unknown {
				r.unknown++
			}
		}
		switch porcupine.CheckOperationsTimeout(model, operationsOf(calls), searching) {
		case porcupine.Ok:
		case porcupine.Illegal:
			failed = errors.Join(failed, fmt.Errorf("group %d: %w: no order of its %d operations explains what was seen", g, errNotLinearizable, len(calls)))
		default:
			failed = errors.Join(failed, fmt.Errorf("group %d: %w: no order of its %d operations found within %v", g, errNotChecked, len(calls), searching))
		}
	}
	return failed
}

// split takes a history apart by groups of keys.
func split(history []call) [groups][]call {
	var parts [groups][]call
	for _, c := range history {
		parts[c.Op.Group] = append(parts[c.Op.Group], c)
	}
	return parts
}

func operationsOf(calls []call) []porcupine.Operation {
	list := make([]porcupine.Operation, len(calls))
	for i, c := range calls {
		list[i] = porcupine.Operation{ClientId: c.Client, Input: c.Op, Call: c.Call, Output: c.Out, Return: c.Return}
	}
	return list
}

// keep writes the history of a round that failed into a folder: all of it, one
// call a line, and pictures of the groups that have no order. It returns the
// paths.
func (r *round) keep(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "history.jsonl")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	lines := json.NewEncoder(f)
	for _, c := range r.history {
		if err = lines.Encode(c); err != nil {
			break
		}
	}
	paths := []string{path}
	err = errors.Join(err, f.Close())
	for g, calls := range split(r.history) {
		result, info := porcupine.CheckOperationsVerbose(model, operationsOf(calls), searching)
		if result == porcupine.Ok {
			continue
		}
		path := filepath.Join(dir, fmt.Sprintf("group%d.html", g))
		err = errors.Join(err, porcupine.VisualizePath(model, info, path))
		paths = append(paths, path)
	}
	return paths, err
}
