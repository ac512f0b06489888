package ultradict

import (
	"fmt"
	"strings"
	"time"

	"github.com/ultradict/go/internal/core"
)

// Report is what [Check] found. Positions are byte offsets into the stream.
type Report struct {
	Name     string    // as given to Check
	Instance string    // random, of this life of the name
	Created  time.Time // when the instance was
	ThisBoot bool      // whether the machine has not been started anew since

	Participants []Participant // handles that were open, of all processes; read-only ones are not known

	Head   uint64 // end of the last record
	Tail   uint64 // records in [Tail, Head) can be read from the stream
	Floor  uint64 // what lies below may be overwritten
	Folded uint64 // end of the newest layer: what lies below stands in layers

	Files   int    // in the dictionary's directory
	Bytes   int64  // of them together
	Records uint64 // verified, in the stream
	Layers  int    // verified
	Entries uint64 // verified, in the layers, deleted and overwritten ones included
	Live    uint64 // entries as of the newest layer, counted
	Bodies  int    // files of large records that were verified; one that two layers refer to counts twice

	Problems []Problem // what must not be; none in a sound dictionary
	Orphans  []File    // what nothing refers to; no damage
	Removed  []File    // orphans that are gone after WithRepair
	Notes    []string  // what is worth knowing and no problem
	Complete bool      // whether all could be checked; the Notes say what could not
}

// Problem is one thing that must not be. It is an error that matches
// [ErrCorrupt], and *[CorruptError] by errors.As.
type Problem struct {
	// Rule is what it breaks: an invariant of docs/ARCHITECTURE.md, "I1" (the
	// stream is whole), "I2" (layers and stream give everything) or "I5" (the
	// list of layers is whole and true); or "file", "identity", "lock",
	// "participants", "layer" or "body", for what belongs to one of these alone.
	Rule    string
	Segment string // file name within the dictionary's directory, or the chunk of the stream
	Offset  int64  // in bytes, in the segment; 0 where it means nothing
	Text    string // what was found
}

// Error says what was found, and where.
func (p Problem) Error() string {
	return fmt.Sprintf("ultradict: %s: %s, offset %d: %s", p.Rule, p.Segment, p.Offset, p.Text)
}

// Unwrap returns the problem as a *[CorruptError].
func (p Problem) Unwrap() error {
	return &CorruptError{Segment: p.Segment, Offset: p.Offset, Reason: p.Text}
}

// File is something that nothing refers to: what a process left when it died,
// or what a living one is about to use or to remove.
type File struct {
	Name   string // in the dictionary's directory; one with a dot in front may be a directory beside it
	Bytes  int64  // of shared memory
	Why    string // what it is, and why it is there
	Living bool   // whether it is somebody's who still takes part, who will see to it
}

// OK reports whether everything could be checked and nothing was wrong.
func (r Report) OK() bool { return r.Complete && len(r.Problems) == 0 }

// String is a summary in a few lines: what was checked, and each problem,
// orphan and note on a line of its own.
func (r Report) String() string {
	var b strings.Builder
	verdict := "sound"
	switch {
	case len(r.Problems) > 0:
		verdict = fmt.Sprintf("damaged, %d problems", len(r.Problems))
	case !r.Complete:
		verdict = "no problems, not all was checked"
	}
	fmt.Fprintf(&b, "%s: %s\n", r.Name, verdict)
	fmt.Fprintf(&b, "  %d files of %d bytes, %d records, %d layers of %d entries, %d bodies, %d participants\n",
		r.Files, r.Bytes, r.Records, r.Layers, r.Entries, r.Bodies, len(r.Participants))
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "  problem: %s: %s, offset %d: %s\n", p.Rule, p.Segment, p.Offset, p.Text)
	}
	for _, f := range r.Orphans {
		fmt.Fprintf(&b, "  orphan: %s, %d bytes: %s\n", f.Name, f.Bytes, f.Why)
	}
	for _, f := range r.Removed {
		fmt.Fprintf(&b, "  removed: %s, %d bytes\n", f.Name, f.Bytes)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "  note: %s\n", n)
	}
	return b.String()
}

// Check verifies a dictionary: every file, every word of the control segment
// that another depends on, every record in the stream, every byte of the layers,
// every large value, and that they belong together. It may be in use meanwhile,
// and processes may have died in the middle of anything: neither is a problem.
//
// Without [WithRepair] it maps everything for reading only and changes nothing.
// With it, a sound dictionary is then tidied, as its processes would do in time:
// locks are taken over from the dead, a removal that was begun is finished, and
// what dead processes left behind is removed, dictionaries that were being made or
// removed included; then it is checked again. What the living may need stays, and a
// damaged dictionary stays as it is.
//
// It reads everything once or twice, and needs little memory besides. Of each
// layer the first problem is reported. Of the options, [WithDir], [WithMode],
// [WithLockTimeout], [WithProgress] and [WithRepair] count.
//
// Damage is in the report. An error means that the check could not be made:
// [ErrInvalidName], [ErrInvalidOption], [ErrNotExist], [ErrRemoved] while it was
// being checked, [ErrVersion]; fs.ErrPermission if the directory is not safe to
// use; with WithRepair also *[LockError] and [ErrNoSpace]; those of the system.
func Check(name string, opts ...Option) (Report, error) {
	o, err := gather(opts)
	if err != nil {
		return Report{}, fmt.Errorf("check %q: %w", name, err)
	}
	c, err := core.Check(name, o.Config, o.check)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		Name: c.Name, Instance: c.Instance, Created: c.Created, ThisBoot: c.ThisBoot,
		Head: c.Head, Tail: c.Tail, Floor: c.Floor, Folded: c.Folded,
		Files: c.Files, Bytes: c.Bytes, Records: c.Records, Layers: c.Layers,
		Entries: c.Entries, Live: c.Live, Bodies: c.Bodies,
		Notes: c.Notes, Complete: c.Complete,
	}
	for _, p := range c.Participants {
		r.Participants = append(r.Participants, participant(p, c.Head))
	}
	for _, p := range c.Problems {
		r.Problems = append(r.Problems, Problem(p))
	}
	for _, f := range c.Orphans {
		r.Orphans = append(r.Orphans, File(f))
	}
	for _, f := range c.Removed {
		r.Removed = append(r.Removed, File(f))
	}
	return r, nil
}
