package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/ultradict/go/ultradict"
)

// awakeWithin is how short the time from one look to the next must be for a
// reader to count as awake.
const awakeWithin = 10 * time.Microsecond

// watcher looks out for beacons and measures how old they are when it sees them.
type watcher struct {
	beacons *ultradict.Map[int, Beacon]
	next    uint64 // number of the beacon it looks out for
	looked  int64  // when it did so last

	seen   histogram // of all
	awake  histogram // of those that came while it was awake
	missed uint64    // overwritten before it looked
}

func newWatcher(beacons *ultradict.Map[int, Beacon]) watcher {
	return watcher{beacons: beacons, next: 1, seen: histogram{}, awake: histogram{}}
}

// look takes note of all beacons that have come since the last look.
func (w *watcher) look() error {
	for {
		b, err := w.beacons.Get(int(w.next % beaconRing))
		now := monotonic()
		if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
			return fmt.Errorf("look for beacon: %w", err)
		}
		if err != nil || b.Number < w.next {
			w.looked = now
			return nil
		}
		if b.Number > w.next {
			// It was away while the ring went around. The oldest that may
			// still be there comes right after what b has overwritten.
			oldest := b.Number - beaconRing + 1
			w.missed += oldest - w.next
			w.next = oldest
			continue
		}
		w.note(b, now)
	}
}

// note counts the next beacon, which was seen now.
func (w *watcher) note(b Beacon, now int64) {
	age := time.Duration(now - b.At)
	w.seen.add(age)
	if time.Duration(now-w.looked) <= awakeWithin {
		w.awake.add(age)
	}
	w.next = b.Number + 1
}
