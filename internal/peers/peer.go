package peers

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// Peer is this handle's membership. Any goroutine may use it. It keeps its
// file reachable, but not the mapping that its section lies in: that is for
// the caller to keep.
type Peer struct {
	file  *os.File
	conn  syscall.RawConn
	sec   *Section // nil for a reader without one
	id    uint32   // 0 for a reader
	entry *Entry   // nil for a reader
	self  process

	mu   sync.Mutex
	left bool
}

// Join makes the caller a participant: it takes the next id, locks the id's
// byte of f, and fills a slot of the table. f must be open for writing; for
// the rest see the package comment.
//
// It returns errs.ErrNoSpace if the ids are used up or every slot belongs to
// a living participant, and [errors.ErrUnsupported] where there are no file
// locks of the kind.
func Join(f *os.File, sec *Section) (*Peer, error) {
	p, err := newPeer(f, sec)
	if err != nil {
		return nil, fmt.Errorf("join participants: %w", err)
	}
	if p.id, err = takeID(p.conn, &sec.next); err != nil {
		return nil, fmt.Errorf("join participants: %w", err)
	}
	if p.entry, err = p.claim(); err != nil {
		return nil, errors.Join(fmt.Errorf("join participants: %w", err), unlockByte(p.conn, Base+int64(p.id)))
	}
	return p, nil
}

// JoinReadOnly makes the caller a reader: it has no id and no slot, and shares
// one byte of f with all other readers. sec is what Dead, PID and All of the
// new Peer look at, and may lie in memory mapped for reading only; it may be
// nil, and then they know nothing. f need only be open for reading.
func JoinReadOnly(f *os.File, sec *Section) (*Peer, error) {
	p, err := newPeer(f, sec)
	if err != nil {
		return nil, fmt.Errorf("join readers: %w", err)
	}
	if err = lockByteShared(p.conn, Base); err != nil {
		return nil, fmt.Errorf("join readers: lock byte %d of %s: %w", Base, f.Name(), err)
	}
	return p, nil
}

func newPeer(f *os.File, sec *Section) (*Peer, error) {
	if !supported {
		return nil, fmt.Errorf("file locks that show a process's death: %w", errors.ErrUnsupported)
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &Peer{file: f, conn: conn, sec: sec, self: thisProcess()}, nil
}

// AnyAlive reports whether anybody but the description of f itself takes part
// in the dictionary of that control file, writing or reading. It asks the
// kernel once, however many ids there are.
func AnyAlive(f *os.File) (bool, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return false, fmt.Errorf("look for living participants: %w", err)
	}
	free, err := bytesFree(conn, Base, MaxID+1)
	if err != nil {
		return false, fmt.Errorf("look for living participants of %s: %w", f.Name(), err)
	}
	return !free, nil
}

// ID returns this participant's id, 0 for a reader.
func (p *Peer) ID() uint32 { return p.id }

// Entry returns this participant's slot, nil for a reader. After Leave it may
// be somebody else's: do not write to it any more.
func (p *Peer) Entry() *Entry { return p.entry }

// Leave ends the membership: others see it as gone, although the mapping may
// live on. Call it when nothing of this handle works on shared memory any
// longer, and in particular holds no lock. Further calls do nothing.
func (p *Peer) Leave() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left {
		return nil
	}
	p.left = true
	if p.entry != nil {
		p.entry.release(p.id)
	}
	if err := unlockByte(p.conn, Base+int64(p.id)); err != nil {
		return fmt.Errorf("leave participants: unlock byte %d of %s: %w", Base+int64(p.id), p.file.Name(), err)
	}
	return nil
}

// Known reports whether the id was ever given out. A word of shared memory
// that names another one is damaged.
func (p *Peer) Known(id uint32) bool {
	return p.sec != nil && id != 0 && id <= p.sec.next.Load()
}

// Dead reports whether a participant is gone for good: it has left, or its
// process has ended and its memory is gone. It returns false for ourselves
// (one's own byte looks free), for ids that were never given out, and whenever
// it cannot be told. It costs a system call.
func (p *Peer) Dead(id uint32) bool {
	if id == p.id || !p.Known(id) {
		return false
	}
	free, err := bytesFree(p.conn, Base+int64(id), 1)
	return err == nil && free
}

// Dying reports whether the process of a participant is past its last
// instruction while its memory is still being torn down. It is certain when it
// returns true, and returns false for ourselves and whenever it cannot be
// told, for instance for a process of another PID namespace. It costs some
// system calls a thread: ask Dead first.
func (p *Peer) Dying(id uint32) bool {
	if id == p.id {
		return false
	}
	owner, ok := p.processOf(id)
	return ok && p.self.sees(owner) && exiting(owner)
}

// PID returns the process id of a participant, dead ones included for as long
// as nobody has taken their slot. It returns 0 if it is not known, or would
// mean another process here: one in another PID namespace.
func (p *Peer) PID(id uint32) int {
	if id == p.id && id != 0 {
		return int(p.self.pid)
	}
	owner, ok := p.processOf(id)
	if !ok || !p.self.sees(owner) {
		return 0
	}
	return int(owner.pid)
}

// Info describes one participant.
type Info struct {
	ID           uint32
	PID          int       // in its own PID namespace
	PIDNamespace uint64    // inode of that namespace; 0 unknown
	Start        uint64    // start of its process, clock ticks since boot; 0 unknown
	Joined       time.Time // by the clock of its machine
	Applied      uint64    // position its replica has reached
	Pin          uint64    // highest position its open Views look at; 0 none
	PinFrom      uint64    // lowest one, if Pin is not 0
	Self         bool      // the Peer that was asked
	Alive        bool
}
