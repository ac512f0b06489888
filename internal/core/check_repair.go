package core

import (
	"context"
	"errors"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/stream"
)

// repair finishes what the dead left half done and removes what nothing refers
// to, as the background work of any handle would in time, and checks again. It
// does so by the same rules: what the living may need stays. A dictionary that is
// damaged is left as it is, since what hides a reference may be the damage.
func repair(root *shm.Root, name string, cfg Config, opts CheckOptions, before *checkup) (CheckReport, error) {
	r := repairer{root: root, name: name, cfg: cfg}
	r.rootLocked(before)
	switch {
	case before.ended:
		before.Orphans, before.Removed = r.vanished(before, nil)
		before.Notes = append(before.Notes, r.notes...)
		return before.CheckReport, nil
	case len(before.Problems) > 0:
		r.note("it is damaged, so nothing in it was removed")
	default:
		if err := r.work(before); err != nil && !errors.Is(err, errs.ErrRemoved) {
			return CheckReport{}, err
		}
	}
	after, err := checkOnce(root, name, cfg, opts)
	if err != nil {
		return CheckReport{}, err
	}
	_, after.Removed = r.vanished(before, after)
	after.Notes = append(r.notes, after.Notes...)
	return after.CheckReport, nil
}

type repairer struct {
	root  *shm.Root
	name  string
	cfg   Config
	notes []string
}

func (r *repairer) note(text string) { r.notes = append(r.notes, text) }

// rootLocked does what is done under the root's lock: dotted directories go, and
// a removal that was begun is finished.
func (r *repairer) rootLocked(before *checkup) {
	unlock, err := r.root.Lock(context.Background(), r.cfg.LockTimeout)
	if err != nil {
		r.note("leftovers in the directory were not removed: " + err.Error())
		return
	}
	defer func() { _ = unlock() }() // closing its descriptor is what counts
	if err := r.root.Sweep(); err != nil {
		r.note("leftovers in the directory were not removed: " + err.Error())
	}
	if !before.ended {
		return
	}
	// It may have been removed, and made anew, since it was looked at.
	now, err := checkOnce(r.root, r.name, r.cfg, CheckOptions{})
	if err != nil || !now.ended {
		return
	}
	if err := finishRemoval(r.root, r.name); err != nil {
		r.note("the removal was not finished: " + err.Error())
		return
	}
	r.note("its removal was finished")
}

// work takes part in the dictionary for as long as it takes.
func (r *repairer) work(before *checkup) (err error) {
	cfg := r.cfg
	cfg.ReadOnly, cfg.Access, cfg.Values = false, Attach, undecoded{}
	cfg.KeyKind, cfg.Codec = text(before.d.id.keyKind[:]), text(before.d.id.codec[:])
	d, err := attach(r.root, r.name, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.inherit(); err != nil {
		return err
	}
	for range 100 {
		if !d.fold() {
			break
		}
	}
	for range 100 {
		if !d.merge() {
			break
		}
	}
	if err := d.dir.RemoveDrafts(d.peer.Dead); err != nil {
		return err
	}
	for range 50 {
		done, err := d.sweep()
		if err != nil && !errors.Is(err, stream.ErrLapped) {
			return err
		}
		if done {
			return nil
		}
		time.Sleep(grace / 10) // layers stay linked for a while after they were met
	}
	return nil
}

// inherit takes over what dead owners hold, and tells the stream of a layer
// whose publisher did not come to it.
func (d *Dict) inherit() error {
	b, err := d.openBase()
	if err != nil {
		return err
	}
	if err := d.publish(func() error { d.str.Release(b.position); return nil }); err != nil {
		return err
	}
	if owner := d.control.retry.Owner(); d.peer.Dead(owner) {
		if err := d.retry.Lock(context.Background(), d.cfg.LockTimeout); err != nil {
			return d.lockFailed(err)
		}
		d.retry.Unlock()
	}
	for _, l := range []*lease{&d.control.work.fold, &d.control.work.merge, &d.control.work.expiry, &d.control.work.saving.lease} {
		if owner := l.owner.Load(); d.peer.Dead(owner) {
			l.drop(owner)
		}
	}
	return nil
}

// vanished parts what nothing referred to before into what is still there and
// what is gone. Without a later look everything is looked for again.
func (r *repairer) vanished(before, after *checkup) (left, removed []Stray) {
	there := map[string]bool{}
	if after != nil {
		for _, e := range after.entries {
			there[e.File] = true
		}
	}
	if all, err := r.root.Leftovers(); err == nil {
		for _, l := range all {
			there[l.Name] = true
		}
	}
	if before.ended {
		dir, err := r.root.Open(r.name)
		if err == nil {
			_ = dir.Close()
			there[r.name] = true
		}
	}
	for _, s := range before.Orphans {
		if there[s.Name] {
			left = append(left, s)
		} else {
			removed = append(removed, s)
		}
	}
	return left, removed
}
