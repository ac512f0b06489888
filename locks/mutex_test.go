package locks

import (
	"context"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// town is a world of participants without processes.
type town struct {
	mu    sync.Mutex
	dead  map[uint32]bool
	dying map[uint32]bool
	asked int
}

// citizen is one of them.
type citizen struct {
	*town
	id uint32
}

func (c citizen) ID() uint32 { return c.id }

func (c citizen) Dead(id uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.dead[id]
}

func (c citizen) Dying(id uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dying[id]
}

func (c citizen) PID(id uint32) int { return int(id%1000) * 10 }

func newTown() *town { return &town{dead: make(map[uint32]bool), dying: make(map[uint32]bool)} }

func (tw *town) mutex(w *Word, id uint32) *Mutex { return New(w, citizen{tw, id}, Options{}) }

const short = 30 * time.Millisecond // long enough for several sleeps

func lockError(t *testing.T, err error) *errs.LockError {
	t.Helper()
	var e *errs.LockError
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	return e
}

func TestStates(t *testing.T) {
	for name, tt := range map[string]struct {
		state       uint32
		dead, dying []uint32
		timeout     time.Duration
		got         bool
		after       uint32 // the word, with the lock or without it
		pid         int    // in the error
	}{
		"free":                      {state: 0, got: true, after: 1},
		"free, no time limit":       {state: 0, timeout: -1, got: true, after: 1},
		"held":                      {state: 2, after: 2, pid: 20},
		"held, waiting":             {state: 2, timeout: short, after: 2 | waiters, pid: 20},
		"held with waiters":         {state: 2 | waiters, after: 2 | waiters, pid: 20},
		"by ourselves":              {state: 1, timeout: short, after: 1 | waiters, pid: 10},
		"by ourselves, called dead": {state: 1, dead: []uint32{1}, dying: []uint32{1}, timeout: short, after: 1 | waiters, pid: 10},
		"dead":                      {state: 2, dead: []uint32{2}, got: true, after: 1 | waiters},
		"dead with waiters":         {state: 2 | waiters, dead: []uint32{2}, got: true, after: 1 | waiters},
		"dead, waiting":             {state: 2, dead: []uint32{2}, timeout: -1, got: true, after: 1 | waiters},
		"dying":                     {state: 2, dying: []uint32{2}, got: true, after: 1 | waiters},
		"dying, waiting":            {state: 2 | waiters, dying: []uint32{2}, timeout: -1, got: true, after: 1 | waiters},
		"another one dead":          {state: 2, dead: []uint32{3}, dying: []uint32{4}, timeout: short, after: 2 | waiters, pid: 20},
		"last id":                   {state: maxID, timeout: short, after: math.MaxUint32, pid: int(maxID%1000) * 10},
		"damaged: nobody waits":     {state: waiters, timeout: -1, got: true, after: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var w Word
			w.state.Store(tt.state)
			tw := newTown()
			for _, id := range tt.dead {
				tw.dead[id] = true
			}
			for _, id := range tt.dying {
				tw.dying[id] = true
			}
			took := 0
			m := New(&w, citizen{tw, 1}, Options{OnTakeover: func() { took++ }})
			err := m.Lock(t.Context(), tt.timeout)
			require.Equal(t, tt.after, w.state.Load())
			takeovers, waits := m.Counters()
			require.EqualValues(t, took, takeovers)
			if !tt.got {
				require.Zero(t, took)
				require.Equal(t, tt.pid, lockError(t, err).OwnerPID)
				require.Panics(t, m.Unlock, "not ours to unlock")
				require.Equal(t, tt.after, w.state.Load())
				return
			}
			require.NoError(t, err)
			require.Equal(t, len(tt.dead)+len(tt.dying), took)
			require.LessOrEqual(t, waits, uint64(1))
			require.False(t, m.TryLock())
			m.Unlock()
			require.Zero(t, w.state.Load())
			require.Panics(t, m.Unlock, "twice")
			require.True(t, m.TryLock())
			m.Unlock()
		})
	}
}

func TestNewWantsAnID(t *testing.T) {
	for _, id := range []uint32{0, 1 << 31, math.MaxUint32} {
		require.Panics(t, func() { newTown().mutex(new(Word), id) }, id)
	}
	require.NotPanics(t, func() { newTown().mutex(new(Word), maxID) })
}

// Model: what a sequence of calls by three participants must give, next to an
// owner kept in a variable.
func FuzzModel(f *testing.F) {
	f.Add([]byte{0, 1, 6, 3, 9, 0, 12, 4, 7})
	f.Add([]byte{0, 9, 1, 10, 2, 11, 0, 1, 2})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 200 {
			return
		}
		var w Word
		tw := newTown()
		next := uint32(1)
		var all [3]*Mutex
		var ids [3]uint32
		revive := func(i int) { // a new participant in the place of a dead one
			ids[i], next = next, next+1
			all[i] = tw.mutex(&w, ids[i])
		}
		for i := range all {
			revive(i)
		}
		owner, takeovers := uint32(0), uint64(0)
		for _, op := range script {
			i := int(op % 3)
			m := all[i]
			switch op / 3 % 4 {
			case 0: // TryLock
				require.Equal(t, owner == 0, m.TryLock())
				if owner == 0 {
					owner = ids[i]
				}
			case 1: // Lock
				w.claim.Store(0) // as if time had passed
				err := m.Lock(t.Context(), 0)
				if owner == 0 || tw.dead[owner] {
					require.NoError(t, err)
					if owner != 0 {
						takeovers++
					}
					owner = ids[i]
				} else {
					require.EqualValues(t, owner%1000*10, lockError(t, err).OwnerPID)
				}
			case 2: // Unlock
				if owner == ids[i] {
					m.Unlock()
					owner = 0
				} else {
					require.Panics(t, m.Unlock)
				}
			case 3: // die
				tw.dead[ids[i]] = true
				revive(i)
			}
			id, _, _ := m.Owner()
			require.Equal(t, owner, id)
			n, _ := m.Counters()
			require.Equal(t, takeovers, n)
		}
	})
}

// Whatever stands in the word, Lock comes to an end, with the lock or with a
// typed error; and nobody who did not die loses the lock.
func FuzzHostileWord(f *testing.F) {
	f.Add(uint32(0), int64(0), uint64(0))
	f.Add(waiters, int64(math.MaxInt64), uint64(math.MaxUint64))
	f.Add(uint32(1), int64(math.MinInt64), uint64(1)<<seenBits)
	f.Add(uint32(7)|waiters, int64(-1), uint64(7)<<seenBits|seenMask)
	f.Fuzz(func(t *testing.T, state uint32, claim int64, seen uint64) {
		var w Word
		w.state.Store(state)
		w.claim.Store(claim)
		w.seen.Store(seen)
		m := newTown().mutex(&w, 1)
		_, held, _ := m.Owner()
		require.GreaterOrEqual(t, held, time.Duration(0))
		if err := m.Lock(t.Context(), 3*time.Millisecond); err != nil {
			require.GreaterOrEqual(t, lockError(t, err).Held, time.Duration(0))
			require.Equal(t, state&^waiters, w.state.Load()&^waiters)
			return
		}
		require.Zero(t, state&^waiters)
		w.state.Store(state) // damaged while we have it
		require.NotPanics(t, m.Unlock)
		if state&^waiters != 1 {
			require.Equal(t, state, w.state.Load(), "left as it was")
		}
	})
}

func TestHeldIsSeen(t *testing.T) {
	var w Word
	tw := newTown()
	a, b := tw.mutex(&w, 1), tw.mutex(&w, 2)
	require.True(t, a.TryLock())
	_, held, waiting := b.Owner()
	require.Zero(t, held, "nobody has waited yet")
	require.False(t, waiting)

	require.Error(t, b.Lock(t.Context(), short))
	first := lockError(t, b.Lock(t.Context(), short)).Held
	require.NotZero(t, first, "seen by the call before")
	id, held, waiting := b.Owner()
	require.EqualValues(t, 1, id)
	require.GreaterOrEqual(t, held, first)
	require.True(t, waiting)

	a.Unlock()
	require.True(t, a.TryLock())
	id, held, waiting = b.Owner()
	require.EqualValues(t, 1, id)
	require.Zero(t, held, "another time that it is held")
	require.False(t, waiting)
	a.Unlock()
}

// Of all who wait only one asks in any period.
func TestProbesAreShared(t *testing.T) {
	var w Word
	now := int64(1e9)
	require.True(t, w.claimProbe(now, probePeriod))
	require.False(t, w.claimProbe(now, probePeriod))
	require.False(t, w.claimProbe(now+int64(probePeriod)-1, probePeriod))
	require.True(t, w.claimProbe(now+int64(probePeriod), probePeriod))
	w.claim.Store(math.MaxInt64)
	require.True(t, w.claimProbe(now, probePeriod), "a time that has not come is damage")
	require.False(t, w.claimProbe(now, probePeriod))
	for _, bit := range []uint{63, 62} {
		w.claim.Store(now ^ -1<<bit)
		require.True(t, w.claimProbe(now, probePeriod), "and so is one before all times")
		w.claim.Store(math.MinInt64 + now>>bit)
		require.True(t, w.claimProbe(now, probePeriod))
	}
}

func TestContext(t *testing.T) {
	var w Word
	tw := newTown()
	a, b := tw.mutex(&w, 1), tw.mutex(&w, 2)
	require.True(t, a.TryLock())

	// One waits for the lock, the others for their turn.
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error)
	for range 5 {
		go func() { results <- b.Lock(ctx, -1) }()
	}
	for w.waits.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	for range 5 {
		require.ErrorIs(t, <-results, context.Canceled)
	}
	timed, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	err := b.Lock(timed, time.Hour)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "process 10")

	a.Unlock()
	require.NoError(t, b.Lock(ctx, -1), "a free lock is taken without a look at the context")
	b.Unlock()
}

// The deadline counts the wait for one's turn too.
func TestDeadlineOfAQueue(t *testing.T) {
	var w Word
	tw := newTown()
	a, b := tw.mutex(&w, 1), tw.mutex(&w, 2)
	require.True(t, a.TryLock())
	results := make(chan error)
	for range 5 {
		go func() { results <- b.Lock(t.Context(), short) }()
	}
	for range 5 {
		require.Equal(t, 10, lockError(t, <-results).OwnerPID)
	}
	a.Unlock()
	require.True(t, b.TryLock())
	b.Unlock()
}

// A waiter that gives up after it was woken leaves somebody else to be woken.
func TestGivingUpPassesOn(t *testing.T) {
	var w Word
	m := newTown().mutex(&w, 1)
	m.passOn()
	require.Zero(t, w.state.Load(), "free: nothing to remember, one is woken")
	w.state.Store(2)
	m.passOn()
	require.Equal(t, 2|waiters, w.state.Load(), "a quicker one has it: it must wake the next")
	m.passOn()
	require.Equal(t, 2|waiters, w.state.Load())
}

// Goroutines of several participants, some of which give up at random, count
// in a plain variable. With the race detector this also shows that it sees the
// order which the lock makes.
func TestGoroutines(t *testing.T) {
	var w Word
	tw := newTown()
	counter, want := 0, atomic.Int64{}
	var wg sync.WaitGroup
	for id := range uint32(3) {
		m := tw.mutex(&w, id+1)
		for g := range 4 {
			wg.Go(func() {
				for i := range 2000 {
					ctx, cancel := context.Background(), func() {}
					timeout := time.Duration(-1)
					switch (i + g) % 50 {
					case 0:
						timeout = 50 * time.Microsecond
					case 1:
						ctx, cancel = context.WithTimeout(ctx, 50*time.Microsecond)
					}
					err := m.Lock(ctx, timeout)
					cancel()
					if err != nil {
						continue
					}
					counter++
					want.Add(1)
					m.Unlock()
				}
			})
		}
	}
	wg.Wait()
	require.EqualValues(t, want.Load(), counter)
	require.Greater(t, counter, 12*2000*9/10)
	require.Zero(t, w.state.Load()&^waiters)
}

func BenchmarkTryLock(b *testing.B) {
	var w Word
	m := newTown().mutex(&w, 1)
	for b.Loop() {
		if m.TryLock() {
			m.Unlock()
		}
	}
}

func BenchmarkLock(b *testing.B) {
	var w Word
	m := newTown().mutex(&w, 1)
	ctx := context.Background()
	for b.Loop() {
		if m.Lock(ctx, -1) == nil {
			m.Unlock()
		}
	}
}

func BenchmarkLockGoroutines(b *testing.B) {
	var w Word
	m := newTown().mutex(&w, 1)
	ctx := context.Background()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if m.Lock(ctx, -1) == nil {
				m.Unlock()
			}
		}
	})
}

// leaver closes a mutex at the moment when it asks about the owner.
type leaver struct {
	citizen
	m      **Mutex
	closed *bool
}

func (l leaver) Dead(id uint32) bool {
	if !*l.closed {
		*l.closed = true
		(*l.m).Close() // returns: the word does not name us
	}
	return l.citizen.Dead(id)
}

// A lock that is taken over from the dead while its Mutex is being closed is
// given back: the participant may have left by then.
func TestTakeoverWhileClosing(t *testing.T) {
	town := newTown()
	var w Word
	require.True(t, town.mutex(&w, 1).TryLock())
	town.dead[1] = true
	var m *Mutex
	closed := false
	m = New(&w, leaver{citizen{town, 2}, &m, &closed}, Options{})
	require.Error(t, m.Lock(context.Background(), time.Second))
	require.True(t, closed)
	other := town.mutex(&w, 3)
	require.NoError(t, other.Lock(context.Background(), time.Second))
	other.Unlock()
}
