package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
	"github.com/ultradict/go/internal/peers"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/locks"
	"github.com/ultradict/go/stream"
)

// Access says what Open may do.
type Access uint8

// What Open may do.
const (
	OpenOrCreate Access = iota
	Create              // fails where the dictionary exists
	Attach              // fails where it does not
)

// Config is what a handle is opened with. Zero fields are the defaults, except
// that KeyKind, Codec, Values and Logger are required by Open.
type Config struct {
	Dir         string // root directory; "" is the default one
	Mode        fs.FileMode
	StreamSize  int   // bytes; binds the creator only
	MaxBytes    int64 // bytes of shared memory of the dictionary; binds the creator only
	LockTimeout time.Duration
	Access      Access
	ReadOnly    bool
	Recurse     bool // maps that are stored become dictionaries
	Logger      *slog.Logger
	KeyKind     string
	Codec       string
	Values      Values
	Saves       *Saves // nil: it is not saved by itself
}

// Default values.
const (
	DefaultStreamSize  = 1 << 20
	DefaultLockTimeout = 5 * time.Second
)

func (c *Config) fill() {
	if c.StreamSize == 0 {
		c.StreamSize = DefaultStreamSize
	}
	if c.LockTimeout == 0 {
		c.LockTimeout = DefaultLockTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func (c *Config) root(create bool) (*shm.Root, error) {
	path := c.Dir
	if path == "" {
		path = shm.DefaultRoot()
	}
	return shm.OpenRoot(path, shm.RootOptions{Create: create, Mode: c.Mode, Explicit: c.Dir != ""})
}

// Open opens a dictionary by name, and creates it where cfg says so.
func Open(name string, cfg Config) (*Dict, error) {
	cfg.fill()
	d, err := open(name, cfg)
	if err == nil && cfg.saved() {
		err = d.beginSaving()
	}
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	keeperOf.add(d)
	return d, nil
}

func open(name string, cfg Config) (*Dict, error) {
	if err := shm.CheckName(name); err != nil {
		return nil, err
	}
	root, err := cfg.root(cfg.Access != Attach)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if cfg.Access != Create {
		// Attaching needs no lock: an instance is born whole.
		d, err := attach(root, name, cfg)
		if !gone(err) {
			return d, err
		}
	}
	if cfg.Access == Attach && cfg.ReadOnly {
		return nil, errs.ErrNotExist
	}
	r, err := revive(root, name, cfg)
	if err != nil {
		return nil, err
	}
	defer r.done()
	unlock, err := root.Lock(context.Background(), cfg.LockTimeout)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unlock() }() // closing its descriptor is what counts
	// Somebody else may have been faster, or left a removal half done.
	d, err := attach(root, name, cfg)
	switch {
	case cfg.Access == Create && !gone(err):
		if err == nil {
			err = d.Close()
		}
		return nil, errors.Join(errs.ErrExists, err)
	case errors.Is(err, errs.ErrRemoved):
		if err := finishRemoval(root, name); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return d, err
	}
	if cfg.Access == Attach && r.dir == nil {
		return nil, errs.ErrNotExist
	}
	if err := root.Sweep(); err != nil {
		cfg.Logger.Warn("leftovers not removed", "directory", root.Path(), "error", err)
	}
	if r.dir != nil {
		err = r.publish()
	} else {
		err = create(root, name, cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	return attach(root, name, cfg)
}

// gone reports whether err says that there is no instance to attach to.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errs.ErrRemoved) }

// create makes an instance and publishes it by one rename. The caller holds the
// root's lock.
func create(root *shm.Root, name string, cfg Config) error {
	dir, err := prepare(root, name, cfg, origin{})
	if err != nil {
		return err
	}
	if err = root.Publish(dir, name); err != nil {
		err = errors.Join(err, root.Sweep())
	}
	if e := dir.Close(); err == nil {
		err = e
	}
	return err
}

// prepare makes an instance that nobody sees yet. The caller holds the root's lock.
func prepare(root *shm.Root, name string, cfg Config, from origin) (*shm.Dir, error) {
	id := shm.NewID()
	dir, err := root.Make(name, id)
	if err != nil {
		return nil, err
	}
	if err := furnish(dir, id, cfg, from); err != nil {
		_ = dir.Close()
		return nil, errors.Join(err, root.Sweep())
	}
	return dir, nil
}

// furnish makes the files that every instance has.
func furnish(dir *shm.Dir, id shm.ID, cfg Config, from origin) error {
	dir.MaxBytes = cfg.MaxBytes
	chunk, chunks, limit := geometry(cfg.StreamSize)

	draft, err := dir.Create(shm.Stream, firstRing.Creator, firstRing.Seq, streamsOffset+int64(chunk)*int64(chunks), id)
	if err != nil {
		return err
	}
	ring, err := draft.Publish()
	if err != nil {
		return err
	}
	if err := ring.Close(); err != nil {
		return err
	}

	draft, err = dir.Create(shm.Control, 0, 0, controlSize, id)
	if err != nil {
		return err
	}
	mem := draft.Bytes()
	c, ok := shm.At[control](mem, 0)
	if !ok {
		return fmt.Errorf("control segment of %d bytes: %w", len(mem), errs.ErrCorrupt)
	}
	failpoint.Step("fill identity")
	ident := &c.identity
	ident.chunk, ident.chunks, ident.limit = chunk, chunks, limit
	ident.created, ident.maxBytes, ident.mode = now(), cfg.MaxBytes, uint32(cfg.Mode)
	if ident.boot, err = shm.BootID(); err != nil {
		return err
	}
	if cfg.Recurse {
		ident.recurse = 1
	}
	copy(ident.codec[:], cfg.Codec)
	copy(ident.keyKind[:], cfg.KeyKind)
	ident.origin, ident.restored = from.instance, from.position
	seal(mem)
	failpoint.Step("fill identity")
	str, err := stream.New(&c.stream, nil, stream.Config{Chunk: int(chunk), Chunks: int(chunks), Limit: int(limit), Segments: ringMemory{}})
	if err != nil {
		return err
	}
	segments := make([]uint64, chunks)
	for i := range segments {
		segments[i] = firstChunk(i)
	}
	str.Init(segments)
	seg, err := draft.Publish()
	if err != nil {
		return err
	}
	if err := seg.Close(); err != nil {
		return err
	}
	return nil
}

// firstRing is the file that the first chunks share. There is no participant
// yet who could be its creator, and nobody ever takes it for a leftover: the
// ring never gives these chunks up.
var firstRing = shm.Name{Kind: shm.Stream, Creator: 0, Seq: 1}

// attach opens an instance that exists.
func attach(root *shm.Root, name string, cfg Config) (*Dict, error) {
	dir, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	return attachTo(dir, name, cfg)
}

// attachTo is attach to the instance in a directory, which it closes if it fails.
func attachTo(dir *shm.Dir, name string, cfg Config) (d *Dict, err error) {
	d = &Dict{cfg: cfg, name: name, log: cfg.Logger, dir: dir, values: cfg.Values, pending: map[shm.Name]bool{},
		superseded: map[shm.Name]time.Time{}, folding: newTurn(), reclaiming: newTurn()}
	d.ending, d.end = context.WithCancel(context.Background())
	d.folder.work, d.merger.work, d.tidier.work, d.shrinker.work = d.fold, d.merge, d.tidy, d.shrink
	d.expirer.work = d.expire
	defer func() {
		if err != nil {
			if d.str != nil && d.str.Ended() {
				err = errs.ErrRemoved
			}
			d.abandon()
			d = nil
		}
	}()
	if d.segment, err = dir.Open(shm.Name{Kind: shm.Control}, shm.ID{}, !cfg.ReadOnly, true); err != nil {
		return d, err
	}
	mem := d.segment.Bytes()
	var ok bool
	if d.control, ok = shm.At[control](mem, 0); !ok || int64(len(mem)) < controlSize {
		return d, &errs.CorruptError{Segment: "control", Offset: int64(len(mem)), Reason: fmt.Sprintf("file ends before %d bytes", controlSize)}
	}
	if d.id, err = identify(mem); err != nil {
		return d, err
	}
	if err := d.agree(cfg); err != nil {
		return d, err
	}
	d.created = time.Unix(0, d.id.created)
	dir.MaxBytes = d.id.maxBytes
	if err := selfTest(d.segment); err != nil {
		return d, err
	}
	if cfg.ReadOnly {
		d.peer, err = peers.JoinReadOnly(d.segment.File(), &d.control.peers)
	} else {
		d.peer, err = peers.Join(d.segment.File(), &d.control.peers)
	}
	if err != nil {
		return d, fmt.Errorf("join: %w", err)
	}
	d.str, err = stream.New(&d.control.stream, d.segment, stream.Config{
		Chunk: int(d.id.chunk), Chunks: int(d.id.chunks), Limit: int(d.id.limit), Segments: ringMemory{d},
	})
	if err != nil {
		return d, err
	}
	if d.str.Ended() {
		return d, errs.ErrRemoved
	}
	if !cfg.ReadOnly {
		d.lock = locks.New(&d.control.lock, d.peer, locks.Options{OnTakeover: d.str.Ring, Pinned: true})
		d.retry = locks.New(&d.control.retry, d.peer, locks.Options{})
	}
	d.head, d.written = d.str.HeadWord(), d.str.WrittenWord()
	if written := d.written.Load(); d.str.Head() < written {
		return d, errWentBack
	}
	d.swept.Store(math.MaxUint64) // no list's: a newcomer looks for what the dead have left
	d.due = uint64(min(d.str.Capacity()/2, rolloverAt))
	d.bite = max(2*d.due, smallBite)
	b, err := d.openBase()
	if err != nil {
		return d, err
	}
	d.rep = replica.New(b)
	d.rep.Views.Changed = d.pin
	d.reader = d.str.Reader(b.position)
	return d, nil
}

// agree checks that what the caller expects is what the dictionary is.
func (d *Dict) agree(cfg Config) error {
	if codec := text(d.id.codec[:]); codec != cfg.Codec {
		return fmt.Errorf("its values are encoded as %q, this handle would use %q: %w", codec, cfg.Codec, errs.ErrInvalidOption)
	}
	if kind := text(d.id.keyKind[:]); kind != cfg.KeyKind {
		return fmt.Errorf("its keys are of kind %q, this handle's of kind %q: %w", kind, cfg.KeyKind, errs.ErrInvalidOption)
	}
	if cfg.Recurse && d.id.recurse == 0 {
		return fmt.Errorf("it was created without WithRecurse: %w", errs.ErrInvalidOption)
	}
	return nil
}

// Recurse reports whether maps that are stored become dictionaries.
func (d *Dict) Recurse() bool { return d.id.recurse != 0 }

// abandon gives back what an attach that failed had got hold of.
func (d *Dict) abandon() {
	if d.peer != nil {
		_ = d.peer.Leave()
	}
	if d.segment != nil {
		_ = d.segment.File().Close()
		_ = d.segment.Close()
	}
	_ = d.dir.Close()
}

// selfTest makes sure, once for each file system, that the locks by which the
// living are told from the dead work there.
var selfTested atomic.Bool

func selfTest(control *shm.Segment) error {
	if selfTested.Load() {
		return nil
	}
	if err := peers.SelfTest(control.File()); err != nil {
		return err
	}
	selfTested.Store(true)
	return nil
}

// Remove ends a dictionary: those attached get ErrRemoved, its memory is freed
// when they let go of it.
func Remove(name string, cfg Config) error {
	cfg.fill()
	if err := remove(name, cfg); err != nil {
		return fmt.Errorf("remove %q: %w", name, err)
	}
	return nil
}

func remove(name string, cfg Config) error {
	if err := shm.CheckName(name); err != nil {
		return err
	}
	if cfg.Saves != nil {
		return removeSaved(name, cfg)
	}
	return removeInstance(name, cfg, func() error { return nil })
}

// removeInstance removes what is in memory of a name, after it has called first with the
// root's lock held.
func removeInstance(name string, cfg Config, first func() error) error {
	root, err := cfg.root(false)
	if err != nil {
		return err
	}
	defer root.Close()
	unlock, err := root.Lock(context.Background(), cfg.LockTimeout)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // closing its descriptor is what counts
	if err := root.Sweep(); err != nil {
		cfg.Logger.Warn("leftovers not removed", "directory", root.Path(), "error", err)
	}
	if err := first(); err != nil {
		return err
	}
	return finishRemoval(root, name)
}

// finishRemoval marks the end of an instance's stream and removes its files. It
// may be called again after a death halfway. The caller holds the root's lock.
func finishRemoval(root *shm.Root, name string) error {
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	id := shm.NewID() // for the dotted name, should the control segment be damaged
	seg, err := dir.Open(shm.Name{Kind: shm.Control}, shm.ID{}, true, false)
	if err == nil {
		id = seg.Instance()
		if c, ok := shm.At[control](seg.Bytes(), 0); ok {
			if str, err := stream.New(&c.stream, seg, stream.Config{Chunk: stream.MinChunk, Chunks: 2, Limit: 2, Segments: ringMemory{}}); err == nil {
				str.End()
			}
		}
		if err := seg.Close(); err != nil {
			return err
		}
	}
	return root.Retire(dir, name, id)
}
