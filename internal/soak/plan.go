package main

import (
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/ultradict/go/ultradict"
)

// name is the dictionary's.
const name = "soak"

// settings are what a dictionary is made and opened with in one epoch.
type settings struct {
	Dir         string
	StreamSize  int           // 0 for the default
	MaxBytes    int64         // 0 for no limit
	LockTimeout time.Duration // 0 for the default
	Noise       int           // keys of each slot that nobody acknowledges, to make layers larger
}

// settingsOf chooses those of an epoch.
func settingsOf(rng *rand.Rand, dir string) settings {
	s := settings{Dir: dir}
	s.StreamSize = []int{4 << 10, 4 << 10, 64 << 10, 64 << 10, 0}[rng.IntN(5)]
	s.MaxBytes = []int64{0, 2 << 30}[rng.IntN(2)] // large enough: ErrNoSpace is a violation
	s.LockTimeout = []time.Duration{0, 100 * time.Millisecond, time.Second}[rng.IntN(3)]
	s.Noise = []int{0, 50, 500}[rng.IntN(3)]
	return s
}

// create are the options of who may make the dictionary, attach of everybody else.
func (s settings) create() []ultradict.Option {
	opts := []ultradict.Option{ultradict.WithDir(s.Dir)}
	if s.StreamSize != 0 {
		opts = append(opts, ultradict.WithStreamSize(s.StreamSize))
	}
	if s.MaxBytes != 0 {
		opts = append(opts, ultradict.WithMaxBytes(s.MaxBytes))
	}
	return append(opts, s.timeout()...)
}

func (s settings) attach(more ...ultradict.Option) []ultradict.Option {
	return append(append(s.timeout(), ultradict.WithDir(s.Dir), ultradict.AttachOnly()), more...)
}

func (s settings) timeout() []ultradict.Option {
	if s.LockTimeout == 0 {
		return nil
	}
	return []ultradict.Option{ultradict.WithLockTimeout(s.LockTimeout)}
}

// plan is what a process is told when it is started.
type plan struct {
	Role     string // "worker", "creator" or "remover"
	Slot     int
	Seed     uint64
	Next     uint64 // number of the slot's next operation
	Expect   uint64 // hash of the slot's state
	Point    point
	Settings settings
}

// point is where a process is to end or to stop by itself.
type point struct {
	At    uint64 // number of the point; 0 for nowhere
	Only  string // count only points in this function
	Stop  bool   // stop there instead of dying
	After int    // operations before it begins to count; -1 for from the start
}

// rare are functions that a worker seldom is in, so that counting points alone would
// seldom end there.
var rare = []string{
	"(*lease).take", "(*lease).drop", "(*Directory).Publish", "(*Listed).store", "sysUnlink", "sysAllocate", "sysCreateUnnamed",
	"sysUnmap", "(*Stream).enter", "(*Stream).advance", "(*Stream).Release", "(*Entry).fill", "(*Peer).Leave",
}

// pointOf chooses a worker's point.
func pointOf(rng *rand.Rand) point {
	switch n := rng.IntN(100); {
	case !points || n < 45:
		return point{}
	case n < 49: // in the middle of background work
		return point{At: 1 + 2*uint64(rng.IntN(2)), Only: "(*lease).drop", Stop: true, After: -1}
	case n < 56:
		return point{At: 1 + uint64(rng.IntN(6)), Only: rare[rng.IntN(len(rare))], After: -1}
	case n < 75:
		return point{At: upTo(rng, 600), After: -1} // in Open, or soon after
	default:
		return point{At: upTo(rng, 20_000), After: int(upTo(rng, 2000))}
	}
}

// upTo is a number from 1 to most, small ones as likely as large ones.
func upTo(rng *rand.Rand, most uint64) uint64 {
	n := most
	for n > 1 && rng.IntN(2) == 0 {
		n /= 2
	}
	return 1 + rng.Uint64N(n)
}

func (p plan) encode() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func decodePlan(s string) (p plan, err error) {
	err = json.Unmarshal([]byte(s), &p)
	return p, err
}
