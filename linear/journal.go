package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// An entry is one line of a journal. An operation has two: the first is there
// before it begins, the second after it has ended.
type entry struct {
	ID   int   `json:"id"` // within the journal
	Call int64 `json:"call"`

	Op *operation `json:"op,omitempty"` // only in the first

	Return int64    `json:"return,omitempty"` // only in the second, as is Seen
	Seen   []uint64 `json:"seen,omitempty"`
}

// A journal is what one goroutine writes down. What was written survives the
// death of the process: it is with the kernel.
type journal struct {
	file *os.File
	id   int
	buf  bytes.Buffer
}

// openJournal creates a journal.
func openJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	return &journal{file: f}, err
}

// record does an operation between its two entries. The steps must be complete
// before it is done; do returns what they have shown.
func (j *journal) record(op *operation, do func() ([]uint64, error)) error {
	j.id++
	if err := j.write(entry{ID: j.id, Call: now(), Op: op}); err != nil {
		return err
	}
	// The later call is the truer one. The earlier one is for those who die.
	call := now()
	seen, err := do()
	end := now()
	if err != nil {
		return fmt.Errorf("%s: %w", describe(op, outcome{Unknown: true}), err)
	}
	if len(seen) != len(op.Steps) {
		return fmt.Errorf("%s: saw %d things in %d steps", op.Kind, len(seen), len(op.Steps))
	}
	return j.write(entry{ID: j.id, Call: call, Return: end, Seen: seen})
}

func (j *journal) write(e entry) error {
	j.buf.Reset()
	if err := json.NewEncoder(&j.buf).Encode(e); err != nil {
		return err
	}
	_, err := j.file.Write(j.buf.Bytes())
	return err
}

// A call is an operation as a history has it.
type call struct {
	Client int
	Op     *operation
	Call   int64
	Return int64
	Out    outcome
}

// readJournal returns what a goroutine did. Where its process died, reaped is
// the time from which on it could do nothing any more; 0 says that it ended by
// itself, with nothing left undone.
func readJournal(path string, client int, reaped int64) ([]call, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var calls []call
	open := false // the last one has not returned
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole && reaped != 0 {
			break // it died while it wrote this: before the call, or after the return
		}
		text = rest
		if !whole {
			return nil, fmt.Errorf("%s: ends with half an entry", path)
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", path, line, err)
		}
		switch {
		case e.Op != nil && !open:
			calls = append(calls, call{Client: client, Op: e.Op, Call: e.Call, Return: math.MaxInt64, Out: outcome{Unknown: true}})
			open = true
		case e.Op == nil && open:
			c := &calls[len(calls)-1]
			c.Call, c.Return, c.Out = e.Call, e.Return, outcome{Seen: e.Seen}
			open = false
		default:
			return nil, fmt.Errorf("%s: entry %d is not in turn", path, e.ID)
		}
	}
	if open {
		last := &calls[len(calls)-1]
		if reaped == 0 {
			return nil, fmt.Errorf("%s: ended in the middle of an operation", path)
		}
		last.Return = reaped
		if !last.Op.writes() {
			calls = calls[:len(calls)-1] // nobody can know what it saw
		}
	}
	return calls, nil
}
