package core

import (
	"time"

	"github.com/ultradict/go/internal/peers"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/snapshot"
)

// Status is what an operator sees of a dictionary, gathered by one handle.
type Status struct {
	Instance                  string
	Created                   time.Time
	Head, Tail, Applied       uint64
	Ended                     bool
	StreamSize, StreamAtRest  int64
	Layers                    []snapshot.Listed
	Entries                   int
	Bytes                     int64
	MaxBytes                  int64
	Participants              []peers.Info
	OwnerID                   uint32
	OwnerPID                  int
	Held                      time.Duration
	Waiting                   bool
	Commits                   uint64
	Conflicts                 uint64
	Rollovers, Merges         uint64
	Takeovers, Waits, Growths uint64
	OverlaySlots              int
	OverlayBytes              int64
	Mapped                    int64
	SaverPID                  int // 0 for none, or one in another PID namespace
	Saves                     int
	Saved                     uint64    // position of the newest save
	LastSave                  time.Time // when that was begun, zero for never
}

// Status gathers the figures. It takes no lock of other processes.
func (d *Dict) Status() (Status, error) {
	s, err := d.Sync()
	if err != nil {
		return Status{}, err
	}
	d.report()
	list, err := d.control.snapshot.Read()
	if err != nil {
		return Status{}, d.wrap("read the layers of", err)
	}
	n, err := d.Len(0)
	if err != nil {
		return Status{}, err
	}
	size, err := d.dir.Bytes()
	if err != nil {
		return Status{}, d.wrap("measure", err)
	}
	st := Status{
		Instance: d.segment.Instance().String(), Created: d.created,
		Head: d.str.Head(), Tail: d.str.Tail(), Applied: s.Applied(), Ended: d.str.Ended(),
		StreamSize: d.str.Size(), StreamAtRest: int64(d.str.Capacity()),
		Layers: list.Layers, Entries: n, Bytes: size, MaxBytes: d.id.maxBytes,
		Participants: d.peer.All(), Commits: d.peer.Commits(),
		Conflicts: d.control.work.conflicts.Load(),
		Rollovers: d.control.work.rollovers.Load(),
		Merges:    d.control.work.merges.Load(),
		Growths:   d.control.work.growths.Load(),
	}
	if d.lock != nil {
		st.OwnerID, st.Held, st.Waiting = d.lock.Owner()
		st.OwnerPID = d.peer.PID(st.OwnerID)
		st.Takeovers, st.Waits = d.lock.Counters()
	}
	saving := &d.control.work.saving
	if owner := saving.lease.owner.Load(); owner != 0 && !d.peer.Dead(owner) {
		st.SaverPID = d.peer.PID(owner)
	}
	st.Saves, st.Saved = int(saving.saves.Load()), saving.saved.Load()
	if begun := saving.begun.Load(); begun != 0 {
		st.LastSave = time.Unix(0, begun)
	}
	d.rep.Lock()
	st.OverlaySlots, st.OverlayBytes = d.rep.Weight()
	d.rep.Unlock()
	_, st.Mapped = shm.Mapped()
	return st, nil
}
