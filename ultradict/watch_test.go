package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() { roles["watcher"], roles["shaker"] = watcher, shaker }

type event = ultradict.Event[string, any]

// told reads n events, each as one line.
func told(t *testing.T, events iter.Seq2[event, error], n int) (lines []string) {
	t.Helper()
	for e, err := range events {
		require.NoError(t, err)
		line := fmt.Sprint(e.Kind)
		if e.Key != "" {
			line += " " + e.Key
		}
		if s, ok := e.Value.(string); ok && len(s) > 20 {
			e.Value = fmt.Sprint(len(s), " bytes of ", s[:1])
		}
		if e.Kind == ultradict.EventPut {
			line += fmt.Sprint("=", e.Value)
		}
		if e.More {
			line += " …"
		}
		require.NotZero(t, e.Revision)
		require.Empty(t, e.Path)
		if lines = append(lines, line); len(lines) == n {
			break
		}
	}
	return lines
}

func TestWatch(t *testing.T) {
	dir := memoryDir(t)
	a, b := open(t, dir), open(t, dir)
	require.NoError(t, a.Set("before", 1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	all, only, prefix, contents := a.Watch(ctx), a.Watch(ctx, ultradict.OnlyKey("k2")), a.Watch(ctx, ultradict.Prefix("k")), a.Watch(ctx, ultradict.WithContents())
	require.NoError(t, b.Set("k1", "v"))
	require.NoError(t, b.Set("x", strings.Repeat("x", 500_000)))
	_, err := b.Delete("before")
	require.NoError(t, err)
	_, err = b.Delete("before") // nothing happens
	require.NoError(t, err)
	require.NoError(t, b.Update(ctx, func(tx *ultradict.Tx[string, any]) error {
		_, err := tx.Delete("k1")
		return errors.Join(tx.Set("k2", 0), tx.Set("k3", strings.Repeat("y", 400_000)), tx.Set("k2", 2), err)
	}))
	require.NoError(t, b.Update(ctx, func(tx *ultradict.Tx[string, any]) error {
		return errors.Join(tx.Set("k4", true), tx.Clear(), tx.Set("k5", nil))
	}))
	changes := []string{"put k1=v", "put x=500000 bytes of x", "delete before",
		"delete k1 …", "put k2=2 …", "put k3=400000 bytes of y", "clear …", "put k5=<nil>"}
	require.Equal(t, changes, told(t, all, len(changes)))
	require.Equal(t, []string{"put k2=2", "clear"}, told(t, only, 2))
	require.Equal(t, []string{"put k1=v", "delete k1 …", "put k2=2 …", "put k3=400000 bytes of y", "clear …", "put k5=<nil>"}, told(t, prefix, 6))
	require.Equal(t, append([]string{"put before=1", "synced"}, changes...), told(t, contents, len(changes)+2))
}

func TestWatchFromRevision(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	require.NoError(t, d.Set("a", 1))
	e, err := d.GetEntry("a")
	require.NoError(t, err)
	require.NoError(t, d.Set("b", 2))
	require.Equal(t, []string{"put b=2"}, told(t, d.Watch(t.Context(), ultradict.FromRevision(e.Revision)), 1))
	now, err := d.GetEntry("b")
	require.NoError(t, err)
	events := d.Watch(t.Context(), ultradict.FromRevision(now.Revision))
	require.NoError(t, d.Set("c", 3))
	require.Equal(t, []string{"put c=3"}, told(t, events, 1))
	for _, nonsense := range []uint64{now.Revision + 1<<20, now.Revision - 3, 1 << 63} {
		for _, err := range d.Watch(t.Context(), ultradict.FromRevision(nonsense)) {
			require.ErrorIs(t, err, ultradict.ErrInvalidOption, "revision %d", nonsense)
		}
	}

	// When the records are gone: everything there is, after a clear.
	for i := range 20_000 {
		require.NoError(t, d.Set("many", i))
	}
	_, err = d.Delete("b")
	require.NoError(t, err)
	lines := told(t, d.Watch(t.Context(), ultradict.FromRevision(e.Revision)), 5)
	require.Equal(t, []string{"resync …", "clear …", "put a=1 …", "put c=3 …", "put many=19999"}, lines)
}

// A watch that is not read for long is told the difference.
func TestWatchLapped(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	for _, k := range []string{"stays", "goes", "changes"} {
		require.NoError(t, d.Set(k, "old"))
	}
	events := d.Watch(t.Context())
	lap := func() {
		for i := range 20_000 {
			require.NoError(t, d.Set("many", i))
		}
	}
	lap()
	_, err := d.Delete("goes")
	require.NoError(t, err)
	require.NoError(t, d.Set("changes", "new"))
	require.NoError(t, d.Set("new", strings.Repeat("z", 5000)))
	_, err = d.Delete("many")
	require.NoError(t, err)
	next, stop := iter.Pull2(events)
	defer stop()
	one := func() string {
		e, err, ok := next()
		require.True(t, ok)
		require.NoError(t, err)
		return told(t, func(yield func(event, error) bool) { yield(e, nil) }, 1)[0]
	}
	for _, want := range []string{"resync …", "delete goes …", "put changes=new …", "put new=5000 bytes of z"} {
		require.Equal(t, want, one())
	}
	// From there on it goes on as before; and it may be lapped again.
	require.NoError(t, d.Set("then", 1))
	require.Equal(t, "put then=1", one())
	require.NoError(t, d.Clear())
	require.NoError(t, d.Set("last", 1))
	lap()
	lines := []string{one()}
	for lines[len(lines)-1] != "put many=19999" {
		lines = append(lines, one())
	}
	require.Equal(t, []string{"resync …", "delete changes …", "delete new …", "delete stays …", "delete then …", "put last=1 …", "put many=19999"}, lines)
}

func TestWatchEnds(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	last := func(events iter.Seq2[event, error]) (err error) {
		for _, err = range events {
			require.Error(t, err)
		}
		return err
	}
	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	events, unread := d.Watch(short), d.Watch(short)
	require.Equal(t, context.DeadlineExceeded, last(events))
	require.Equal(t, context.DeadlineExceeded, last(unread))
	for _, opts := range [][]ultradict.WatchOption{
		{ultradict.WithContents(), ultradict.FromRevision(1)},
		{ultradict.OnlyKey("k"), ultradict.Prefix("k")},
		{ultradict.OnlyKey(7)},
	} {
		require.ErrorIs(t, last(d.Watch(t.Context(), opts...)), ultradict.ErrInvalidOption)
	}
	require.ErrorAs(t, last(d.Watch(t.Context(), ultradict.OnlyKey("\xff"))), new(*ultradict.EncodeError))
	numbers, err := ultradict.OpenMap[string, int]("test", ultradict.WithDir(dir))
	require.NoError(t, err)
	ofNumbers := numbers.Watch(t.Context())
	require.NoError(t, d.Set("k", "no number"))
	for _, err := range ofNumbers {
		var wrong *ultradict.TypeError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, "k", wrong.Key)
	}
	require.NoError(t, numbers.Close())
	c := open(t, dir)
	ofClosed := c.Watch(t.Context())
	go func() {
		pause()
		c.Close()
	}()
	require.ErrorIs(t, last(ofClosed), ultradict.ErrClosed)
	require.ErrorIs(t, last(c.Watch(t.Context())), ultradict.ErrClosed)
	ofRemoved := d.Watch(t.Context())
	go func() {
		pause()
		_ = ultradict.Remove("test", ultradict.WithDir(dir))
	}()
	require.ErrorIs(t, last(ofRemoved), ultradict.ErrRemoved)
}

// Three processes write, four watch, of which two are slow: what each was told makes
// up exactly what is there in the end, in order, and nothing twice.
func TestWatchUnderFire(t *testing.T) {
	length := 4 * time.Second
	if testing.Short() {
		length = time.Second
	}
	dir := memoryDir(t)
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	var watchers, shakers []*proctest.Proc
	for i := range 4 {
		p := proctest.Start(t, "watcher", dir, strconv.Itoa(i%2), strconv.FormatBool(i == 3))
		require.Equal(t, "watching", p.Line())
		watchers = append(watchers, p)
	}
	for i := range 3 {
		shakers = append(shakers, proctest.Start(t, "shaker", dir, strconv.Itoa(i)))
	}
	time.Sleep(length)
	for _, p := range shakers {
		p.Send("end")
		require.NoError(t, p.Wait())
	}
	want := map[string]any{}
	for k, v := range d.All() {
		want[k] = v
	}
	require.NoError(t, d.Set("end", 1))
	for _, p := range watchers {
		words := strings.Fields(p.Line())
		require.Len(t, words, 3)
		require.Equal(t, digest(want), words[0])
		t.Logf("%s events, %s resyncs", words[1], words[2])
		require.NoError(t, p.Wait())
	}
	requireHealthy(t, dir)
}

func digest(m map[string]any) string {
	h := fnv.New64a()
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(h, "%q=%q;", k, fmt.Sprint(m[k]))
	}
	return fmt.Sprintf("%d:%x", len(m), h.Sum64())
}

// watcher rebuilds the dictionary from events. args are the directory, whether it is
// slow, and whether it reads only.
func watcher(args []string) error {
	opts := []ultradict.Option{ultradict.WithDir(args[0])}
	if args[2] == "true" {
		opts = append(opts, ultradict.ReadOnly())
	}
	d, err := ultradict.Open("test", opts...)
	if err != nil {
		return err
	}
	got, revisions := map[string]any{}, map[string]uint64{}
	var last uint64 // revision of the commit before
	events, resyncs, more, difference := 0, 0, false, false
	watch := d.Watch(context.Background(), ultradict.WithContents())
	proctest.Say("watching")
	synced := false
	for e, err := range watch {
		if err != nil {
			return err
		}
		events++
		if args[1] == "1" && events%100 == 0 {
			time.Sleep(20 * time.Millisecond)
		}
		switch {
		case !synced, difference:
		case more && e.Revision != last:
			return fmt.Errorf("more of the commit at %d was promised, and it is of %d", last, e.Revision)
		case !more && e.Revision <= last:
			return fmt.Errorf("a commit at %d follows one at %d", e.Revision, last)
		}
		last = max(last, e.Revision)
		switch e.Kind {
		case ultradict.EventSynced:
			synced = true
		case ultradict.EventResync:
			resyncs++
			difference = true
		case ultradict.EventClear:
			clear(got)
		case ultradict.EventDelete:
			if _, there := got[e.Key]; difference && !there {
				return fmt.Errorf("a resync deletes %q, which is absent", e.Key)
			}
			delete(got, e.Key)
		case ultradict.EventPut:
			if e.Revision <= revisions[e.Key] && !(difference && args[2] == "true") {
				return fmt.Errorf("%q was told of at %d, after %d", e.Key, e.Revision, revisions[e.Key])
			}
			revisions[e.Key] = e.Revision
			if e.Key == "end" {
				proctest.Say("%s %d %d", digest(got), events, resyncs)
				return d.Close()
			}
			got[e.Key] = e.Value
		}
		if more = e.More; !more {
			difference = false
		}
	}
	return errors.New("the watch ended")
}

// shaker writes whatever can be written until it is told to end.
func shaker(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	end := make(chan struct{})
	go func() {
		proctest.Receive()
		close(end)
	}()
	r := rand.New(rand.NewPCG(seed, 7))
	key := func() string { return fmt.Sprint("k", r.IntN(300)) }
	for i := 0; ; i++ {
		select {
		case <-end:
			return d.Close()
		default:
		}
		switch n := r.IntN(1000); {
		case n < 700:
			err = d.Set(key(), i)
		case n < 720:
			err = d.Set(key(), strings.Repeat("large", 200+r.IntN(400)))
		case n < 850:
			_, err = d.Delete(key())
		case n < 851:
			err = d.Clear()
		default:
			err = d.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error {
				_, err := tx.Delete(key())
				return errors.Join(tx.Set(key(), i), tx.Set(key(), i), err)
			})
		}
		if err != nil {
			return err
		}
		if r.IntN(2000) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}
