package core

import (
	"context"
	"errors"
	"fmt"
	"structs"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
	"github.com/ultradict/go/internal/save"
	"github.com/ultradict/go/internal/savefile"
)

// Saves says where and how often a dictionary is saved by itself.
type Saves struct {
	Dir      string
	Every    time.Duration
	CheckKey func(encoded []byte) error // as in SaveOptions
}

// saving is what those agree about who save a dictionary by themselves.
type saving struct {
	_       structs.HostLayout
	lease   lease            // who saves, for as long as it lives
	saved   failpoint.Uint64 // the position of the newest save, 0 for none
	begun   failpoint.Int64  // when that was begun, Unix time in nanoseconds
	dirID   failpoint.Uint64 // an owner, and a hash of the directory that it saves to
	parting failpoint.Uint32 // the participant that saves for the last time
	saves   failpoint.Uint32 // how many were published
}

// origin says of which save an instance is the continuation.
type origin struct {
	instance [16]byte
	position uint64
}

// keptSaves is how many saves are kept: the newest, and one to go back to.
const keptSaves = 2

// saver is one handle's part in it.
type saver struct {
	folder   *savefile.Folder
	every    time.Duration
	tick     time.Duration
	patience time.Duration // how long an owner may make no progress before it is robbed
	seen     watch
	failed   time.Time // when a save of ours failed last
}

func (c *Config) saved() bool { return c.Saves != nil && !c.ReadOnly }

// beginSaving makes a handle one of those who save the dictionary. It closes the handle
// if it cannot.
func (d *Dict) beginSaving() (err error) {
	every := d.cfg.Saves.Every
	s := &saver{
		every:    every,
		tick:     min(max(every/4, 10*time.Millisecond), time.Second),
		patience: min(max(3*every, time.Second), 10*time.Second),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if s.folder, err = savefile.OpenFolder(d.cfg.Saves.Dir, d.name, d.cfg.Mode, true); err != nil {
		return err
	}
	w := &d.control.work.saving
	owner, dirID := w.lease.owner.Load(), w.dirID.Load()
	// An owner that has not come to say where it saves keeps nobody away.
	if owner != 0 && uint32(dirID>>32) == owner && dirID != s.dirID(owner) && !d.peer.Dead(owner) {
		err = fmt.Errorf("it is being saved in another directory than %s: %w", s.folder.Path(), errs.ErrInvalidOption)
	} else {
		_, err = d.newestSave(s.folder)
	}
	if err != nil {
		s.folder.Close()
		return err
	}
	d.saver = s
	d.busy.Add(1)
	go d.keepSaved()
	return nil
}

// dirID is what an owner says who saves to the same directory.
func (s *saver) dirID(owner uint32) uint64 {
	id := s.folder.Identity()
	return uint64(owner)<<32 | uint64(uint32(id>>32^id))
}

// newestSave returns the header of the newest save, nil if there is none. It is an error
// if what is in memory does not descend from it: saves would replace a history that was
// never restored.
func (d *Dict) newestSave(f *savefile.Folder) (*save.Header, error) {
	saves, err := f.Saves()
	if err != nil || len(saves) == 0 {
		return nil, err
	}
	h, err := header(f, saves[0])
	var damage *errs.SaveError
	switch {
	case errors.As(err, &damage):
		// It rots on the disk, and nobody wants it now. The next save takes its place.
		d.log.Warn("the newest save is damaged", "dictionary", d.name, "error", err)
		return nil, nil
	case err != nil:
		return nil, err
	case h.Instance != d.segment.Instance() && h.Instance != d.id.origin:
		return nil, fmt.Errorf("the save %s of %v is of another life of it, which was not restored and would be replaced: "+
			"remove the dictionary without WithPersistence to have the save restored, or move the saves away: %w",
			f.Where(saves[0]), time.Unix(0, h.Saved).UTC().Format(time.RFC3339), errs.ErrInvalidOption)
	}
	return h, nil
}

func header(f *savefile.Folder, s savefile.Saved) (*save.Header, error) {
	file, err := f.Open(s)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, err := save.NewReader(file, f.Where(s))
	if err != nil {
		return nil, err
	}
	h := r.Header()
	return &h, nil
}

// keepSaved is the background work of a handle that takes part in saving.
func (d *Dict) keepSaved() {
	defer d.busy.Done()
	s := d.saver
	for {
		select {
		case <-d.ending.Done():
			return
		case <-time.After(s.tick):
		}
		if d.str.Ended() {
			return
		}
		if !d.elected() || !d.saveDue() {
			continue
		}
		s.failed = time.Time{}
		if err := d.saveNow(d.saveable(d.ending)); err != nil {
			s.failed = time.Now()
			d.background("saving", err)
		}
	}
}

// elected reports whether this handle is the one that saves.
func (d *Dict) elected() bool {
	s, w := d.saver, &d.control.work.saving
	before := w.lease.owner.Load()
	if !w.lease.take(d.peer.ID(), d.peer.Dead, &s.seen, w.lease.progress.Load(), s.patience) {
		return false
	}
	w.lease.progress.Add(1)
	if before == d.peer.ID() {
		return true
	}
	// The newest save may be gone, or in the directory of somebody else's.
	w.dirID.Store(s.dirID(d.peer.ID()))
	h, err := d.newestSave(s.folder)
	saved := w.saved.Load()
	there := err == nil && h != nil && (h.Instance == d.segment.Instance() && h.Revision == saved ||
		h.Instance == d.id.origin && h.Revision == d.id.restored)
	if !there && saved != 0 {
		w.saved.Store(0)
	}
	return true
}

// savedUpTo is the position of the newest save. One above the head is damage, and is
// taken for none.
func (d *Dict) savedUpTo() uint64 {
	if saved := d.control.work.saving.saved.Load(); saved <= d.str.Head() {
		return saved
	}
	return 0
}

// unsaved reports whether anything was committed since the newest save.
func (d *Dict) unsaved() bool {
	saved := d.savedUpTo() // before the head, which only grows
	return d.str.Head() > max(saved, d.str.First())
}

func (d *Dict) saveDue() bool {
	s := d.saver
	if !d.unsaved() || !s.failed.IsZero() && time.Since(s.failed) < min(s.every, time.Minute) {
		return false
	}
	since := now() - d.control.work.saving.begun.Load()
	return since < 0 || since >= int64(s.every)
}

// saveNow saves, unless somebody else has done so meanwhile.
func (d *Dict) saveNow(goOn func() error) error {
	s, w := d.saver, &d.control.work.saving
	defer d.saveProgress()()
	draft, err := s.folder.Create()
	if err != nil {
		return err
	}
	defer draft.Discard()
	begun := now()
	position, err := d.writeSave(draft, 0, &SaveOptions{KeyKind: text(d.id.keyKind[:])}, goOn)
	if err == nil {
		err = draft.Sync()
	}
	if err != nil {
		return err
	}
	release, err := s.folder.Lock(context.Background(), d.cfg.LockTimeout)
	if err != nil {
		return err
	}
	defer release()
	switch {
	case d.str.Ended(): // whoever removes the saves as well does so under this lock
		return errors.Join(errs.ErrRemoved, s.folder.Forget())
	case w.lease.owner.Load() != d.peer.ID(), position <= d.savedUpTo():
		return nil // robbed, since it took so long
	}
	if _, err := d.newestSave(s.folder); err != nil {
		return err
	}
	if err := s.folder.Publish(draft); err != nil {
		return err
	}
	w.saved.Store(position)
	w.begun.Store(begun)
	w.saves.Add(1)
	if err := s.folder.Prune(keptSaves); err != nil {
		d.log.Warn("an old save was not removed", "dictionary", d.name, "error", err)
	}
	return nil
}

// saveProgress lets others see that this process is at work, however long the disk takes
// for anything. It returns what ends that.
func (d *Dict) saveProgress() (stop func()) {
	w := &d.control.work.saving
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for more := true; more; more = wait(ctx, d.saver.tick) {
			w.lease.progress.Add(1)
		}
	}()
	return func() { cancel(); <-done }
}

// lastSave is for a handle that is being closed. If it is the one that saves, it does so
// once more, if anything was committed; if nobody is, it is the one.
//
// What this handle wrote may be nobody's who lives to save: a handle that saves for the
// last time says so before it looks what there is. Whoever closes a handle and does not
// see that leaves what it has written to that other one; whoever sees it waits for the
// lease.
func (d *Dict) lastSave() error {
	s := d.saver
	if s == nil {
		return nil
	}
	defer s.folder.Close()
	w := &d.control.work.saving
	for !d.elected() {
		if d.str.Ended() || !d.unsaved() || w.parting.Load() != w.lease.owner.Load() {
			return nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	defer w.lease.drop(d.peer.ID())
	w.parting.Store(d.peer.ID())
	if d.str.Ended() || !d.unsaved() {
		return nil
	}
	err := d.saveNow(func() error {
		if d.str.Ended() {
			return errs.ErrRemoved
		}
		return nil
	})
	if err == nil || d.str.Ended() {
		return nil
	}
	return fmt.Errorf("save %q for the last time: %w", d.name, err)
}
