package locks_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ultradict/go/locks"
)

// A lock file, as several programs on one machine would use it.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	f, err := locks.Open(filepath.Join(dir, "report.lock"))
	if err != nil {
		panic(err)
	}
	defer f.Close()

	unlock, err := f.Lock(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println("nobody else is here")

	_, ok, err := f.TryLock()
	fmt.Println("again:", ok, err)

	unlock()
	_, ok, err = f.TryLock()
	fmt.Println("after unlock:", ok, err)
	// Output:
	// nobody else is here
	// again: false <nil>
	// after unlock: true <nil>
}

// worker is one of several that share a word. Who is dead is known here by
// other means than by asking the operating system.
type worker struct {
	id   uint32
	dead map[uint32]bool
}

func (w worker) ID() uint32           { return w.id }
func (w worker) Dead(id uint32) bool  { return w.dead[id] }
func (w worker) Dying(id uint32) bool { return false }
func (w worker) PID(id uint32) int    { return 1000 + int(id) }

// A Mutex over a word in memory of one's own choosing, with one's own idea of
// who lives.
func ExampleNew() {
	var word locks.Word // would lie in memory that processes share
	dead := map[uint32]bool{}
	one := locks.New(&word, worker{1, dead}, locks.Options{})
	two := locks.New(&word, worker{2, dead}, locks.Options{
		OnTakeover: func() { fmt.Println("two: repair what one has left behind") },
	})

	fmt.Println("one:", one.TryLock())

	err := two.Lock(context.Background(), 10*time.Millisecond)
	fmt.Println("two: too late:", errors.Is(err, os.ErrDeadlineExceeded))

	dead[1] = true
	if err = two.Lock(context.Background(), time.Second); err != nil {
		panic(err)
	}
	defer two.Unlock()
	takeovers, _ := two.Counters()
	fmt.Println("two: takeovers:", takeovers)
	// Output:
	// one: true
	// two: too late: true
	// two: repair what one has left behind
	// two: takeovers: 1
}

// Whoever has the word in sight can see who has the lock.
func ExampleWord_Owner() {
	var word locks.Word
	m := locks.New(&word, worker{id: 7}, locks.Options{})
	fmt.Println(word.Owner())
	if m.TryLock() {
		fmt.Println(word.Owner())
		m.Unlock()
	}
	fmt.Println(word.Owner())
	// Output:
	// 0
	// 7
	// 0
}
