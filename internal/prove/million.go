package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ultradict/go/ultradict"
)

// million shows what a dictionary of a million keys costs those who open it.
func million(r *run) {
	const length = 100 // of a value, in bytes
	keys := r.scaled(1_000_000, 200_000)
	m := r.texts("million")
	small := r.texts("thousand")
	for i := range 1000 {
		r.must(small.Set(millionKey(i), millionValue(i, length)))
	}
	peak := r.load(m, keys, length)
	data := int64(keys) * int64(length+len(millionKey(keys)))
	st, err := m.Status()
	r.must(err)
	r.tell("    shared memory: data; peak while loading; after it", "%s; %s (%.1f ×); %s (%.1f ×)",
		size(data), size(peak), float64(peak)/float64(data), size(st.Bytes), float64(st.Bytes)/float64(data))

	r.betweenRollovers(m, keys, length)

	p := r.start("newcomer", m.Name(), keys, 10_000)
	var took time.Duration
	var grown int64
	p.expect("%d", &took)
	p.expect("%d", &grown)
	p.end()
	r.figure("private memory of a process after 10,000 random reads", size(grown), "< 30 MiB", grown < 30<<20)

	// The same amount of stream is to be replayed with both.
	few, many := r.openTimes(small, 1000, m, keys, length)
	r.ratio(fmt.Sprintf("open + first read: %d keys / 1,000 keys, medians", keys), float64(many.at(.5))/float64(few.at(.5)), 3, 3)
	r.tell("    medians", "%s / %s", short(many.at(.5)), short(few.at(.5)))
}

func millionKey(i int) string { return fmt.Sprintf("key-%09d", i) }

// millionValue begins with its number, so that a reader knows what it reads.
func millionValue(i, length int) string {
	head := fmt.Sprintf("%d:", i)
	return head + strings.Repeat("v", length-len(head))
}

// load fills a dictionary and returns how much shared memory it took at most.
func (r *run) load(m *ultradict.Map[string, string], keys, length int) (peak int64) {
	var spent time.Duration
	for i := 0; i < keys; {
		batch := make([]string, min(keys-i, 10_000))
		for j := range batch {
			batch[j] = millionValue(i+j, length)
		}
		begin := time.Now()
		for j, value := range batch {
			r.must(m.Set(millionKey(i+j), value))
		}
		spent += time.Since(begin)
		i += len(batch)
		used, err := diskUsage(r.dir)
		r.must(err)
		peak = max(peak, used)
		r.progress("loaded %d keys", i)
	}
	r.tell(fmt.Sprintf("loaded %d keys of %d bytes", keys, length), "%.2f M/s", float64(keys)/spent.Seconds()/1e6)
	return peak
}

// betweenRollovers lets fresh processes open the dictionary at moments that
// are spread evenly between two rollovers, when there is ever more stream to
// replay.
func (r *run) betweenRollovers(m *ultradict.Map[string, string], keys, length int) {
	moments := r.scaled(50, 15)
	var took times
	most := uint64(0)
	for n := range moments {
		r.progress("moment %d", n+1)
		st, err := m.Status()
		r.must(err)
		// A rollover is due when half the stream is full.
		want := uint64(n) * uint64(st.StreamAtRest/2-4096) / uint64(moments)
		most = max(most, r.writeUntil(m, keys, length, want))
		took = append(took, r.newcomer(m.Name(), keys))
	}
	r.atMost(fmt.Sprintf("open + first read at %d moments between rollovers, worst", moments), took.sorted().worst(), 20*time.Millisecond)
	r.tell("    p50; p99; most stream to replay", "%s; %s; %s", short(took.at(.5)), short(took.at(.99)), size(most))
}

// writeUntil writes until there are so many bytes of stream that no layer holds
// yet, and a little more.
func (r *run) writeUntil(m *ultradict.Map[string, string], keys, length int, want uint64) uint64 {
	for i := 0; ; i++ {
		r.must(m.Set(millionKey(i%keys), millionValue(i%keys, length)))
		if i%20 == 0 {
			st, err := m.Status()
			r.must(err)
			if u := unfolded(st); u >= want && u < want+8192 {
				return u
			}
		}
	}
}

// newcomer starts a process that opens the dictionary and reads a key, and
// returns how long it took for these two.
func (r *run) newcomer(name string, keys int) time.Duration {
	p := r.start("newcomer", name, keys, 0)
	var took time.Duration
	p.expect("%d", &took)
	p.end()
	return took
}

// openTimes lets newcomers open two dictionaries in turn, with the same amount
// of stream to replay.
func (r *run) openTimes(a *ultradict.Map[string, string], keysA int, b *ultradict.Map[string, string], keysB, length int) (ofA, ofB times) {
	const replayed = 64 << 10
	r.writeUntil(a, keysA, length, replayed)
	r.writeUntil(b, keysB, length, replayed)
	for n := range r.scaled(25, 9) {
		r.progress("open times, round %d", n+1)
		ofA = append(ofA, r.newcomer(a.Name(), keysA))
		ofB = append(ofB, r.newcomer(b.Name(), keysB))
	}
	return ofA.sorted(), ofB.sorted()
}

// newcomerRole opens a dictionary and reads one key, and then some more.
func newcomerRole(dir string, args []string) error {
	keys, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	reads, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	before, err := privateMemory()
	if err != nil {
		return err
	}
	begin := time.Now()
	return using(dir, args[0], func(m *ultradict.Map[string, string]) error {
		if err := readMillion(m, rand.IntN(keys)); err != nil {
			return err
		}
		say("%d", time.Since(begin).Nanoseconds())
		if reads == 0 {
			return nil
		}
		for range reads {
			if err := readMillion(m, rand.IntN(keys)); err != nil {
				return err
			}
		}
		after, err := privateMemory()
		say("%d", after-before)
		return err
	})
}

func readMillion(m *ultradict.Map[string, string], i int) error {
	got, err := m.Get(millionKey(i))
	if err != nil {
		return fmt.Errorf("get key %d: %w", i, err)
	}
	if !strings.HasPrefix(got, fmt.Sprintf("%d:v", i)) {
		return fmt.Errorf("key %d holds %q", i, got)
	}
	return nil
}

// privateMemory is the memory in bytes that belongs to this process alone.
func privateMemory() (int64, error) {
	runtime.GC()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(raw) {
		if rest, ok := bytes.CutPrefix(line, []byte("RssAnon:")); ok {
			kib, err := strconv.ParseInt(strings.Fields(string(rest))[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no RssAnon in /proc/self/status")
}
