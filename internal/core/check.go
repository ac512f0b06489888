package core

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/peers"
	"github.com/ultradict/go/internal/shm"
)

// Problem is something that must not be.
type Problem struct {
	Rule    string // which one it breaks
	Segment string // file, or what lies in it
	Offset  int64  // in the segment
	Text    string
}

// The rules. Those of the invariants have the names that docs/ARCHITECTURE.md
// gives them.
const (
	ruleRecords   = "I1"           // the stream is whole
	ruleRebuild   = "I2"           // a newcomer can be rebuilt from layers and stream
	ruleList      = "I5"           // the list of layers is one that was published
	ruleFile      = "file"         // a file is what its name says
	ruleIdentity  = "identity"     // what never changes makes sense
	ruleLock      = "lock"         // a word names nobody, or a participant
	rulePeers     = "participants" // the table makes sense
	ruleLayer     = "layer"        // a layer is whole
	ruleBody      = "body"         // a body is whole
	controlName   = "control"
	whyUnfinished = "its removal was begun and not finished"
)

// Stray is a file, or a dotted directory of the root, that nothing refers to.
type Stray struct {
	Name   string
	Bytes  int64
	Why    string
	Living bool // whoever made it takes part, and may be about to use it or to remove it
}

// CheckReport is what a check found.
type CheckReport struct {
	Name, Instance         string
	Created                time.Time
	ThisBoot, Complete     bool
	Participants           []peers.Info // the living ones
	Head, Tail, Floor      uint64
	Folded                 uint64 // end of the newest layer
	Files, Layers, Bodies  int
	Bytes                  int64
	Entries, Live, Records uint64
	Problems               []Problem
	Orphans, Removed       []Stray
	Notes                  []string
}

// CheckOptions are what can be asked of a check besides a Config.
type CheckOptions struct {
	Repair   bool
	Progress func(checked, total int64) error
}

// Check verifies all that must hold of a dictionary, also while others use it.
// An error says that it could not be checked; what is wrong is in the report.
func Check(name string, cfg Config, opts CheckOptions) (CheckReport, error) {
	cfg.fill()
	report, err := checkAndRepair(name, cfg, opts)
	if err != nil {
		return CheckReport{}, fmt.Errorf("check %q: %w", name, err)
	}
	return report, nil
}

func checkAndRepair(name string, cfg Config, opts CheckOptions) (CheckReport, error) {
	if err := shm.CheckName(name); err != nil {
		return CheckReport{}, err
	}
	root, err := cfg.root(false)
	if err != nil {
		return CheckReport{}, err
	}
	defer root.Close()
	before, err := checkOnce(root, name, cfg, opts)
	if err != nil || !opts.Repair {
		return before.CheckReport, err
	}
	return repair(root, name, cfg, opts, before)
}

// checkup is one check in progress. Everything is opened for reading only.
//
// It holds still for nobody, so every rule that ties two words together is
// looked at in an order in which it holds whatever happens between: a position
// before one that is never below it; files before what may refer to them;
// records before layers, since a reference only moves from the ones to the others.
// What is missing counts only if it is still referred to by what is in force
// after it was missed.
type checkup struct {
	CheckReport
	d        *Dict // of which only what needs no membership is used
	opts     CheckOptions
	ended    bool // the stream has: the dictionary is being removed, or was half
	entries  []shm.Entry
	gone     map[uint32]bool   // creators that were gone before references were collected
	referred map[shm.Name]bool // to which files
	blind    bool              // not all of what refers to files could be read
	bodies   bodyShelf
	failed   error // of the system: the check could not go on
	checked  int64 // bytes
	total    int64
}

// checkOnce checks and changes nothing.
func checkOnce(root *shm.Root, name string, cfg Config, opts CheckOptions) (*checkup, error) {
	cfg.ReadOnly, cfg.Access = true, Attach
	c := &checkup{opts: opts, gone: map[uint32]bool{}, referred: map[shm.Name]bool{}}
	c.Name, c.Complete = name, true
	defer c.close()
	if err := c.open(root, name, cfg); err != nil {
		return c, err
	}
	c.leftovers(root)
	if c.d.str == nil { // nothing else can be read
		c.incomplete("nothing behind the head of the control segment was checked")
		return c, c.failed
	}
	if c.ended = c.d.str.Ended(); c.ended {
		c.listFiles()
		c.Orphans = append(c.Orphans, Stray{Name: name, Bytes: c.Bytes, Why: whyUnfinished})
		return c, c.failed
	}
	steps := []func(){c.files, c.words, c.participants, c.ring, c.records, c.layers, c.orphans}
	for _, step := range steps {
		if c.failed == nil {
			step()
		}
	}
	if c.d.str.Ended() { // whatever was missed went with it
		return c, errs.ErrRemoved
	}
	return c, c.failed
}

func (c *checkup) close() {
	c.bodies.close()
	if c.d != nil {
		c.d.abandon()
	}
}

// found notes a problem, once.
func (c *checkup) found(rule, segment string, offset int64, format string, args ...any) {
	p := Problem{rule, segment, offset, fmt.Sprintf(format, args...)}
	if !slices.Contains(c.Problems, p) {
		c.Problems = append(c.Problems, p)
	}
}

// judge notes what an error says of the dictionary; one of the system ends the
// check. Offsets in errors about a section of the control segment are in that
// section, which begins at the given offset.
func (c *checkup) judge(rule, segment string, section int64, err error) {
	var damage *errs.CorruptError
	switch {
	case err == nil:
	case errors.As(err, &damage) && section != 0:
		c.found(rule, controlName, section+damage.Offset, "%s", damage.Reason)
	case errors.As(err, &damage):
		c.found(rule, damage.Segment, damage.Offset, "%s", damage.Reason)
	case errors.Is(err, errs.ErrVersion), errors.Is(err, fs.ErrPermission):
		c.found(ruleFile, segment, 0, "%v", err)
	case c.failed == nil:
		c.failed = err
	}
}

func (c *checkup) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// incomplete notes that something was not checked.
func (c *checkup) incomplete(format string, args ...any) {
	c.Complete = false
	c.note(format, args...)
}

// advance tells the caller how far the check is.
func (c *checkup) advance(bytes int64) error {
	c.checked += bytes
	if c.opts.Progress == nil {
		return nil
	}
	return c.opts.Progress(min(c.checked, c.total), c.total)
}

// step is advance for who has no use for the error.
func (c *checkup) step(bytes int64) {
	if err := c.advance(bytes); err != nil && c.failed == nil {
		c.failed = err
	}
}
