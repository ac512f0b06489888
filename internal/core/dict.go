package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/peers"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/locks"
	"github.com/ultradict/go/stream"
)

// Values turns encoded values into Go values. A handle has one for its own
// type; it must be safe for concurrent use.
type Values interface {
	// Version returns the version of an encoded value that is only good for
	// the length of the call. Numbers are decoded at once. It is asked for the
	// root dictionary only.
	Version(revision uint64, raw []byte) *replica.Version
	// Decoded returns a version of a value with that decoded.
	Decoded(v *replica.Version, raw string, as replica.Form) (*replica.Version, error)
}

// Reader is how a handle wants values to be decoded.
type Reader struct {
	Values Values       // decodes them
	Form   replica.Form // and for whom
}

// Dict is one open handle. Its methods may be called by any number of
// goroutines.
type Dict struct {
	head    *atomic.Uint64 // the stream's head in shared memory
	written *atomic.Uint64 // follows it; tells a head that was set back
	rep     *replica.Replica
	str     *stream.Stream
	values  Values

	cfg     Config
	name    string
	log     *slog.Logger
	dir     *shm.Dir
	control *control
	segment *shm.Segment // of the control; holds its file and its mapping
	id      identity
	created time.Time
	peer    *peers.Peer
	lock    *locks.Mutex // nil in a read-only handle
	retry   *locks.Mutex

	reader            *stream.Reader // of the appliers, under the replica's lock
	commits, reported uint64         // of this handle, likewise; told the others now and then
	layers            layerCache
	bodies            bodyCache
	fileSeq           atomic.Uint32

	reclaiming  turn   // guards the next two
	reclaimed   uint64 // head when space was last reclaimed
	reclaimedAt time.Time

	bite     uint64 // bytes of stream that are folded at once, about
	due      uint64 // bytes above the floor from which on a rollover is due
	folder   worker
	merger   worker
	tidier   worker
	shrinker worker
	expirer  worker
	seen     atomic.Uint64 // head at the keeper's last tick
	swept    atomic.Uint64 // sequence of the list of layers for which everything is tidy
	adopted  time.Time     // of the last adoption, under the tidier's flag
	waiting  int64         // bytes of mappings that wait for the collector, likewise

	// pending are the files that this handle has made and that nothing refers
	// to yet. The sweep leaves them alone.
	pendingMu sync.Mutex
	pending   map[shm.Name]bool

	sweeping   sync.Mutex             // one sweep at a time in this handle; guards superseded and committed
	superseded map[shm.Name]time.Time // layers that a sweep has met unlisted, and when first
	committed  map[shm.Name]uint64    // bodies that a sweep has met, and the positions of their records

	folding               turn       // one fold at a time in this handle
	room                  room       // of the folder
	foldMu                sync.Mutex // guards foldWatch
	foldWatch, mergeWatch watch
	expiryWatch           watch // of the expirer, under its flag

	ground  [16]atomic.Pointer[ground] // of the dictionaries that were written to, by their numbers
	saver   *saver                     // nil unless it is saved by itself
	waiters waiters
	ending  context.Context // done when the handle is being closed
	end     context.CancelFunc

	startMu  sync.Mutex // orders the start of workers and Close
	closing  atomic.Bool
	closed   sync.Once
	closeErr error
	busy     sync.WaitGroup // background workers
}

// Name is the dictionary's name.
func (d *Dict) Name() string { return d.name }

// ReadOnly reports whether the handle cannot write.
func (d *Dict) ReadOnly() bool { return d.lock == nil }

// wrap says to which dictionary an error happened. Whatever goes wrong because
// the dictionary is gone, its files first of all, is called by its name.
func (d *Dict) wrap(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case d.closing.Load():
		err = errs.ErrClosed
	case d.str != nil && d.str.Ended():
		err = errs.ErrRemoved
	case errors.Is(err, errs.ErrCorrupt) && d.dir.Deleted():
		// Files are missing that must be there, because somebody has deleted all.
		err = fmt.Errorf("its directory was deleted: %w (%v)", errs.ErrNotExist, err)
	}
	return fmt.Errorf("%s %q: %w", doing, d.name, err)
}

// worker is one kind of background work, of which at most one piece is done at
// a time. The work says whether it should run again at once.
type worker struct {
	running atomic.Bool
	work    func() (again bool)
}

// start runs the work in the background unless it runs already.
func (d *Dict) start(w *worker) {
	if w.running.Load() || d.closing.Load() {
		return
	}
	d.startMu.Lock()
	defer d.startMu.Unlock()
	if d.closing.Load() || !w.running.CompareAndSwap(false, true) {
		return
	}
	d.busy.Add(1)
	go func() {
		defer d.busy.Done()
		for w.work() && !d.closing.Load() {
		}
		w.running.Store(false)
	}()
}

// errClosing stops background work of a handle that is being closed.
var errClosing = fmt.Errorf("handle is closing: %w", errs.ErrClosed)

// working is the progress function of background work under a lease.
func (d *Dict) working(l *lease) func() error {
	return func() error {
		l.progress.Add(1)
		// The user's goroutines come first: on few processors they would otherwise
		// wait for a whole time slice of the scheduler's.
		runtime.Gosched()
		if d.closing.Load() {
			return errClosing
		}
		return nil
	}
}

// Close ends the handle. What was written stays.
func (d *Dict) Close() error {
	d.closed.Do(func() {
		d.startMu.Lock()
		d.closing.Store(true)
		d.startMu.Unlock()
		d.end()
		if d.lock != nil {
			d.str.Ring() // whoever waits for news looks whether the handle is closing
		}
		keeperOf.remove(d)
		d.busy.Wait()
		unsaved := d.lastSave()
		d.rep.Lock()
		d.reportLocked()
		d.rep.Close()
		d.rep.Unlock()
		if d.lock != nil {
			d.lock.Close() // nobody of this handle is in a critical section from here on
			d.str.Discard()
			d.str.Collect()
		}
		d.closeErr = errors.Join(unsaved, d.leave())
	})
	return d.closeErr
}

// leave gives back what the handle holds in shared memory and of the system.
// Mappings go when nothing can reach them any more.
func (d *Dict) leave() error {
	err := d.peer.Leave()
	if e := d.segment.File().Close(); err == nil && e != nil {
		err = e
	}
	if e := d.dir.Close(); err == nil {
		err = e
	}
	return d.wrap("close", err)
}

// state returns the replica's state, or why there is none to look at.
func (d *Dict) state() (*replica.State, error) {
	s := d.rep.State()
	if s.Closed() {
		return nil, d.wrap("use", errs.ErrClosed)
	}
	return s, nil
}
