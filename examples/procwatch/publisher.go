package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"github.com/ultradict/go/ultradict"
)

// Beacon is what freshness is measured by, see the package comment. There are
// beaconRing keys, so that a reader which pauses finds the beacons it has not
// seen yet: number n is stored under n % beaconRing.
type Beacon struct {
	Number uint64 // 1, 2, 3 …
	At     int64  // nanoseconds of CLOCK_MONOTONIC, just before Set
}

const (
	beaconRing  = 1024 // two seconds of them
	beaconEvery = 2 * time.Millisecond
)

// counts says what was published.
type counts struct {
	scans, stored, deleted int
}

// publisher keeps the dictionary like the process table.
type publisher struct {
	name    string
	proc    fs.FS
	table   *ultradict.Map[int, Process]
	beacons *ultradict.Map[int, Beacon]
	last    map[int]Process // what the dictionary holds
	at      int64           // when that was read, nanoseconds of CLOCK_MONOTONIC
	counts  counts
	sets    histogram // how long Set of a beacon took; sendBeacons's own while it runs
}

// openPublisher creates the dictionaries. The caller closes the publisher.
func openPublisher(name string, proc fs.FS) (*publisher, error) {
	table, err := ultradict.OpenMap[int, Process](name, ultradict.CreateOnly())
	if err != nil {
		return nil, err
	}
	p := &publisher{name: name, proc: proc, table: table, last: map[int]Process{}, sets: histogram{}}
	if p.beacons, err = ultradict.OpenMap[int, Beacon](beaconsOf(name), ultradict.CreateOnly()); err != nil {
		return nil, errors.Join(err, table.Close(), ultradict.Remove(name))
	}
	return p, nil
}

func beaconsOf(name string) string { return name + "-beacons" }

// close removes the dictionaries.
func (p *publisher) close() error {
	return errors.Join(p.table.Close(), p.beacons.Close(), removeAll(p.name))
}

// removeAll removes the dictionaries, if nobody else has.
func removeAll(name string) error {
	var failed error
	for _, n := range []string{name, beaconsOf(name)} {
		if err := ultradict.Remove(n); !errors.Is(err, ultradict.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// scan reads the process table and publishes what has changed: each process by
// itself, because they have nothing to do with each other.
func (p *publisher) scan(now int64) error {
	table, err := readTable(p.proc)
	if err != nil {
		return err
	}
	setPercent(table, p.last, time.Duration(now-p.at))
	for pid, process := range table {
		if old, known := p.last[pid]; known && old == process {
			continue
		}
		if err := p.table.Set(pid, process); err != nil {
			return fmt.Errorf("publish process %d: %w", pid, err)
		}
		p.counts.stored++
	}
	for pid := range p.last {
		if _, alive := table[pid]; alive {
			continue
		}
		if _, err := p.table.Delete(pid); err != nil {
			return fmt.Errorf("publish the end of process %d: %w", pid, err)
		}
		p.counts.deleted++
	}
	p.last, p.at = table, now
	p.counts.scans++
	return nil
}

// sendBeacons sends beacons until the context is done. It runs beside scan.
func (p *publisher) sendBeacons(ctx context.Context) error {
	every := time.NewTicker(beaconEvery)
	defer every.Stop()
	for n := uint64(1); ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		at := monotonic()
		if err := p.beacons.Set(int(n%beaconRing), Beacon{Number: n, At: at}); err != nil {
			return fmt.Errorf("send beacon: %w", err)
		}
		p.sets.add(time.Duration(monotonic() - at))
	}
}

// verify returns the publisher's own state, once it has seen that the
// dictionary holds what was published and nothing else.
func (p *publisher) verify() (state, error) {
	s, processes, err := stateOf(p.table)
	if err == nil && !maps.Equal(processes, p.last) {
		err = errors.New("the dictionary is not what was published")
	}
	return s, err
}
