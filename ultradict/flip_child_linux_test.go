package ultradict_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

const (
	flipBatch = 100 // flips between two reports, or a second

	flipNet   = 8 * time.Second // under a flip that would never end
	flipAlloc = 16 << 20        // bytes that one flip may make a process allocate
	flipHeap  = 256 << 20       // bytes that its heap may take from the system
)

// flipsFor lists what is flipped under somebody.
func flipsFor(who string, files map[string][]byte, step int) []flip {
	return flips(files, step, func(r region) (region, bool) {
		if who == "readers" {
			return r, true
		}
		if r.from >= 408 && (strings.HasPrefix(r.name, "control") || strings.HasPrefix(r.name, "stream: ") && r.from > 1024) {
			r.ways = min(r.ways, someWays)
			return r, r.name != "control: identity, reserved"
		}
		return r, false
	})
}

// flipper makes flips, in a process of its own.
type flipper struct {
	dir     string
	files   map[string][]byte
	history []map[string]any
	report  report
}

func init() { roles["flip"] = flipRole }

func flipRole(args []string) error {
	who, template, dir := args[0], args[1], args[2]
	var n [3]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(args[3+i]); err != nil {
			return err
		}
	}
	step, part, next := n[0], n[1], n[2]
	skip := strings.Split(args[6], ",")
	f := &flipper{dir: dir, files: map[string][]byte{}, history: flipHistory()}
	entries, err := os.ReadDir(filepath.Join(template, "test"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if f.files[e.Name()], err = os.ReadFile(filepath.Join(template, "test", e.Name())); err != nil {
			return err
		}
	}
	if err := f.restore(); err != nil {
		return err
	}
	var mine []flip
	for i, fl := range flipsFor(who, f.files, step) {
		if i%flipChildren == part {
			mine = append(mine, fl)
		}
	}
	at, err := os.Create(filepath.Join(dir, "at"))
	if err != nil {
		return err
	}
	var doing atomic.Int64
	go watchFlips(&doing)
	under := f.readers
	if who == "writer" {
		under = f.writer
	}
	reported := time.Now()
	for ; next < len(mine); next++ {
		if slices.Contains(skip, strconv.Itoa(next)) {
			continue
		}
		if _, err := at.WriteAt(fmt.Appendf(nil, "%-8d %-70v", next, mine[next]), 0); err != nil {
			return err
		}
		doing.Store(int64(next) + 1)
		before := allocated()
		if err := under(mine[next]); err != nil {
			return fmt.Errorf("%v: %w", mine[next], err)
		}
		if n := allocated() - before; n > flipAlloc {
			f.bad(mine[next], "allocated %d bytes", n)
		}
		if next%flipBatch == 0 || next == len(mine)-1 || time.Since(reported) > time.Second {
			reported = time.Now()
			var m runtime.MemStats
			runtime.GC() // what it unmaps, it cannot see
			if runtime.ReadMemStats(&m); m.HeapSys > flipHeap {
				f.bad(mine[next], "the heap has %d bytes", m.HeapSys)
			}
			f.report.Next = next + 1
			line, err := json.Marshal(f.report)
			if err != nil {
				return err
			}
			proctest.Say("%s", line)
			f.report = report{}
		}
	}
	return nil
}

// watchFlips ends the process, with all stacks, if a flip never ends.
func watchFlips(doing *atomic.Int64) {
	for last := int64(-1); ; time.Sleep(flipNet) {
		now := doing.Load()
		if now == last {
			debug.SetTraceback("all")
			panic("this flip does not end")
		}
		last = now
	}
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func (f *flipper) bad(fl flip, format string, args ...any) {
	f.report.Bad = append(f.report.Bad, fmt.Sprintf("%v: %s", fl, fmt.Sprintf(format, args...)))
}

func (f *flipper) count(fl flip, who, outcome, detail string) {
	if f.report.Counts == nil {
		f.report.Counts = tally{}
	}
	f.report.Counts.add(fl.region, who+": "+outcome, 1)
	if outcome == "ErrNotExist" && fl.region != "stream: head" {
		f.bad(fl, "%s: %s", who, detail)
	}
	if strings.Contains(outcome, flipWrong) || strings.Contains(outcome, flipUntyped) || strings.Contains(outcome, flipEarlier) {
		f.bad(fl, "%s: %s: %s", who, outcome, detail)
	}
}

// restore makes the dictionary as it was.
func (f *flipper) restore() error {
	dir := filepath.Join(f.dir, "test")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for name, content := range f.files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (f *flipper) open() (*ultradict.Dict, error) {
	return ultradict.Open("test", append(flipOptions(f.dir), ultradict.AttachOnly())...)
}

// flip changes a byte and returns what changes it back.
func (f *flipper) flip(fl flip) (back func() error, err error) {
	file, err := os.OpenFile(filepath.Join(f.dir, "test", fl.file), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	var b [1]byte
	change := func() error {
		if _, err := file.ReadAt(b[:], fl.offset); err != nil {
			return err
		}
		b[0] ^= fl.xor
		_, err := file.WriteAt(b[:], fl.offset)
		return err
	}
	return func() error {
		defer file.Close()
		return change()
	}, change()
}

// readers makes a flip under readers.
func (f *flipper) readers(fl flip) error {
	current, err := f.open()
	if err != nil {
		return fmt.Errorf("open before the flip: %w", err)
	}
	behind, err := f.open()
	if err != nil {
		return fmt.Errorf("open before the flip: %w", err)
	}
	if _, err := current.Len(); err != nil {
		return err
	}
	back, err := f.flip(fl)
	if err != nil {
		return err
	}
	for who, d := range map[string]*ultradict.Dict{"up to date": current, "behind": behind} {
		outcome, detail := lookAt(d, f.history)
		f.count(fl, who, outcome, detail)
	}
	comer, err := f.open()
	if err != nil {
		f.count(fl, "newcomer", kindOf(err), err.Error())
	} else {
		outcome, detail := lookAt(comer, f.history)
		f.count(fl, "newcomer", outcome, detail)
		_ = comer.Close()
	}
	_ = behind.Close() // upon a flipped byte
	if err := back(); err != nil {
		return err
	}
	_ = current.Close()
	if f.intact() {
		return nil
	}
	return f.restore() // a byte that was flipped made somebody write
}

// intact reports whether everything is as it was, but for what comes and goes:
// participants, and the words of the locks.
func (f *flipper) intact() bool {
	for name, content := range f.files {
		now, err := os.ReadFile(filepath.Join(f.dir, "test", name))
		if err != nil || len(now) != len(content) {
			return false
		}
		if name == "control" && !(bytes.Equal(now[:1024], content[:1024]) && bytes.Equal(now[132480:], content[132480:])) {
			return false
		}
		if name != "control" && !bytes.Equal(now, content) {
			return false
		}
	}
	return true
}
