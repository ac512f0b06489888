package core

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ultradict/go/internal/clock"
	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/savefile"
	"github.com/ultradict/go/internal/shm"
)

// revived is an instance that was made from a save and that nobody sees yet, or that
// there is no need of one.
type revived struct {
	root   *shm.Root
	name   string
	cfg    Config
	dir    *shm.Dir // nil for none
	folder *savefile.Folder
	unlock func()
}

// revive restores the newest whole save of a name that is not in memory. The result's
// done is to be called in any case, publish with the root's lock held.
//
//	lock of the saves ─ not in memory? ─ verify ─┬─ root's lock: make, hold ─┬─ fill ─┬─ root's lock: publish
//	                                             └─ damaged: the one before  └────────┘ others open and create
//
// Whoever else wants the same save waits for the lock of the saves; nobody else waits
// longer than for making a dictionary that is empty.
func revive(root *shm.Root, name string, cfg Config) (r *revived, err error) {
	r = &revived{root: root, name: name, cfg: cfg}
	if !cfg.saved() {
		return r, nil
	}
	mine := r
	defer func() {
		if err != nil {
			mine.done()
		}
	}()
	if r.folder, err = savefile.OpenFolder(cfg.Saves.Dir, name, cfg.Mode, true); err != nil {
		return nil, err
	}
	saves, err := r.folder.Saves()
	if err != nil || len(saves) == 0 {
		return r, err
	}
	// How long the one who has the lock may take to restore depends on how much there is.
	patience := cfg.LockTimeout
	for _, s := range saves {
		patience += time.Duration(s.Size>>20) * restoreMiB
	}
	if r.unlock, err = r.folder.Lock(context.Background(), patience); err != nil {
		return nil, err
	}
	d, err := attach(root, name, cfg)
	if err == nil {
		return r, d.Close() // somebody was faster
	}
	if !gone(err) {
		return nil, err
	}
	if saves, err = r.folder.Saves(); err != nil || len(saves) == 0 {
		return r, err
	}
	if cfg.Access == Create {
		return nil, fmt.Errorf("it is saved as %s: %w", r.folder.Where(saves[0]), errs.ErrExists)
	}
	return r, r.newest(saves)
}

// restoreMiB is how long a process may take to restore a MiB while others wait for it.
const restoreMiB = 100 * time.Millisecond

// newest makes an instance from the newest save that is whole.
func (r *revived) newest(saves []savefile.Saved) error {
	var damage *errs.SaveError
	for i, s := range saves {
		src := &source{
			path: r.folder.Where(s), open: func() (*os.File, error) { return r.folder.Open(s) },
			codec: r.cfg.Codec, wall: clock.Wall(), goOn: func() error { return nil },
			o: &SaveOptions{KeyKind: r.cfg.KeyKind, CheckKey: r.cfg.Saves.CheckKey},
		}
		err := src.verify()
		if errors.As(err, &damage) {
			r.cfg.Logger.Warn("a save is damaged, the one before is tried", "dictionary", r.name, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		for _, bad := range saves[:i] {
			if err := r.folder.SetAside(bad); err != nil {
				return err
			}
		}
		if err := r.make(src); err != nil {
			return fmt.Errorf("restore %s: %w", src.path, err)
		}
		r.cfg.Logger.Info("restored", "dictionary", r.name, "save", src.path, "entries", src.entries,
			"saved", time.Unix(0, src.header.Saved).UTC())
		return nil
	}
	return fmt.Errorf("none of its %d saves in %s is whole: put a copy of one there, or move them away to begin with nothing: %w",
		len(saves), r.folder.Path(), damage)
}

// make makes the instance and fills it.
func (r *revived) make(src *source) (err error) {
	unlock, err := r.root.Lock(context.Background(), r.cfg.LockTimeout)
	if err != nil {
		return err
	}
	r.dir, err = prepare(r.root, r.name, r.cfg, origin{src.header.Instance, src.header.Revision})
	if err == nil {
		err = r.dir.Hold()
	}
	_ = unlock() // closing its descriptor is what counts
	if err != nil {
		return err
	}
	dir, err := r.dir.Again()
	if err != nil {
		return err
	}
	cfg := r.cfg
	cfg.Values = undecoded{}
	d, err := attachTo(dir, r.name, cfg)
	if err != nil {
		return err
	}
	return errors.Join(d.settleSave(src), d.Close())
}

// publish lets everybody see it. The caller holds the root's lock.
func (r *revived) publish() error {
	err := r.root.Publish(r.dir, r.name)
	if err == nil {
		_ = r.dir.Close()
		r.dir = nil
	}
	return err
}

// done gives back what is held, and removes an instance that was not published.
func (r *revived) done() {
	if r.dir != nil {
		_ = r.dir.Close()
		if unlock, err := r.root.Lock(context.Background(), r.cfg.LockTimeout); err == nil {
			if err := r.root.Sweep(); err != nil {
				r.cfg.Logger.Warn("leftovers not removed", "directory", r.root.Path(), "error", err)
			}
			_ = unlock()
		} // the next creation or removal does it
	}
	if r.unlock != nil {
		r.unlock()
	}
	if r.folder != nil {
		r.folder.Close()
	}
}

// removeSaved removes a dictionary together with its saves: those first, so that who is
// interrupted has removed nothing that an Open would bring back.
func removeSaved(name string, cfg Config) error {
	folder, err := savefile.OpenFolder(cfg.Saves.Dir, name, cfg.Mode, false)
	if errors.Is(err, errs.ErrNotExist) {
		return removeInstance(name, cfg, func() error { return nil })
	}
	if err != nil {
		return err
	}
	defer folder.Close()
	release, err := folder.Lock(context.Background(), cfg.LockTimeout)
	if err != nil {
		return err
	}
	defer release()
	found, tried := false, false
	first := func() (err error) {
		tried = true
		found, err = folder.Remove()
		return err
	}
	err = removeInstance(name, cfg, first)
	if errors.Is(err, errs.ErrNotExist) && !tried { // not even the directory of dictionaries
		if e := first(); e != nil {
			return e
		}
	}
	if found && errors.Is(err, errs.ErrNotExist) {
		err = nil
	}
	if err == nil || errors.Is(err, errs.ErrNotExist) {
		err = errors.Join(err, folder.Forget()) // not before the end of the instance: a saver waits for this lock
	}
	return err
}
