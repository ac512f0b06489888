package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ultradict/go/ultradict"
)

// A crowd is a second goroutine of a victim, which writes values of this many
// bytes: the longest that are copied under the lock, for streams of 16 KiB and
// of 1 MiB. So a good part of the victims die with it.
const (
	smallCrowd = 900
	largeCrowd = 60_000
)

// slots is how many keys a victim writes, in turn.
const slots = 32

// survives is how soon after a death the next Set of a survivor has to return.
const survives = 50 * time.Millisecond

// kills shows that no death takes an acknowledged write along, or holds up the
// others.
func kills(r *run) {
	deaths := r.scaled(500, 60)
	m := r.texts("killed", ultradict.WithStreamSize(16<<10))
	pool := make([]*victim, 2)
	for i := range pool {
		pool[i] = r.victim(m.Name(), i, 0, 0)
	}
	var all []*victim
	var waits []death
	for n := range deaths {
		i := rand.IntN(len(pool))
		v := pool[i]
		v.atWork(uint64(rand.IntN(2000)))
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		waits = append(waits, r.deathOf(v, m))
		if err := v.check(m); err != nil {
			r.must(fmt.Errorf("after death %d: %w", n+1, err))
		}
		all = append(all, v)
		if n%20 == 19 {
			r.progress("%d deaths; a newcomer checks", n+1)
			r.newcomerAgrees(m.Name(), all[max(0, len(all)-40):])
		}
		pool[i] = r.victim(m.Name(), len(pool)+n, 0, n%2*smallCrowd)
	}
	for _, v := range pool {
		v.atWork(1)
		v.kill()
		v.buried()
		all = append(all, v)
	}
	r.newcomerAgrees(m.Name(), all)
	written := uint64(0)
	for _, v := range all {
		written += v.acknowledged()
	}
	st, err := m.Status()
	r.must(err)
	r.equal("deaths with every acknowledged write present, none by halves", len(waits), deaths)
	r.deaths(waits)
	r.tell("    acknowledged writes; died with the lock; rollovers", "%d; %d; %d", written, st.Takeovers, st.Rollovers)
	// Large values that are still stored have a file each; besides there are
	// the control segment, chunks and layers.
	large := 0
	for _, text := range m.All() {
		if len(text) > 4096 {
			large++
		}
	}
	r.settled(m, large+100)
}

// settled shows that what dead processes have left in a dictionary's directory
// goes when the others have an occasion to sweep.
func (r *run) settled(m *ultradict.Map[string, string], expected int) {
	at := func() int {
		entries, err := os.ReadDir(filepath.Join(r.dir, m.Name()))
		r.must(err)
		return len(entries)
	}
	first, last := at(), 0
	begin := time.Now()
	for end := begin.Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if last = at(); last <= expected {
			break
		}
		r.progress("%d files", last)
		for i := range 200 { // rollovers happen only where something is written
			r.must(m.Set("survivor", fmt.Sprintf("%200d", i)))
		}
	}
	r.figure("files of the dictionary, once swept", fmt.Sprintf("%d, then %d", first, last), fmt.Sprint("≤ ", expected), last <= expected)
}

// heapKills shows the same for processes that take long to be torn down. Their
// locks fall only when all of their memory is gone.
func heapKills(r *run) {
	const heap = min(4<<30, math.MaxInt/2)
	m := r.texts("heap")
	var waits []death
	held := 0
	enough, most := r.scaled(5, 1), r.scaled(16, 4)
	for n := 0; n < most && held < enough; n++ {
		r.progress("round %d: a process touches %s", n+1, size(heap))
		v := r.victim(m.Name(), n, heap, largeCrowd)
		before, err := m.Status()
		r.must(err)
		v.atWork(2000)
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		waits = append(waits, r.deathOf(v, m))
		r.must(v.check(m))
		after, err := m.Status()
		r.must(err)
		if after.Takeovers > before.Takeovers {
			held++
		}
	}
	r.figure("deaths with the lock, "+size(heap)+" touched", fmt.Sprintf("%d of %d", held, len(waits)), "≥ 1", held > 0)
	r.deaths(waits)
}

// deathOf kills a victim and returns how long it took until a survivor has
// written.
func (r *run) deathOf(v *victim, m *ultradict.Map[string, string]) death {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r.must(m.Sync()) // it is not the death that makes a survivor catch up
	queued := queuedFor()
	begin := time.Now()
	r.must(v.cmd.Process.Kill())
	r.must(m.Set("survivor", "here"))
	d := death{took: time.Since(begin), queued: queuedFor() - queued}
	<-v.done
	v.buried()
	return d
}

// death is what happened after one.
type death struct {
	took   time.Duration // from the death until a survivor's Set has returned
	queued time.Duration // the part of it in which the survivor's thread was ready, but no processor was free
}

// deaths prints how long survivors had to wait.
func (r *run) deaths(all []death) {
	var took, queued times
	for _, d := range all {
		took, queued = append(took, d.took), append(queued, d.queued)
	}
	r.atMost("death → next Set of a survivor has returned, worst", took.sorted().worst(), survives)
	r.tell("    p50; p99; worst wait for a processor", "%s; %s; %s", short(took.at(.5)), short(took.at(.99)), short(queued.sorted().worst()))
}

// queuedFor is how long this thread has been ready so far while others ran.
func queuedFor() time.Duration {
	raw, err := os.ReadFile("/proc/thread-self/schedstat")
	fields := strings.Fields(string(raw))
	if err != nil || len(fields) < 2 {
		return 0
	}
	ns, _ := strconv.ParseInt(fields[1], 10, 64)
	return time.Duration(ns)
}

// newcomerAgrees looks at the victims' writes through a fresh handle.
func (r *run) newcomerAgrees(name string, all []*victim) {
	m, err := ultradict.OpenMap[string, string](name, r.options()...)
	r.must(err)
	for _, v := range all {
		if err := v.check(m); err != nil {
			r.must(fmt.Errorf("a newcomer: %w", err))
		}
	}
	r.must(m.Close())
}

// victim is a process that writes until it is killed, and acknowledges each
// write, in a file of its own, before the next.
type victim struct {
	*process
	id    int
	acks  *os.File // nil once it is dead
	acked uint64   // valid then
}

func (r *run) victim(name string, id, heap, crowd int) *victim {
	acks, err := os.CreateTemp(filepath.Dir(r.dir), "acks-")
	r.must(err)
	p := r.start("victim", name, id, acks.Name(), heap, crowd)
	return &victim{process: p, id: id, acks: acks}
}

// acknowledged is the number of the victim's writes that have returned.
func (v *victim) acknowledged() uint64 {
	if v.acks == nil {
		return v.acked
	}
	var b [8]byte
	if _, err := v.acks.ReadAt(b[:], 0); err != nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b[:])
}

// buried lets go of what is not needed of a dead victim.
func (v *victim) buried() {
	v.acked = v.acknowledged()
	v.r.must(v.acks.Close())
	v.acks = nil
}

// atWork returns when the victim has acknowledged n writes.
func (v *victim) atWork(n uint64) {
	for end := time.Now().Add(patience); v.acknowledged() < n; time.Sleep(200 * time.Microsecond) {
		select {
		case <-v.done:
			v.r.must(fmt.Errorf("victim ended by itself: %w", v.wait()))
		default:
		}
		if time.Now().After(end) {
			v.r.must(fmt.Errorf("victim %d does not write", v.id))
		}
	}
}

// check compares what a dead victim has left with what it acknowledged: its
// last write but one to each key is gone, the one after the last acknowledged
// one may be there, as a whole.
func (v *victim) check(m *ultradict.Map[string, string]) error {
	acked := v.acknowledged()
	next := acked + 1
	for slot := range uint64(slots) {
		last := acked - (acked-slot)%slots // the newest acknowledged one in this slot
		if acked < slot {
			last = 0
		}
		got, err := m.Get(v.key(slot))
		if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
			return err
		}
		if err == nil && last > 0 && got == payload(v.id, last) || err != nil && last == 0 {
			continue
		}
		if slot == next%slots && err == nil && got == payload(v.id, next) {
			continue
		}
		return fmt.Errorf("victim %d acknowledged %d writes, and its slot %d holds %.40q (%v), not %.40q", v.id, acked, slot, got, err, payload(v.id, last))
	}
	// The pair is written by transactions, before the write is acknowledged.
	left, errLeft := m.Get(v.half("left"))
	right, errRight := m.Get(v.half("right"))
	if left != right || (errLeft == nil) != (errRight == nil) {
		return fmt.Errorf("victim %d left half a transaction: %.40q (%v) and %.40q (%v)", v.id, left, errLeft, right, errRight)
	}
	return nil
}

func (v *victim) key(slot uint64) string  { return slotKey(v.id, slot) }
func (v *victim) half(side string) string { return fmt.Sprintf("v%d/%s", v.id, side) }

func slotKey(id int, slot uint64) string { return fmt.Sprintf("v%d/%d", id, slot) }

// payload is the n-th value that a victim writes: some are too large for the
// stream, and the beginning says how the rest goes on.
func payload(id int, n uint64) string {
	length := int(n*7919) % 300
	if n%101 == 0 {
		length = 9000
	}
	head := fmt.Sprintf("%d/%d:", id, n)
	return head + strings.Repeat(string(rune('a'+n%26)), length)
}

// victimRole writes until it is killed: name, id, file for acknowledgements,
// bytes of heap to touch first, bytes of a value of its crowd, 0 for none.
func victimRole(dir string, args []string) error {
	name := args[0]
	id, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	heap, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	crowd, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	acks, err := os.OpenFile(args[2], os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := os.Remove(args[2]); err != nil { // both ends have it open
		return err
	}
	touched := touch(heap)
	return using(dir, name, func(m *ultradict.Map[string, string]) error {
		if crowd > 0 {
			go func() {
				value := strings.Repeat("x", crowd)
				for m.Set("crowd", value) == nil {
				}
			}()
		}
		var b [8]byte
		for n := uint64(1); ; n++ {
			if n%5 == 0 {
				if err := writeHalves(m, id, n); err != nil {
					return err
				}
			}
			if err := m.Set(slotKey(id, n%slots), payload(id, n)); err != nil {
				return err
			}
			binary.LittleEndian.PutUint64(b[:], n)
			if _, err := acks.WriteAt(b[:], 0); err != nil {
				return err
			}
			touched[int(n)%len(touched)]++
		}
	})
}

func writeHalves(m *ultradict.Map[string, string], id int, n uint64) error {
	v := victim{id: id}
	return m.Update(context.Background(), func(tx *ultradict.Tx[string, string]) error {
		if err := tx.Set(v.half("left"), payload(id, n)); err != nil {
			return err
		}
		return tx.Set(v.half("right"), payload(id, n))
	})
}

// touch returns memory of which every page is in use.
func touch(bytes int) []byte {
	b := make([]byte, max(bytes, 1))
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	return b
}
