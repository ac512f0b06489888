package core

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/ultradict/go/internal/clock"
	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/stream"
)

// How what has expired is swept, see docs/decisions/0020-expiry.md.
const (
	sweepEvery     = 50 * time.Millisecond // how long what is due may wait for the sweeper, at most, and the sweeper for news
	sweepBytes     = 16 << 10              // of keys in one commit
	expiryPatience = 2 * time.Second       // without progress before a sweeper is robbed
)

// expire is the background work of the one who sweeps what has expired.
func (d *Dict) expire() (again bool) {
	if d.control.work.timed.Load() == 0 {
		return false
	}
	lease := &d.control.work.expiry
	if !lease.take(d.peer.ID(), d.peer.Dead, &d.expiryWatch, lease.progress.Load(), expiryPatience) {
		return false // the keeper asks again
	}
	defer lease.drop(d.peer.ID())
	s := &expirer{d: d, lease: lease, working: d.working(lease)}
	err := s.run()
	return err != nil && d.background("expiry", err) && !d.pause(sweepEvery)
}

// expirer is the one who sweeps.
type expirer struct {
	d       *Dict
	lease   *lease
	working func() error
	schedule
	reader *stream.Reader // stands where the schedule is complete
}

// run sweeps until nothing is left that may expire, or somebody else does it.
func (s *expirer) run() error {
	if err := s.look(); err != nil {
		return err
	}
	for {
		if err := s.working(); err != nil {
			return err
		}
		if s.lease.owner.Load() != s.d.peer.ID() {
			return nil // robbed
		}
		if err := s.follow(); err != nil {
			return err
		}
		if err := s.sweep(); err != nil {
			return err
		}
		next, some := s.next()
		if !some {
			done, err := s.done()
			if done || err != nil {
				return err
			}
		}
		wait := sweepEvery
		if some {
			wait = min(wait, max(0, time.Duration(next-clock.Now())))
		}
		if s.d.pause(wait) {
			return errClosing
		}
	}
}

// look makes the schedule from all there is.
func (s *expirer) look() error {
	v, err := s.d.View()
	if err != nil {
		return err
	}
	defer v.Close()
	s.schedule = *newSchedule()
	s.reader = s.d.str.Reader(v.position)
	dicts := []uint64{0}
	err = v.EachStored(Dictionaries, func(key string, _ *replica.Version) bool {
		if len(key) == nodeKeySize {
			if id := binary.LittleEndian.Uint64([]byte(key)); id != 0 {
				dicts = append(dicts, id)
			}
		}
		return true
	})
	var failed error
	n := 0
	for _, dict := range dicts {
		if err != nil || failed != nil {
			break
		}
		err = v.EachStored(dict, func(key string, ver *replica.Version) bool {
			if n++; n%512 == 0 {
				failed = s.working()
			}
			if deadline := ver.Deadline(); deadline != 0 {
				s.put(replica.Key{Dict: dict, Str: key}, ver.Revision, deadline)
			}
			return failed == nil
		})
	}
	return errors.Join(failed, err)
}

// follow brings the schedule up to date.
func (s *expirer) follow() error {
	for head := s.d.str.Head(); s.reader.Position() < head; {
		rec, ok, err := s.reader.Next(head)
		if err == nil && !ok {
			return nil
		}
		var ops []byte
		if err == nil {
			ops, _, err = s.d.operations(rec)
		}
		if errors.Is(err, stream.ErrLapped) || errors.Is(err, errBodyGone) {
			return s.look()
		}
		if err != nil {
			return err
		}
		for len(ops) > 0 {
			var op record.Op
			if ops, err = record.Next(ops, &op); err != nil {
				return s.d.malformed(rec, err)
			}
			k := replica.Key{Dict: op.Dict, Str: view(op.Key)}
			switch {
			case op.Kind == record.Clear: // what is due and gone is left out then
			case op.Deadline != 0:
				s.put(k, rec.End, op.Deadline)
			case len(s.keys) > 0:
				s.drop(k)
			}
		}
	}
	return nil
}

// sweep deletes what is due.
func (s *expirer) sweep() error {
	most := min(s.d.str.MaxPayload()/2, sweepBytes)
	for {
		all := s.take(clock.Now(), most)
		if len(all) == 0 {
			return nil
		}
		err := s.d.Update(context.Background(), func(t *Tx) error {
			for _, e := range all {
				if err := t.expire(e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			for _, e := range all {
				s.put(e.key, e.revision, e.deadline)
			}
			return err
		}
		if err := s.working(); err != nil {
			return err
		}
	}
}

// expire deletes an entry, if it is still the one that is due.
func (t *Tx) expire(e *due) error {
	v, err := t.Stored(e.key)
	if errors.Is(err, errs.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if v.Revision == e.revision && v.Deadline() == e.deadline {
		t.reads[e.key], t.dicts[e.key.Dict] = v.Revision, true
		t.Write(record.Op{Kind: record.Delete, Expired: true, Dict: e.key.Dict, Key: []byte(e.key.Str)})
	}
	return nil
}

// done takes the flag back that something may expire, unless something was committed
// that the schedule does not know: writers raise it with the lock held.
func (s *expirer) done() (bool, error) {
	d := s.d
	if err := d.lock.Lock(d.ending, d.cfg.LockTimeout); err != nil {
		return false, d.lockFailed(err)
	}
	known := d.str.Head() == s.reader.Position()
	if known {
		d.control.work.timed.Store(0)
	}
	d.lock.Unlock()
	return known, nil
}

// Deadline is when a time to live that begins now ends.
func Deadline(ttl time.Duration) (int64, error) {
	now := clock.Now()
	switch deadline := now + int64(ttl); {
	case ttl <= 0:
		return 0, errs.ErrInvalidOption
	case deadline < now:
		return 0, errs.ErrOverflow
	default:
		return deadline, nil
	}
}

// Left is how much of an entry's time is left: 0 if it does not expire, at least 1 ns
// otherwise.
func Left(v *replica.Version) time.Duration {
	deadline := v.Deadline()
	if deadline == 0 {
		return 0
	}
	return max(1, time.Duration(deadline-clock.Now()))
}
