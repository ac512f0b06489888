package locks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"structs"
	"sync"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
	"github.com/ultradict/go/internal/peers"
)

// These are part of the format.
const (
	fileSize = 512 + 64 + 64*peers.Slots

	fileMagic   uint32 = 0x554c434b // "ULCK"; reads differently in the other byte order
	fileVersion uint32 = 1
	fileHeader         = uint64(fileMagic)<<32 | uint64(fileVersion)
)

// contents is what a lock file holds. All zero is a file that nobody has used.
type contents struct {
	_      structs.HostLayout
	header failpoint.Uint64
	_      [56]byte
	words  [7]Word // the first is the lock, the others are reserved
	peers  peers.Section
}

// File is a lock in a file of its own, which is used by all that open the same
// path on one machine. Any goroutine may use it. The file holds nothing but
// the lock; it may be removed when nobody has it open. A lock that was held
// when the machine went down is free.
type File struct {
	path  string
	file  *os.File
	mem   []byte
	peer  *peers.Peer
	mutex *Mutex

	closing context.Context // ends with Close
	close   context.CancelFunc

	mu     sync.Mutex
	users  int // calls and held locks that need the mapping
	closed bool
}

// Open opens the lock file at path and creates it, for this user alone, if it
// is missing. It takes 129 KiB and up to 2048 processes can have it open at
// once. Each Open is a participant of its own: it excludes all others, those
// of the same process included.
//
// A path that is a symbolic link, not a regular file, another user's, or
// writable for others is refused with an error that wraps
// [io/fs.ErrPermission], and a file with other contents with one that wraps
// errs.ErrCorrupt or, if it is of another version, errs.ErrVersion. The error
// wraps errs.ErrNoSpace if the disk or the file's table is full, and
// [errors.ErrUnsupported] if the system or the file system is not up to it.
func Open(path string) (*File, error) {
	f, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open lock file %s: %w", path, err)
	}
	return f, nil
}

func open(path string) (_ *File, err error) {
	file, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	if err = peers.SelfTest(file); err != nil {
		return nil, err
	}
	if err = fill(file); err != nil {
		return nil, err
	}
	mem, err := mapFile(file)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = unmapFile(mem)
		}
	}()
	c := lay(mem)
	c.header.CompareAndSwap(0, fileHeader)
	if err = checkHeader(path, c.header.Load()); err != nil {
		return nil, err
	}
	peer, err := peers.Join(file, &c.peers)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, file: file, mem: mem, peer: peer}
	f.mutex = New(&c.words[0], peer, Options{})
	f.closing, f.close = context.WithCancel(context.Background())
	return f, nil
}

func checkHeader(path string, header uint64) error {
	switch {
	case uint32(header>>32) != fileMagic:
		return &errs.CorruptError{Segment: path, Reason: "not a lock file of this machine's byte order"}
	case uint32(header) != fileVersion:
		return fmt.Errorf("lock file version %d, this program knows %d: %w", uint32(header), fileVersion, errs.ErrVersion)
	}
	return nil
}

// Lock takes the lock and returns the function that releases it, which must be
// called once; further calls do nothing. It waits for as long as the context
// allows. The error wraps ctx.Err(), or is [os.ErrClosed] if the File was
// closed meanwhile.
func (f *File) Lock(ctx context.Context) (unlock func(), err error) {
	if err = ctx.Err(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", f.path, err)
	}
	if err = f.enter(); err != nil {
		return nil, err
	}
	if !f.mutex.TryLock() {
		waiting, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(f.closing, cancel)
		err = f.mutex.Lock(waiting, -1)
		stop()
		cancel()
	}
	if err != nil {
		if ctx.Err() == nil {
			err = os.ErrClosed
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.path, err), f.exit())
	}
	return f.unlocker(), nil
}

// TryLock takes the lock if it is free or its owner is dead, and else returns
// false without waiting. The error is [os.ErrClosed] if the File is closed.
func (f *File) TryLock() (unlock func(), ok bool, err error) {
	if err = f.enter(); err != nil {
		return nil, false, err
	}
	if f.mutex.Lock(context.Background(), 0) != nil {
		return nil, false, f.exit()
	}
	return f.unlocker(), true, nil
}

func (f *File) unlocker() func() {
	var once sync.Once
	return func() {
		once.Do(func() {
			f.mutex.Unlock()
			_ = f.exit()
		})
	}
}

// Close ends the use of the lock file. Calls that wait for the lock return
// [os.ErrClosed]. If the lock is held by this File, it stays so until it is
// unlocked. Further calls do nothing.
func (f *File) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	f.users++ // our own, so that exit has something to take away
	f.mu.Unlock()
	f.close()
	return f.exit()
}

// enter keeps the mapping alive until exit.
func (f *File) enter() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return fmt.Errorf("lock %s: %w", f.path, os.ErrClosed)
	}
	f.users++
	return nil
}

// exit is the end of what enter began; the last one out after Close gives back
// what the File holds.
func (f *File) exit() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users--
	if !f.closed || f.users > 0 {
		return nil
	}
	if err := errors.Join(f.peer.Leave(), unmapFile(f.mem), f.file.Close()); err != nil {
		return fmt.Errorf("close lock file %s: %w", f.path, err)
	}
	return nil
}
