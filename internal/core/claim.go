package core

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
)

// The dictionaries that belong to the library itself; part of the format. No handle
// has their numbers.
const (
	Computations uint64 = 2 // claims of those who compute the value of a key
	Locks        uint64 = 3 // claims of those who hold a lock with a name
)

// Claim is something that one participant has at a time until it gives it back or
// dies: an entry whose value says who has it.
type Claim struct {
	d         *Dict
	key       replica.Key
	revision  uint64
	abandoned int
}

// claimant is the value of a claim, encoded like a byte string: part of the format.
//
//	0  1  0x48: eight bytes follow
//	1  4  participant id
//	5  4  process id, as that process sees it
type claimant struct{ id, pid uint32 }

const claimHead = 0x48

func (c claimant) encode() []byte {
	b := binary.LittleEndian.AppendUint32([]byte{claimHead}, c.id)
	return binary.LittleEndian.AppendUint32(b, c.pid)
}

func parseClaimant(raw string) (claimant, bool) {
	if len(raw) != 9 || raw[0] != claimHead {
		return claimant{}, false
	}
	b := []byte(raw[1:])
	c := claimant{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])}
	return c, c.id != 0
}

// askAgain is how often somebody who waits for a claim asks whether its holder lives:
// a death rings for nobody.
const askAgain = 20 * time.Millisecond

// Doubt is what somebody who waits for a claim knows of its holder. Its zero value is
// ready.
type Doubt struct {
	revision uint64
	asked    time.Time
}

// TryClaim takes a claim that nobody holds, or only somebody who has died. Otherwise
// it returns nil, and the process that holds it. In a loop it asks whether that lives
// no more often than it must, as doubt says.
func (d *Dict) TryClaim(k replica.Key, doubt *Doubt) (c *Claim, holder int, err error) {
	buf := GetBuffer()
	defer buf.Release()
	self := claimant{d.peer.ID(), uint32(os.Getpid())}
	abandoned := 0
	revision, err := d.Modify(buf, k, func(v *replica.Version) (Change, error) {
		holder, abandoned = 0, 0
		if v != nil {
			raw, err := d.Raw(v)
			if err != nil {
				return Change{}, err
			}
			now, ok := parseClaimant(raw)
			switch {
			case !ok: // it names nobody who could give it back
			case doubt.revision == v.Revision && time.Since(doubt.asked) < askAgain:
				holder = int(now.pid)
				return Change{}, nil
			case d.peer.Dead(now.id), d.peer.Dying(now.id):
				abandoned = int(now.pid)
			default:
				*doubt = Doubt{v.Revision, time.Now()}
				holder = int(now.pid)
				return Change{}, nil
			}
		}
		raw := self.encode()
		return Change{Kind: record.Put, Value: raw, Kept: replica.Encoded(0, view(raw))}, nil
	})
	if err != nil || holder != 0 {
		return nil, holder, err
	}
	return &Claim{d: d, key: k, revision: revision, abandoned: abandoned}, 0, nil
}

// Revision is that of the commit by which the claim was taken. Of two claims of one
// key, the later has the higher.
func (c *Claim) Revision() uint64 { return c.revision }

// Abandoned is the process that held the claim before and died with it, 0 for none.
func (c *Claim) Abandoned() int { return c.abandoned }

// Release gives the claim back. It returns [errs.ErrNotHeld] if it was given back
// before.
func (c *Claim) Release() error {
	buf := GetBuffer()
	defer buf.Release()
	_, err := c.d.Modify(buf, c.key, func(v *replica.Version) (Change, error) {
		if v == nil || v.Revision != c.revision {
			return Change{}, c.d.wrap("give back a claim of", errs.ErrNotHeld)
		}
		return Change{Kind: record.Delete}, nil
	})
	return err
}

// Abandon gives the claim back, if need be later: somebody may be stopped who has the
// writers' lock, and others would wait for the claim until the handle is closed.
func (c *Claim) Abandon() {
	d := c.d
	if c.released() {
		return
	}
	d.startMu.Lock()
	defer d.startMu.Unlock()
	if d.closing.Load() {
		return // then nobody waits for it
	}
	d.busy.Add(1)
	go func() {
		defer d.busy.Done()
		for !d.pause(askAgain) && !c.released() {
		}
	}()
}

// released gives the claim back, and reports whether nothing is left to be done.
func (c *Claim) released() bool {
	err := c.Release()
	return err == nil || errors.Is(err, errs.ErrNotHeld) || errors.Is(err, errs.ErrClosed) || errors.Is(err, errs.ErrRemoved)
}

// ReleaseWith gives the claim back as part of a transaction.
func (c *Claim) ReleaseWith(t *Tx) error {
	v, err := t.Read(c.key)
	if errors.Is(err, errs.ErrNotFound) || err == nil && v.Revision != c.revision {
		err = c.d.wrap("give back a claim of", errs.ErrNotHeld)
	}
	if err != nil {
		return err
	}
	t.Write(record.Op{Kind: record.Delete, Dict: c.key.Dict, Key: []byte(c.key.Str)})
	return nil
}

// AwaitClaim is Await for somebody who wants a claim that another holds: it also
// returns when that may have died.
func (d *Dict) AwaitClaim(ctx context.Context, position uint64) error {
	return d.AwaitFor(ctx, position, askAgain)
}
