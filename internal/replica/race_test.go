package replica

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// counters is a dictionary whose entries all have the same value, that of the
// position they are looked at.
const counters = 40

// made is the base of one position: each key has the position as its value.
type made uint64

func (m made) Position() uint64 { return uint64(m) }
func (m made) Live(uint64) (int, error) {
	return counters, nil
}
func (m made) Find(k Key) (*Version, error) {
	return Encoded(uint64(m), strconv.FormatUint(uint64(m), 10)).From(8), nil
}

// One goroutine applies, one moves the replica on to newer bases, others look,
// promote, decode and keep views: nobody sees a step backwards, half a record,
// or a value that stays what it no longer is.
func TestReadersNeverSeeAStepBackwards(t *testing.T) {
	records := 10_000
	if testing.Short() {
		records = 2_000
	}
	r := New(made(8))
	var over atomic.Bool
	var wait sync.WaitGroup
	failed := make(chan string, 100)
	fail := func(why string) {
		select {
		case failed <- why:
		default:
		}
	}
	wait.Go(func() { // adopts
		for !over.Load() {
			r.Lock()
			b := r.Begin(made(r.State().Applied()))
			r.Unlock()
			b.Copy()
			r.Lock()
			b.Finish()
			r.Unlock()
			time.Sleep(100 * time.Microsecond)
		}
	})
	for g := range 3 {
		wait.Go(func() { // reads
			last := uint64(0)
			for i := g; !over.Load(); i++ {
				s := r.State()
				p := s.Applied()
				x, ok := lookUp(s, key(i%counters), p)
				if !ok {
					continue // behind
				}
				if x != p {
					fail("at " + strconv.FormatUint(p, 10) + " stands " + strconv.FormatUint(x, 10))
				}
				if x < last {
					fail("step backwards")
				}
				last = x
			}
		})
	}
	wait.Go(func() { // keeps views
		for !over.Load() {
			hold := r.Views.Register(r.State().Applied())
			s := r.State()
			p := s.Applied()
			if s != r.State() {
				hold.Release()
				continue
			}
			hold.Set(p)
			for range 20 {
				for i := range counters {
					if x, ok := lookUp(s, key(i), p); !ok || x != p {
						fail("a view has changed")
					}
				}
			}
			n, err := s.Len(0, p)
			if n != counters || err != nil {
				fail("a view counts " + strconv.Itoa(n))
			}
			hold.Release()
		}
	})
	end := uint64(8)
	for range records {
		end += 8
		r.Lock()
		for i := range counters {
			r.Put(key(i), Encoded(end, strconv.FormatUint(end, 10)))
		}
		r.Advance(end)
		r.Unlock()
	}
	over.Store(true)
	wait.Wait()
	close(failed)
	for why := range failed {
		require.Fail(t, why)
	}
	for i := range counters {
		x, ok := lookUp(r.State(), key(i), end)
		require.True(t, ok)
		require.Equal(t, end, x)
	}
}

// A key is applied, promoted by several readers, kept by them decoded, and
// copied to a new overlay, all at the same moment: what was applied is the newest.
func TestWhatIsAppliedIsNewest(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 500
	}
	for n := range rounds {
		r := New(made(8))
		s := r.State()
		var start, done sync.WaitGroup
		start.Add(1)
		for range 3 {
			done.Go(func() {
				start.Wait()
				for i := range 8 {
					lookUp(s, key(i), s.Applied())
				}
			})
		}
		b := r.Begin(made(8))
		done.Go(func() {
			start.Wait()
			b.Copy()
		})
		start.Done()
		for end := uint64(16); end <= 32; end += 8 {
			for i := range 8 {
				k := key((i + n) % 8)
				at := r.Find(k)
				r.Lock()
				r.PutAt(at, k, Encoded(end, strconv.FormatUint(end, 10)))
				r.Unlock()
			}
		}
		r.Lock()
		r.Advance(32)
		r.Unlock()
		done.Wait()
		for i := range 8 {
			x, _ := lookUp(s, key(i), 32)
			require.EqualValues(t, 32, x)
			require.EqualValues(t, 32, b.over.get(key(i)).Revision)
		}
	}
}

// lookUp does what a reader does and returns the number that stands there.
func lookUp(s *State, k Key, p uint64) (uint64, bool) {
	v, result := s.Find(k, p)
	switch result {
	case Behind:
		return 0, false
	case Below:
		v, _ = s.FindBase(k, p)
		s.Promote(k, v)
		if s.Base.Position() != p {
			return 0, true // each record writes every key: there must be something above the base
		}
	}
	if value, ok := v.Value(); ok {
		return value.(uint64), true
	}
	n, err := strconv.ParseUint(v.Raw(), 10, 64)
	if err != nil {
		return 0, true
	}
	s.Keep(k, v, v.With(n, Plain))
	return n, true
}
