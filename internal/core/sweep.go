package core

import (
	"errors"
	"io/fs"
	"runtime"
	"time"

	"github.com/ultradict/go/internal/failpoint"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/stream"
)

// sweep removes files that nobody needs any more and that nobody else will
// remove: what dead participants have left, and bodies that nothing refers to.
//
// Nothing is counted. A file may go when nothing refers to it and nothing ever
// will again, which is so for a file
//
//   - whose creator is dead: only a creator publishes its own files;
//   - of our own that is not pending;
//   - that is a body and was committed: references only ever vanish.
//
// The order of looking is what makes it sound: first that no further reference
// can come, then the records behind the newest layer, then the layers (a
// reference leaves those records only for a layer that is listed before), and
// the pins last. Records that a layer holds do not count, though a replica that
// lags may still read them: it goes on from the layers where it misses a body.
//
// A layer stays linked for a while after it was first met, for those who are on
// their way to it: they would find the next list, but that may be replaced as well.
//
// It reports whether nothing was left for another time.
func (d *Dict) sweep() (done bool, err error) {
	d.sweeping.Lock()
	defer d.sweeping.Unlock()
	files, err := d.dir.Files()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return true, nil // removed
		}
		return false, err
	}
	final := map[shm.Name]uint64{} // and the position of a body's record, 0 if it never had one
	bodies, committed := false, map[shm.Name]uint64{}
	dead := map[uint32]bool{}
	for _, f := range files {
		if f.Name.Kind == shm.Control {
			continue
		}
		gone, known := dead[f.Name.Creator]
		if !known {
			gone = d.peer.Dead(f.Name.Creator)
			dead[f.Name.Creator] = gone
		}
		own := f.Name.Creator == d.peer.ID() && !d.isPending(f.Name)
		at := uint64(0)
		if f.Name.Kind == shm.Body {
			if at = d.committed[f.Name]; at == 0 {
				at = d.committedAt(f.Name)
			}
			if at == 0 && !gone {
				continue
			}
			committed[f.Name] = at
			bodies = true
		} else if !gone && !own {
			continue
		}
		final[f.Name] = at
	}
	d.committed = committed
	for name := range d.superseded {
		if _, there := final[name]; !there {
			delete(d.superseded, name)
		}
	}
	if len(final) == 0 {
		return true, nil
	}
	referred, position, err := d.references(bodies)
	if err != nil {
		return false, err
	}
	pins := d.pins()
	done = true
	for name, at := range final {
		if referred[name] {
			continue // until the list of layers changes
		}
		if name.Kind == shm.Body && pinned(pins, at, position) {
			done = false
			continue
		}
		if name.Kind == shm.Layer && !d.supersededFor(name, grace) {
			done = false
			continue
		}
		if err := d.dir.Remove(name); err != nil {
			return false, err
		}
	}
	d.measure()
	return done, nil
}

// supersededFor reports whether a layer that is not listed was met so by a sweep
// that long ago.
func (d *Dict) supersededFor(name shm.Name, t time.Duration) bool {
	since, met := d.superseded[name]
	if !met {
		since = time.Now()
		d.superseded[name] = since
	}
	return time.Since(since) >= t
}

// references are the files that the stream and the layers refer to, and the
// position that those layers give.
func (d *Dict) references(bodies bool) (in map[shm.Name]bool, position uint64, err error) {
	in = map[shm.Name]bool{}
	if bodies {
		if err := d.inRecords(in); err != nil {
			return nil, 0, err
		}
	}
	b, err := d.openBase()
	if err != nil {
		return nil, 0, err
	}
	for _, l := range b.list.Layers {
		in[shm.NameOf(shm.Layer, l.ID)] = true
	}
	externals, err := b.stack.Externals()
	if err != nil {
		return nil, 0, err
	}
	for _, id := range externals {
		in[shm.NameOf(shm.Body, id)] = true
	}
	// The spare first: it moves into the ring, never back.
	spare := d.str.Spare()
	segments, ok := d.str.Segments()
	if !ok {
		return nil, 0, stream.ErrLapped // another time
	}
	for _, segment := range append(segments, spare) {
		if segment != 0 {
			name, _ := chunkName(segment)
			in[name] = true
		}
	}
	return in, b.position, nil
}

// inRecords notes the bodies that records behind the newest layer refer to.
func (d *Dict) inRecords(in map[shm.Name]bool) error {
	list, err := d.control.snapshot.Read()
	if err != nil {
		return err
	}
	head := d.str.Head()
	r := d.str.Reader(max(list.Position(), d.str.First()))
	for {
		rec, ok, err := r.Next(head)
		if err != nil || !ok {
			return err // ErrLapped: another time
		}
		if rec.Kind != stream.Reference {
			continue
		}
		ref, err := record.ParseRef(rec.Payload)
		if err != nil {
			return d.malformed(rec, err)
		}
		in[shm.NameOf(shm.Body, ref.Body)] = true
	}
}

// committedAt is the position of the record that refers, or referred, to a
// body; 0 where none ever did or that is not known.
func (d *Dict) committedAt(name shm.Name) uint64 {
	seg, err := d.dir.Open(name, d.segment.Instance(), false, false)
	if err != nil {
		return 0
	}
	defer seg.Close()
	w, ok := shm.At[failpoint.Uint64](seg.Bytes(), committedOffset)
	if !ok {
		return 0
	}
	at := w.Load()
	runtime.KeepAlive(seg)
	return at
}

// span is between which positions the views of a participant look.
type span struct{ from, to uint64 }

// pins are the spans of the views of living participants.
func (d *Dict) pins() []span {
	var pins []span
	for _, p := range d.peer.All() {
		if p.Pin != 0 && p.Alive {
			pins = append(pins, span{p.PinFrom, p.Pin})
		}
	}
	return pins
}

// pinned reports whether a body whose record ended at the given position, and that
// nothing refers to behind or in the layers of position layers, may be needed by a
// view. What it holds was replaced at layers at the latest, so views from there on
// do not need it, and neither do those that are older than its record. Where the
// position of that is not known, it is 0: the creator died right after the commit.
func pinned(pins []span, at, layers uint64) bool {
	for _, p := range pins {
		if p.from < layers && at <= p.to {
			return true
		}
	}
	return false
}
