//go:build ultradict_failpoints

package killmatrix

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

var (
	full  = flag.Bool("full", false, "kill and stop at every point, not at some of each site")
	only  = flag.String("scenario", "", "the one scenario to run")
	point = flag.Uint64("point", 0, "the one point to kill or stop at")
	seed  = flag.Uint64("seed", 0, "seed of what is chosen at random; 0 for another one each time")
	limit = flag.Duration("limit", 0, "how long after a death the next write may take; 0 for as long as it likes")
)

// side is how many victims are at work at the same time: they wait most of the time.
const side = 8

// figures are what all runs together have shown.
type figures struct {
	mu       sync.Mutex
	kills    int
	further  int // deaths of those who came after
	stops    int
	held     int // of the stopped, those who had the lock
	missed   int // runs that ended before their point
	recovery []taken
	sites    map[string]int
}

type taken struct {
	time time.Duration
	site string
}

var shown = figures{sites: map[string]int{}}

func (f *figures) count(site string, update func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if where, _, ok := strings.Cut(site, " "); ok {
		f.sites[where]++
	}
	update()
}

// TestMatrix kills the victim of each scenario at its points, then stops it there,
// lets the world move on, and continues it.
func TestMatrix(t *testing.T) {
	t.Run("kill", func(t *testing.T) { overPoints(t, (*trial).kill) })
	t.Run("stop", func(t *testing.T) { overPoints(t, (*trial).stop) })
	if *only == "" && !t.Failed() {
		requireEveryStep(t)
	}
	summary(t)
}

// places are where points were passed.
type places struct {
	mu  sync.Mutex
	all map[string]bool
}

var passed = places{all: map[string]bool{}}

func (p *places) add(site string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	where, _, _ := strings.Cut(site, " ")
	p.all[where] = true
}

func (p *places) has(where string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[where]
}

func overPoints(t *testing.T, run func(*trial)) {
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	t.Logf("-seed %d", from)
	for i, sc := range scenarios {
		if *only != "" && sc.name != *only {
			continue
		}
		random := rand.New(rand.NewPCG(from, uint64(i)))
		t.Run(sc.name, func(t *testing.T) {
			points := sc.choose(t, random)
			t.Logf("%d points are tried", len(points))
			random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
			for w := range side {
				t.Run(strconv.Itoa(w), func(t *testing.T) {
					t.Parallel()
					own := rand.New(rand.NewPCG(from, uint64(i*side+w)))
					for n := w; n < len(points); n += side {
						tr := &trial{T: t, Rand: own, sc: sc, at: points[n]}
						run(tr)
						if t.Failed() {
							t.Logf("again: -scenario %s -point %d", sc.name, points[n])
							return
						}
						require.NoError(t, os.RemoveAll(tr.dir)) // thousands would pile up until the end
						require.NoError(t, os.RemoveAll(savesOf(tr.dir)))
					}
				})
			}
		})
	}
}

// choose runs the scenario once without harm and returns the numbers of the points
// to be tried.
func (sc *scenario) choose(t *testing.T, random *rand.Rand) []uint64 {
	if *point != 0 {
		return []uint64{*point}
	}
	tr := &trial{T: t, Rand: random, sc: sc}
	tr.prepare()
	p := tr.start("victim", 0, "kill")
	var sites []string
	for {
		line, ok := p.TryLine()
		require.True(t, ok, "the victim ended early")
		if site, ok := strings.CutPrefix(line, "site "); ok {
			sites = append(sites, site)
			passed.add(site)
		}
		require.False(t, strings.HasPrefix(line, "failed"), line)
		if strings.HasPrefix(line, "points ") {
			break
		}
	}
	require.NoError(t, p.Wait())
	tr.finish(len(sc.steps))
	if *full {
		all := make([]uint64, len(sites)+len(sites)/20)
		for i := range all {
			all[i] = uint64(i + 1)
		}
		return all
	}
	// Both points of each step, at its first time and at some other.
	where := map[string][]uint64{}
	for i, s := range sites {
		where[s] = append(where[s], uint64(i+1))
	}
	var some []uint64
	for _, at := range where {
		if testing.Short() {
			some = append(some, at[random.IntN(len(at))])
			continue
		}
		some = append(some, at[:min(2, len(at))]...)
		if len(at) > 2 {
			some = append(some, at[random.IntN(len(at)-2)+2])
		}
	}
	slices.Sort(some)
	if testing.Short() {
		random.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		some = some[:min(len(some), cut)]
	}
	return some
}

// cut is how many points of a scenario are tried with -short, so that all of them
// take about a minute.
const cut = 14

// trial is one victim.
type trial struct {
	*testing.T
	*rand.Rand
	sc       *scenario
	at       uint64
	dir      string
	survivor *ultradict.Dict // attached before the victim; nil if that creates the dictionary
	rival    *proctest.Proc
}

// prepare makes the directory and what the scenario finds.
func (tr *trial) prepare() {
	dir, err := os.MkdirTemp("/dev/shm", "ultradict-test-")
	require.NoError(tr, err)
	tr.dir = dir
	tr.Cleanup(func() { require.NoError(tr, errors.Join(os.RemoveAll(dir), os.RemoveAll(savesOf(dir)))) })
	if tr.sc.revived {
		tr.saveFirst()
	}
	if tr.sc.fresh {
		return
	}
	tr.survivor, err = tr.sc.open(dir, ultradict.WithLockTimeout(2*time.Second))
	require.NoError(tr, err)
	for _, s := range tr.sc.setup {
		require.NoError(tr, s.do(tr.survivor))
	}
	if tr.sc.dead != "" {
		require.Error(tr, proctest.Start(tr.T, "dier", dir, tr.sc.name, tr.sc.dead).Wait())
	}
	if tr.sc.rival || tr.sc.echo {
		tr.rival = proctest.Start(tr.T, "rival", dir, tr.sc.name)
		require.Equal(tr, "ready", tr.rival.Line())
	}
}

func (tr *trial) start(role string, at uint64, action string, more ...string) *proctest.Proc {
	return proctest.Start(tr.T, role, append([]string{tr.dir, tr.sc.name, fmt.Sprint(at), action}, more...)...)
}

// follow reads what the victim says until it reaches its point, whose site it
// returns, or its end, and how many of its steps had returned.
func (tr *trial) follow(p *proctest.Proc) (acked int, site string, reached bool) {
	for {
		line, ok := p.TryLine()
		require.True(tr, ok, "the victim ended without a word")
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "ack":
			acked, _ = strconv.Atoi(rest)
		case "at":
			return acked, rest, true
		case "points":
			return acked, "", false
		default:
			require.Fail(tr, "the victim says: "+line)
		}
	}
}

// drain reads what is left of what the victim said, and returns how many of its
// steps had returned, if that is among it.
func (tr *trial) drain(p *proctest.Proc) (acked int) {
	for {
		line, ok := p.TryLine()
		if !ok {
			return acked
		}
		if n, ok := strings.CutPrefix(line, "ack "); ok {
			acked, _ = strconv.Atoi(n)
		}
	}
}

// kill lets the victim die at the point, and others after it.
func (tr *trial) kill() {
	tr.prepare()
	p := tr.start("victim", tr.at, "kill")
	acked, site, reached := tr.follow(p)
	if !reached {
		require.NoError(tr, p.Wait())
		shown.count("", func() { shown.missed++ })
		tr.finish(acked)
		return
	}
	begin := time.Now()
	if tr.survivor != nil {
		err := tr.write(tr.survivor)
		took := time.Since(begin)
		if !(tr.sc.gone && acked == len(tr.sc.steps)) {
			require.NoError(tr, err, "the survivor's next write, at %s", site)
		}
		shown.count(site, func() { shown.recovery = append(shown.recovery, taken{took, site}) })
		if *limit > 0 {
			require.LessOrEqual(tr, took, *limit, "the survivor's next write, at %s", site)
		}
	}
	// Its other goroutines may have got further before they died with it.
	acked = max(acked, tr.drain(p))
	require.Error(tr, p.Wait(), "it was to be killed")
	shown.count(site, func() { shown.kills++ })
	for i := range 2 {
		h := tr.start("helper", uint64(1+tr.IntN(1500)), "kill", fmt.Sprint("h", i))
		tr.drain(h)
		if h.Wait() != nil {
			shown.count("", func() { shown.further++ })
		}
	}

	tr.finish(acked)
}

// write is something that must succeed: a Set, or where there may be no space what
// makes the dictionary smaller.
func (tr *trial) write(d *ultradict.Dict) error {
	if tr.sc.loose {
		return d.Clear()
	}
	return d.Set("alive", "yes")
}

// stop stops the victim at the point, and continues it when much has changed.
func (tr *trial) stop() {
	tr.prepare()
	p := tr.start("victim", tr.at, "stop")
	acked, site, reached := tr.follow(p)
	if reached {
		defer p.Signal(syscall.SIGCONT)
		p.AwaitStop()
		held := tr.moveOn(p.PID(), site)
		shown.count(site, func() {
			shown.stops++
			if held {
				shown.held++
			}
		})
		p.Cont()
		more, _, _ := tr.follow(p)
		acked = max(acked, more)
	}
	require.NoError(tr, p.Wait())
	require.Equal(tr, len(tr.sc.steps), acked)

	tr.finish(acked)
}

// moveOn lets the others do what they do while the victim stands still. It reports
// whether that had the lock: then they can do nothing but wait, and are told whom for.
func (tr *trial) moveOn(pid int, site string) (held bool) {
	other, err := tr.sc.open(tr.dir, ultradict.WithLockTimeout(50*time.Millisecond))
	var locked *ultradict.LockError
	if tr.sc.gone && err == nil {
		defer other.Close()
		return false
	}
	if err != nil {
		require.ErrorAs(tr, err, &locked, "open beside one that was stopped at %s", site)
		return true
	}
	defer other.Close()
	// The ring goes round many times, and lists of layers are published.
	turns := 600
	if tr.sc.loose {
		turns = 10 // each of them looks for room
	}
	for i := range turns {
		err := other.Set("moved", small(i))
		if tr.sc.loose && errors.Is(err, ultradict.ErrNoSpace) {
			err = nil
		}
		if err != nil {
			require.ErrorAs(tr, err, &locked, "write beside one that was stopped at %s", site)
			require.Equal(tr, pid, locked.OwnerPID)
			return true
		}
	}
	_, err = other.Delete("moved")
	require.NoError(tr, err)
	return false
}

// finish looks at what is left when acked steps had returned.
func (tr *trial) finish(acked int) {
	if tr.sc.echo {
		tr.requireAnswer()
	}
	if tr.rival != nil {
		tr.rival.Send("end")
		require.NoError(tr, tr.rival.Wait())
	}
	if err := lockFile(tr.dir, 1); err != nil { // whoever had it
		require.NoError(tr, err)
	}
	require.NoError(tr, os.Remove(filepath.Join(tr.dir, lockName)))
	if tr.sc.gone && acked == len(tr.sc.steps) {
		// Whether the removal had begun is open; that it can be finished is not.
		if tr.survivor != nil {
			require.NoError(tr, tr.survivor.Close())
		}
		require.NoError(tr, tr.remove())
		tr.requireEmpty()
		return
	}
	tr.requireHealthy(tr.sc.possible(acked)...)
	if tr.sc.claims {
		tr.requireUnclaimed(key(acked))
	}
	require.NoError(tr, tr.remove())
	tr.requireEmpty()
	if tr.sc.saves {
		tr.requireSaved(acked)
	}
}

// requireAnswer checks that whoever sleeps until there is a ping was woken by the last.
func (tr *trial) requireAnswer() {
	d, err := tr.sc.open(tr.dir)
	require.NoError(tr, err)
	ping, err := d.Get("ping")
	if !errors.Is(err, ultradict.ErrNotFound) {
		require.NoError(tr, err)
		ctx, cancel := context.WithTimeout(tr.Context(), 10*time.Second)
		defer cancel()
		_, err = d.WaitFor(ctx, "pong", func(v any) bool { return v == ping })
		require.NoError(tr, err, "ping %v was not answered", ping)
	}
	require.NoError(tr, d.Close())
}

// requireUnclaimed checks that what the dead had claimed can be had.
func (tr *trial) requireUnclaimed(k string) {
	d, err := tr.sc.open(tr.dir)
	require.NoError(tr, err)
	ctx, cancel := context.WithTimeout(tr.Context(), 10*time.Second)
	defer cancel()
	held, err := d.Lock(ctx, "door")
	require.NoError(tr, err)
	v, err := d.GetOrCompute(ctx, k, func(context.Context) (any, error) { return "computed", nil })
	require.NoError(tr, err)
	require.Equal(tr, "computed", v)
	require.NoError(tr, held.Unlock())
	require.NoError(tr, d.Close())
}

func (tr *trial) remove() error {
	err := ultradict.Remove("test", ultradict.WithDir(tr.dir))
	if err != nil && tr.sc.gone && isNotExist(err) {
		// Gone already; the sweep of what its remover left is for the next one.
		d, err := tr.sc.open(tr.dir)
		if err != nil {
			return err
		}
		if err := d.Close(); err != nil {
			return err
		}
		return ultradict.Remove("test", ultradict.WithDir(tr.dir))
	}
	return err
}

func (tr *trial) requireEmpty() {
	var left []string
	require.NoError(tr, filepath.WalkDir(tr.dir, func(path string, _ os.DirEntry, err error) error {
		if path != tr.dir {
			left = append(left, path)
		}
		return err
	}))
	require.Empty(tr, left, "files left over after Remove")
}
