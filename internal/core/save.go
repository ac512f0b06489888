package core

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/ultradict/go/internal/clock"
	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/save"
	"github.com/ultradict/go/internal/savefile"
)

// SaveOptions says what is saved or restored, and how.
type SaveOptions struct {
	KeyKind  string                        // of the dictionary's keys
	Keys     []string                      // encoded keys; with Prefixes, only these
	Prefixes []string                      // of encoded keys; neither of the two: everything
	Mode     fs.FileMode                   // of the file
	Progress func(done, total int64) error // nil for none; its error ends the work
	CheckKey func(encoded []byte) error    // says what is wrong with a key of a file; nil: nothing is
}

// partial reports whether only some keys are meant.
func (o *SaveOptions) partial() bool { return len(o.Keys)+len(o.Prefixes) > 0 }

// wants reports whether a key is meant.
func (o *SaveOptions) wants(key string) bool {
	return !o.partial() || slices.Contains(o.Keys, key) ||
		slices.ContainsFunc(o.Prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

// Save writes a dictionary, as of one position, into a file. See the steps in
// docs/decisions/0018.
func (d *Dict) Save(ctx context.Context, dict uint64, path string, o SaveOptions) error {
	return d.wrap("save", d.save(ctx, dict, path, &o))
}

func (d *Dict) save(ctx context.Context, dict uint64, path string, o *SaveOptions) error {
	if d.closing.Load() {
		return errs.ErrClosed
	}
	draft, err := savefile.Create(path, o.Mode)
	if err != nil {
		return err
	}
	defer draft.Discard()
	if _, err := d.writeSave(draft, dict, o, d.saveable(ctx)); err != nil {
		return err
	}
	return draft.Publish()
}

// saveable returns a function that says why a save is not to go on.
func (d *Dict) saveable(ctx context.Context) func() error {
	return func() error {
		switch err := ctx.Err(); {
		case err != nil:
			return err
		case d.closing.Load():
			return errs.ErrClosed
		case d.str.Ended():
			return errs.ErrRemoved
		}
		return nil
	}
}

// apart returns another handle of the same instance, whose replica keeps values as they
// are encoded. A replica of the user's may have decoded what others have stored into
// its own type, and would not give the same bytes back.
func (d *Dict) apart() (*Dict, error) {
	dir, err := d.dir.Again()
	if err != nil {
		return nil, err
	}
	cfg := d.cfg
	cfg.Values, cfg.Saves = undecoded{}, nil
	return attachTo(dir, d.name, cfg)
}

// writeSave writes what a dictionary is now, and returns the position that this is of.
// goOn is asked now and then, and its error ends it.
func (d *Dict) writeSave(to io.Writer, dict uint64, o *SaveOptions, goOn func() error) (position uint64, err error) {
	if err := goOn(); err != nil {
		return 0, err
	}
	a, err := d.apart()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	saved := now()
	v, err := a.View()
	if err != nil {
		return 0, err
	}
	defer v.Close()
	w, err := save.NewWriter(to, save.Header{
		Codec: text(d.id.codec[:]), KeyKind: o.KeyKind, Instance: d.segment.Instance(),
		Revision: v.Position(), Saved: saved, Partial: o.partial(),
	})
	if err != nil {
		return 0, err
	}
	s := picture{View: v, w: w, o: o, goOn: goOn, wall: clock.Wall()}
	if err := s.run(dict); err != nil {
		return 0, err
	}
	return v.Position(), w.Close()
}

// picture is one save that is being written.
type picture struct {
	*View
	w     *save.Writer
	o     *SaveOptions
	goOn  func() error
	total int64
	done  int64
	at    int64    // offset of the writer when goOn was asked last
	wall  int64    // see clock.Wall
	below []uint64 // nested dictionaries whose entries are still to come, in the order of their numbers
}

// Between two looks at the context lie at most so many entries, and about so many bytes.
const (
	lookEntries = 512
	lookBytes   = 1 << 20
)

func (s *picture) run(dict uint64) error {
	if s.o.Progress != nil {
		n, err := s.Len(dict)
		if err != nil {
			return err
		}
		s.total = int64(n)
	}
	var err error
	if s.o.partial() && len(s.o.Prefixes) == 0 {
		err = s.some(dict)
	} else {
		err = s.all(dict, s.o.wants)
	}
	for err == nil {
		var more bool
		if more, err = s.w.Next(); err == nil && !more {
			break
		}
		if err == nil {
			next := s.below[0]
			s.below = s.below[1:]
			err = s.all(next, func(string) bool { return true })
		}
	}
	if err == nil {
		s.total = s.done
		err = s.look()
	}
	return err
}

// some saves the keys that were asked for.
func (s *picture) some(dict uint64) error {
	s.total = int64(len(s.o.Keys))
	for _, key := range s.o.Keys {
		ver, err := s.Version(replica.Key{Dict: dict, Str: key})
		if err == nil {
			err = s.entry(key, ver)
		}
		if err != nil && !errors.Is(err, errs.ErrNotFound) {
			return err
		}
	}
	return nil
}

func (s *picture) all(dict uint64, wants func(key string) bool) error {
	var failed error
	err := s.Each(dict, func(key string, ver *replica.Version) bool {
		if wants(key) {
			failed = s.entry(key, ver)
		}
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

func (s *picture) entry(key string, ver *replica.Version) error {
	e := save.Entry{Key: bytesOf(key)}
	if ver.IsNested() {
		id, err := s.d.nestedIn(ver, nil)
		if err != nil {
			return err
		}
		if e.KeyKind, err = s.Kind(id); err != nil {
			return err
		}
		s.below = append(s.below, id)
	} else {
		raw, err := s.Raw(ver)
		if err != nil {
			return err
		}
		e.Value = bytesOf(raw)
		if until := ver.Deadline(); until != 0 {
			e.Deadline = until + s.wall
		}
	}
	if err := s.w.Put(&e); err != nil {
		return err
	}
	s.done++
	if s.done%lookEntries == 0 || s.w.Offset()-s.at >= lookBytes {
		return s.look()
	}
	return nil
}

func (s *picture) look() error {
	s.at = s.w.Offset()
	if err := s.goOn(); err != nil {
		return err
	}
	if s.o.Progress != nil {
		return s.o.Progress(s.done, max(s.done, s.total))
	}
	return nil
}
