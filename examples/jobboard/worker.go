package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"

	"github.com/ultradict/go/ultradict"
)

// job is what the board says of a job.
type job struct {
	Bits   int // leading zeros that the hash must have
	Begun  int // how often somebody began it
	Done   bool
	By     int // process that did it
	Answer uint64
}

// right reports whether the answer is right.
func (j job) right(name string) bool {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte(name), j.Answer))
	return bits.LeadingZeros64(binary.BigEndian.Uint64(sum[:])) >= j.Bits
}

// work does jobs until all are done.
func work(ctx context.Context, name string) (err error) {
	board, err := ultradict.OpenMap[string, job](name, ultradict.AttachOnly())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, board.Close()) }()
	for {
		busy := "" // a job that somebody else is at
		for name, j := range board.All() {
			if j.Done {
				continue
			}
			held, ok, err := board.TryLock(name)
			if err != nil {
				return err
			}
			if !ok {
				busy = name
				continue
			}
			if err := errors.Join(do(board, name, held), held.Unlock()); err != nil {
				return err
			}
		}
		if busy == "" {
			return nil
		}
		// Whoever is at it finishes, or dies: then it is ours.
		held, err := board.Lock(ctx, busy)
		if err != nil {
			return err
		}
		if err := errors.Join(do(board, busy, held), held.Unlock()); err != nil {
			return err
		}
	}
}

// do does a job whose lock we have, unless it is done.
func do(board *ultradict.Map[string, job], name string, held *ultradict.Held) error {
	j, err := board.Get(name)
	if err != nil || j.Done {
		return err
	}
	if pid, ok := held.Abandoned(); ok {
		fmt.Printf("begins %s, which process %d has died with\n", name, pid)
	} else {
		fmt.Printf("begins %s\n", name)
	}
	j.Begun++
	if err := board.Set(name, j); err != nil {
		return err
	}
	for ; !j.right(name); j.Answer++ {
	}
	j.Done, j.By = true, os.Getpid()
	return board.Set(name, j)
}
