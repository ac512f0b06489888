package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ultradict/go/internal/clock"
	"github.com/ultradict/go/ultradict"
)

// expiring shows that nothing is served after its time, that everything is swept, and
// that watchers are told once.
func expiring(r *run) {
	keys := r.scaled(100_000, 10_000)
	longest := 5 * time.Second
	m := r.numbers("expiring")
	r.must(m.Set("stays", 1))
	empty := r.ownBytes(m)
	watcher := r.start("expiry-watch", m.Name(), keys)
	watcher.expect("ready")
	readers := []*process{r.start("expiry-read", m.Name(), keys), r.start("expiry-read", m.Name(), keys)}
	for _, p := range readers {
		p.expect("ready")
	}
	// When a key's time is up at the latest is known only after the call: readers find
	// it in another dictionary.
	bounds := r.numbers("bounds")
	began := time.Now()
	for i := range keys {
		ttl := 100*time.Millisecond + time.Duration(rand.Int64N(int64(longest-100*time.Millisecond)))
		r.must(m.SetWithTTL(millionKey(i), i, ttl))
		r.must(bounds.Set(millionKey(i), int(clock.Now()+int64(ttl))))
	}
	written := time.Since(began)
	for n := 1; n > 0; time.Sleep(20 * time.Millisecond) {
		var err error
		n, err = m.Len()
		r.must(err)
		n--
		r.progress("%d entries left", n)
		if time.Since(began) > written+longest+30*time.Second {
			r.must(fmt.Errorf("%d entries are still there", n))
		}
	}
	r.figure("all swept after the last was due by", short(time.Since(began)-written-longest), "≤ 1s", time.Since(began)-written-longest <= time.Second)
	late, served := 0, 0
	for _, p := range readers {
		p.tell("end")
		var n, l int
		p.expect("served %d late %d", &n, &l)
		served, late = served+n, late+l
		p.end()
	}
	r.equal(fmt.Sprintf("of %d values served, late", served), late, 0)
	var told, twice int
	watcher.expect("expired %d twice %d", &told, &twice)
	watcher.end()
	r.equal("expiries that the watcher was told of", told, keys)
	r.equal("    twice", twice, 0)
	after := r.ownBytes(m)
	r.figure("shared memory when all has expired", fmt.Sprintf("%s, was %s", size(after), size(empty)), "≤ 4 MiB more", after <= empty+4<<20)
	r.tell("    keys written a second, each a commit", "%.0f", float64(keys)/written.Seconds())
}

// ownBytes is the shared memory of one dictionary when background work has come to rest.
func (r *run) ownBytes(m *ultradict.Map[string, int]) int64 {
	least := int64(1 << 62)
	for range 20 {
		time.Sleep(100 * time.Millisecond)
		_, err := m.Peek("stays") // in use, so that the keeper looks after it
		r.must(err)
		st, err := m.Status()
		r.must(err)
		least = min(least, st.Bytes)
	}
	return least
}

// expiryReadRole reads keys at random, and compares what it gets with the clock as it
// was before it asked.
func expiryReadRole(dir string, args []string) error {
	var keys int
	if _, err := fmt.Sscan(args[1], &keys); err != nil {
		return err
	}
	bounds, err := ultradict.OpenMap[string, int]("bounds", ultradict.WithDir(dir))
	if err != nil {
		return err
	}
	return using(dir, args[0], func(m *ultradict.Map[string, int]) error {
		say("ready")
		end, served, late := told(), 0, 0
		for i := 0; i%64 != 0 || !over(end); i++ {
			key := millionKey(rand.IntN(keys))
			before := clock.Now()
			_, err := m.Get(key)
			if errors.Is(err, ultradict.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			served++
			until, err := bounds.Get(key)
			if ignoreMiss(err) != nil {
				return err
			}
			if err == nil && before > int64(until) {
				late++
			}
		}
		say("served %d late %d", served, late)
		return bounds.Close()
	})
}

// expiryWatchRole counts expiries.
func expiryWatchRole(dir string, args []string) error {
	var keys int
	if _, err := fmt.Sscan(args[1], &keys); err != nil {
		return err
	}
	return using(dir, args[0], func(m *ultradict.Map[string, int]) error {
		seen, twice := map[string]bool{}, 0
		watch := m.Watch(background)
		say("ready")
		for e, err := range watch {
			switch {
			case err != nil:
				return err
			case e.Kind == ultradict.EventResync:
				return errors.New("the watch was lapped")
			case e.Kind != ultradict.EventExpire:
				continue
			case seen[e.Key]:
				twice++
			}
			if seen[e.Key] = true; len(seen) == keys {
				break
			}
		}
		// One that comes again would come soon.
		say("expired %d twice %d", len(seen), twice)
		return nil
	})
}
