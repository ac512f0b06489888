package ultradict

import (
	"time"

	"github.com/ultradict/go/internal/peers"
)

// Status is what an operator sees of a dictionary. Positions and sizes are in
// bytes.
type Status struct {
	Name     string    // as given to Open
	Instance string    // random, of this life of the name
	Created  time.Time // when the instance was

	Head         uint64  // end of the last record
	Tail         uint64  // records in [Tail, Head) can be read from the stream
	StreamSize   int64   // memory of the ring as it stands
	StreamAtRest int64   // memory of the ring when it has not grown
	StreamFill   float64 // part of StreamSize that no layer holds yet, from 0 to 1

	Layers   []Layer // oldest first; the first one is the base
	Entries  int     // in the root dictionary
	Bytes    int64   // of shared memory in all, without what is unlinked and still mapped by somebody
	MaxBytes int64   // limit of Bytes, 0 for none

	Participants []Participant // handles that are open, in any process

	LockOwner   int           // process id, 0 if the lock is free or its owner is in another PID namespace
	LockHeld    time.Duration // how long others have seen that owner hold it
	LockWaiters bool          // whether anybody waits

	Commits   uint64 // records written since the instance was created, as last reported by each process, 5 s ago at most
	Conflicts uint64 // transactions that had to run again
	Rollovers uint64 // layers folded from the stream
	Merges    uint64 // merges of layers
	Takeovers uint64 // times that the lock was taken over from a dead owner
	Growths   uint64 // chunks that the ring has gained
	Waits     uint64 // times that somebody had to sleep for the lock

	SaverPID int       // process that saves it by itself, 0 for none; see WithPersistence
	Saves    int       // published by those who do so, since the instance was created
	LastSave time.Time // when the newest of them was begun, or the one that was restored; zero for none
	Unsaved  uint64    // bytes of stream that were written since then

	Applied      uint64 // position of this handle's replica
	OverlayKeys  int    // keys that the replica has over the layers
	OverlayBytes int64  // their private memory, roughly
	MappedBytes  int64  // shared memory that this process has mapped, all handles together
}

// Layer is one layer of the snapshot.
type Layer struct {
	From    uint64        // position where it begins
	To      uint64        // position where it ends
	Entries uint64        // deleted ones that hide entries of older layers included
	Bytes   int64         // of shared memory
	Age     time.Duration // since it was published
}

// Participant is one open handle of one process.
type Participant struct {
	ID      uint32    // never used twice
	PID     int       // in its own PID namespace
	Started time.Time // when it opened the dictionary
	Process uint64    // start time of its process in clock ticks since boot, which tells it from a later one with the same PID
	Lag     uint64    // bytes of stream that its replica has not applied, as of its last report, 5 s ago at most
	Pins    uint64    // highest position that its open views look at, 0 for none: larger values from before it are kept
	Self    bool      // it is this handle
	Alive   bool      // false: it died and its slot was not reused yet
}

// Status gathers what an operator wants to know. It costs the readers and
// writers nothing. Errors: [ErrClosed], [ErrRemoved], [ErrCorrupt].
func (m *Map[K, V]) Status() (Status, error) {
	c, err := m.d.Status()
	if err != nil {
		return Status{}, err
	}
	s := Status{
		Name: m.Name(), Instance: c.Instance, Created: c.Created,
		Head: c.Head, Tail: c.Tail, StreamSize: c.StreamSize, StreamAtRest: c.StreamAtRest,
		Entries: c.Entries, Bytes: c.Bytes, MaxBytes: c.MaxBytes,
		LockOwner: c.OwnerPID, LockHeld: c.Held, LockWaiters: c.Waiting,
		Commits: c.Commits, Conflicts: c.Conflicts, Rollovers: c.Rollovers, Merges: c.Merges,
		Takeovers: c.Takeovers, Growths: c.Growths, Waits: c.Waits,
		Applied: c.Applied, OverlayKeys: c.OverlaySlots, OverlayBytes: c.OverlayBytes, MappedBytes: c.Mapped,
	}
	s.SaverPID, s.Saves, s.LastSave = c.SaverPID, c.Saves, c.LastSave
	s.Unsaved = c.Head - min(c.Saved, c.Head)
	folded := c.Tail
	for _, l := range c.Layers {
		s.Layers = append(s.Layers, Layer{
			From: l.From, To: l.To, Entries: l.Entries, Bytes: int64(l.Bytes),
			Age: time.Since(time.Unix(0, l.Created)),
		})
		folded = max(folded, l.To)
	}
	s.StreamFill = float64(c.Head-min(folded, c.Head)) / float64(c.StreamSize)
	for _, p := range c.Participants {
		s.Participants = append(s.Participants, participant(p, c.Head))
	}
	return s, nil
}

func participant(p peers.Info, head uint64) Participant {
	return Participant{
		ID: p.ID, PID: p.PID, Started: p.Joined, Process: p.Start,
		Lag: head - min(p.Applied, head), Pins: p.Pin, Self: p.Self, Alive: p.Alive,
	}
}
