package snapshot

import (
	"fmt"
	"runtime"
)

// Verify checks what must hold between the layers, each of which should have
// passed [Layer.Verify]: each begins where the one before ends, the base has no
// tombstones, and what the headers say of live entries is what counting gives,
// from the base up. It returns the number of live entries of all dictionaries
// together as of the end of each layer.
//
// It looks up every entry of a layer in those beneath, so it takes about as
// long as merging all layers. For progress and errors see [Layer.Verify].
func (s Stack) Verify(progress func() error) (live []uint64, err error) {
	defer runtime.KeepAlive(s.Layers)
	t := &ticker{progress: progress}
	counts := map[uint64]uint64{}
	live = make([]uint64, len(s.Layers))
	for i, l := range s.Layers {
		switch {
		case i == 0 && l.tombstones != 0:
			return nil, l.corrupt(offTombstones, fmt.Sprintf("%d tombstones in a base", l.tombstones))
		case i > 0 && l.from != s.Layers[i-1].to:
			return nil, l.corrupt(offFrom, fmt.Sprintf("begins at %d, the layer before ends at %d", l.from, s.Layers[i-1].to))
		}
		r := recount{below: Stack{Layers: s.Layers[:i]}, l: l, t: t}
		var d dictEntry
		for n := range l.dicts {
			before := d.Dict
			if err := l.readDict(&d, n); err != nil {
				return nil, err
			}
			if n > 0 && d.Dict <= before {
				return nil, l.disordered(n)
			}
			if counts[d.Dict], err = r.dict(&d, counts[d.Dict]); err != nil {
				return nil, err
			}
			if d.Live != counts[d.Dict] {
				return nil, l.corrupt(headerEnd+n*dictSize, fmt.Sprintf("dictionary %d has %d live entries, its header says %d", d.Dict, counts[d.Dict], d.Live))
			}
		}
		for _, n := range counts {
			live[i] += n
		}
	}
	return live, nil
}

// recount counts what one layer changes.
type recount struct {
	below Stack
	l     *Layer
	t     *ticker
	buf   []byte
}

// dict returns how many entries of a dictionary live as of the layer's end, of
// which so many lived before.
func (r *recount) dict(d *dictEntry, before uint64) (uint64, error) {
	live := before
	if d.Horizon != 0 {
		live = 0 // a horizon lies within its layer's range: it hides all that is beneath
	}
	w := r.l.walk(d)
	for {
		ok, err := w.next()
		if err != nil || !ok {
			return live, err
		}
		existed := false
		if d.Horizon == 0 {
			var e Entry
			if e, existed, err = r.below.Find(d.Dict, view(w.key), r.buf); err != nil {
				return 0, err
			}
			if existed {
				r.buf = e.Value
			}
		}
		switch dead := w.head.flags&flagTombstone != 0; {
		case dead && existed:
			live--
		case !dead && !existed:
			live++
		}
		if err := r.t.tick(); err != nil {
			return 0, err
		}
	}
}
