package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Process is one record of the process table.
type Process struct {
	Name    string        // of the program; what cannot be printed is a question mark
	State   string        // one letter: R running, S sleeping, D waiting for a disk, Z zombie, T stopped, I idle
	CPU     time.Duration // user and system time since it started
	Percent int           // CPU time since the scan before, in percent of one core
	Memory  int64         // resident bytes
	Started uint64        // in clock ticks since boot: tells it from a later process with the same id
}

// tick is one clock tick as /proc counts them. The kernel tells user space 100
// a second, whatever its own rate is.
const tick = 10 * time.Millisecond

// readTable reads the process table from a file system like /proc. Processes
// that end meanwhile, and those that it may not see, are left out. Percent is 0
// in all of them: a single look cannot tell.
func readTable(proc fs.FS) (map[int]Process, error) {
	entries, err := fs.ReadDir(proc, ".")
	if err != nil {
		return nil, fmt.Errorf("read process table: %w", err)
	}
	table := make(map[int]Process, len(entries))
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid <= 0 {
			continue // not a process
		}
		stat, err := fs.ReadFile(proc, e.Name()+"/stat")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read process table: %w", err)
		}
		if table[pid], err = parseStat(string(stat)); err != nil {
			return nil, fmt.Errorf("read process table: process %d: %w", pid, err)
		}
	}
	return table, nil
}

// Places in /proc/<pid>/stat, counted from the state, which follows the name;
// proc_pid_stat(5) counts from 1 and calls the state number 3.
const (
	statState   = 0
	statUser    = 14 - 3
	statSystem  = 15 - 3
	statStarted = 22 - 3
	statMemory  = 24 - 3
	statFields  = statMemory + 1 // at least so many
)

// parseStat parses a line such as "17 (a name) S 1 17 …". The name may hold
// anything, spaces and parentheses included, so it goes up to the last one.
func parseStat(line string) (Process, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return Process{}, fmt.Errorf("no name in %q", line)
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < statFields {
		return Process{}, fmt.Errorf("only %d fields after the name in %q", len(fields), line)
	}
	var err error
	number := func(field int) uint64 {
		n, e := strconv.ParseUint(fields[field], 10, 63)
		if err == nil {
			err = e
		}
		return n
	}
	p := Process{
		Name:    printable(line[open+1 : end]),
		State:   printable(fields[statState]),
		CPU:     time.Duration(number(statUser)+number(statSystem)) * tick,
		Memory:  int64(number(statMemory)) * int64(os.Getpagesize()),
		Started: number(statStarted),
	}
	return p, err
}

// printable makes a name fit to be stored as text and shown: a process may give
// itself any name, escape sequences for the terminal included.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// setPercent works out what each process of now has used since before, which
// was taken the given time ago.
func setPercent(now, before map[int]Process, elapsed time.Duration) {
	if elapsed <= 0 {
		return
	}
	for pid, p := range now {
		b, known := before[pid]
		if !known || b.Started != p.Started || b.CPU > p.CPU {
			continue
		}
		p.Percent = int((100*(p.CPU-b.CPU) + elapsed/2) / elapsed)
		now[pid] = p
	}
}
