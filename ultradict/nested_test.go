package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

func openTree(t testing.TB, opts ...ultradict.Option) (*ultradict.Dict, string) {
	dir := memoryDir(t)
	return open(t, dir, append(opts, ultradict.WithStreamSize(4<<10))...), dir
}

func dictOf(t testing.TB, d *ultradict.Dict, path ...string) *ultradict.Dict {
	t.Helper()
	n, err := d.Dict(path...)
	require.NoError(t, err)
	return n
}

func plain(t testing.TB, d *ultradict.Dict) map[string]any {
	t.Helper()
	p, err := ultradict.Plain(d)
	require.NoError(t, err)
	return p
}

func TestNested(t *testing.T) {
	d, dir := openTree(t)
	other := open(t, dir)
	jobs := dictOf(t, d, "jobs")
	require.NoError(t, jobs.Set("n", 1))
	done := dictOf(t, d, "jobs", "done")
	require.NoError(t, done.Set("a", "x"))

	again := dictOf(t, other, "jobs", "done")
	v, err := again.Get("a")
	require.NoError(t, err)
	require.Equal(t, "x", v)
	got, err := other.Get("jobs")
	require.NoError(t, err)
	v, err = got.(*ultradict.Dict).Get("n")
	require.NoError(t, err)
	require.Equal(t, int64(1), v)
	_, err = other.Get("n")
	require.ErrorIs(t, err, ultradict.ErrNotFound, "keys of different dictionaries are different keys")

	n, err := other.Len()
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = again.Len()
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, map[string]any{"jobs": map[string]any{"n": int64(1), "done": map[string]any{"a": "x"}}}, plain(t, other))

	existed, err := other.Delete("jobs")
	require.NoError(t, err)
	require.True(t, existed)
	for _, d := range []*ultradict.Dict{jobs, done, again, got.(*ultradict.Dict)} {
		requireGone(t, d, ultradict.ErrRemoved)
	}
	require.Empty(t, plain(t, d))

	fresh := dictOf(t, d, "jobs")
	_, err = fresh.Get("n")
	require.ErrorIs(t, err, ultradict.ErrNotFound)
	requireGone(t, jobs, ultradict.ErrRemoved)
	requireHealthy(t, dir)
}

// requireGone wants everything that a handle can do to say that it is of no use.
func requireGone(t testing.TB, d *ultradict.Dict, want error) {
	t.Helper()
	is := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, want)
	}
	ctx := context.Background()
	_, err := d.Get("n")
	is(err)
	_, err = d.Peek("n")
	is(err)
	_, err = d.Has("n")
	is(err)
	_, err = d.GetEntry("n")
	is(err)
	_, err = d.Len()
	is(err)
	for _, err := range d.Entries() {
		is(err)
	}
	is(d.Set("n", 1))
	is(d.Set("n", make([]byte, 100_000)))
	_, err = d.Delete("n")
	is(err)
	is(d.Clear())
	_, err = d.Add("n", 1)
	is(err)
	_, err = d.Replace("n", 1)
	is(err)
	_, _, err = d.SetIfAbsent("n", 1)
	is(err)
	is(d.Update(ctx, func(tx *ultradict.DictTx) error { return tx.Set("n", 1) }))
	is(d.View(func(*ultradict.DictView) error { return nil }))
	_, err = d.Dict("below")
	is(err)
	_, err = ultradict.Plain(d)
	is(err)
	_, err = d.Wait(ctx, "n")
	is(err)
	_, err = d.GetOrCompute(ctx, "n", func(context.Context) (any, error) { return 1, nil })
	is(err)
}

func TestNestedIsFreedByWhateverTakesItsPlace(t *testing.T) {
	ctx := context.Background()
	for what, take := range map[string]func(d *ultradict.Dict) error{
		"Set":       func(d *ultradict.Dict) error { return d.Set("a", 1) },
		"Set large": func(d *ultradict.Dict) error { return d.Set("a", make([]byte, 100_000)) },
		"Delete":    func(d *ultradict.Dict) error { _, err := d.Delete("a"); return err },
		"Clear":     func(d *ultradict.Dict) error { return d.Clear() },
		"Swap":      func(d *ultradict.Dict) error { _, _, err := d.Swap("a", 2); return err },
		"Replace":   func(d *ultradict.Dict) error { _, err := d.Replace("a", 2); return err },
		"Compute": func(d *ultradict.Dict) error {
			_, err := d.Compute(ctx, "a", func(any, bool) (any, ultradict.Op) { return 1, ultradict.Store })
			return err
		},
		"GetAnd": func(d *ultradict.Dict) error { _, _, err := d.GetAndDelete("a"); return err },
		"transaction": func(d *ultradict.Dict) error {
			return d.Update(ctx, func(tx *ultradict.DictTx) error { return tx.Set("a", 1) })
		},
		"clear and again": func(d *ultradict.Dict) error {
			return d.Update(ctx, func(tx *ultradict.DictTx) error {
				if err := tx.Clear(); err != nil {
					return err
				}
				n, err := tx.Dict("a", "b")
				if err != nil {
					return err
				}
				return n.Set("n", 5)
			})
		},
		"a sibling is overwritten first": func(d *ultradict.Dict) error {
			return errors.Join(d.Set("s", 2), d.Set("a", 1))
		},
	} {
		t.Run(what, func(t *testing.T) {
			d, dir := openTree(t)
			require.NoError(t, d.Set("s", 1))
			a, b := dictOf(t, d, "a"), dictOf(t, d, "a", "b")
			require.NoError(t, b.Set("n", 1))
			require.NoError(t, take(open(t, dir)))
			requireGone(t, a, ultradict.ErrRemoved)
			requireGone(t, b, ultradict.ErrRemoved)
			requireHealthy(t, dir)
		})
	}
}

func TestNestedOtherValues(t *testing.T) {
	d, _ := openTree(t)
	require.NoError(t, d.Set("n", 1))
	var typed *ultradict.TypeError
	_, err := d.Dict("n")
	require.ErrorAs(t, err, &typed)
	_, err = d.Dict("n", "below")
	require.ErrorAs(t, err, &typed)
	_, err = d.Dict()
	require.ErrorIs(t, err, ultradict.ErrInvalidOption)
	require.ErrorIs(t, d.View(func(v *ultradict.DictView) error { _, err := v.Dict("missing"); return err }), ultradict.ErrNotFound)
	require.ErrorAs(t, d.View(func(v *ultradict.DictView) error { _, err := v.Dict("n"); return err }), &typed)
	n := dictOf(t, d, "d")
	var unencodable *ultradict.EncodeError
	require.ErrorAs(t, d.Set("x", n), &unencodable, "a dictionary hangs from one place")
	require.ErrorAs(t, d.Set("x", []any{n}), &unencodable)
	_, err = d.Add("d", 1)
	require.ErrorAs(t, err, &typed)
	ints, err := ultradict.OpenMap[string, int]("ints", ultradict.WithDir(t.TempDir()))
	require.NoError(t, err)
	defer ints.Close()
	_, err = ints.Dict("a")
	require.ErrorAs(t, err, &typed)
}

func TestNestedHandlesCloseAlone(t *testing.T) {
	d, _ := openTree(t)
	a, b := dictOf(t, d, "a"), dictOf(t, d, "a")
	require.NoError(t, a.Set("n", 1))
	require.NoError(t, a.Close())
	require.NoError(t, a.Close())
	requireGone(t, a, ultradict.ErrClosed)
	v, err := b.Get("n")
	require.NoError(t, err)
	require.Equal(t, int64(1), v)
	require.NoError(t, d.Close())
	requireGone(t, b, ultradict.ErrClosed)
}

type job struct {
	Name string
	N    int
}

func TestNestedTypes(t *testing.T) {
	d, dir := openTree(t)
	jobs, err := ultradict.Nested[int, job](d, "jobs")
	require.NoError(t, err)
	require.NoError(t, jobs.Set(1, job{"one", 1}))
	for range 2 {
		j, err := jobs.Get(1)
		require.NoError(t, err)
		require.Equal(t, job{"one", 1}, j)
	}
	again, err := ultradict.Nested[int, job](open(t, dir), "jobs")
	require.NoError(t, err)
	j, err := again.Get(1)
	require.NoError(t, err)
	require.Equal(t, job{"one", 1}, j)

	_, err = d.Dict("jobs")
	require.ErrorIs(t, err, ultradict.ErrInvalidOption, "its keys are ints")
	_, err = ultradict.Nested[string, any](d, "jobs", "below")
	require.ErrorIs(t, err, ultradict.ErrInvalidOption)

	// Handles of different types of one dictionary.
	counts, err := ultradict.Nested[string, int](d, "counts")
	require.NoError(t, err)
	any := dictOf(t, d, "counts")
	small, err := ultradict.Nested[string, int8](d, "counts")
	require.NoError(t, err)
	require.NoError(t, counts.Set("n", 300))
	require.NoError(t, any.Set("m", 5))
	for range 3 {
		n, err := counts.Get("n")
		require.NoError(t, err)
		require.Equal(t, 300, n)
		v, err := any.Get("n")
		require.NoError(t, err)
		require.Equal(t, int64(300), v)
		var typed *ultradict.TypeError
		_, err = small.Get("n")
		require.ErrorAs(t, err, &typed)
		require.Equal(t, "n", typed.Key)
		m, err := small.Get("m")
		require.NoError(t, err)
		require.Equal(t, int8(5), m)
		n, err = counts.Peek("m")
		require.NoError(t, err)
		require.Equal(t, 5, n)
	}
	sum, err := counts.Add("n", 1)
	require.NoError(t, err)
	require.Equal(t, int64(301), sum)
}

func TestNestedTransactions(t *testing.T) {
	d, dir := openTree(t)
	ctx := context.Background()
	move := func(tx *ultradict.DictTx) error {
		a, err := ultradict.TxNested[string, int](tx, "a", "counts")
		if err != nil {
			return err
		}
		b, err := tx.Dict("b")
		if err != nil {
			return err
		}
		n, err := a.Get("n")
		if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
			return err
		}
		if err := a.Set("n", n+1); err != nil {
			return err
		}
		return errors.Join(b.Set("n", n+1), tx.Set("n", n+1))
	}
	require.NoError(t, d.Update(ctx, move))
	require.NoError(t, open(t, dir).Update(ctx, move))
	require.Equal(t, map[string]any{
		"n": int64(2), "a": map[string]any{"counts": map[string]any{"n": int64(2)}}, "b": map[string]any{"n": int64(2)},
	}, plain(t, d))

	// Nothing of a transaction that fails is there; numbers are lost, nothing else.
	failed := errors.New("failed")
	require.ErrorIs(t, d.Update(ctx, func(tx *ultradict.DictTx) error {
		if err := move(tx); err != nil {
			return err
		}
		if _, err := tx.Dict("c", "d", "e"); err != nil {
			return err
		}
		return failed
	}), failed)
	require.Equal(t, []string{"a", "b", "n"}, sortedKeys(plain(t, d)))

	// Within one, what is replaced is gone at once, and what was made for nothing leaves
	// nothing.
	require.NoError(t, d.Update(ctx, func(tx *ultradict.DictTx) error {
		old, err := tx.Dict("a", "counts")
		if err != nil {
			return err
		}
		made, err := tx.Dict("a", "x", "y")
		if err != nil {
			return err
		}
		if err := made.Set("k", 1); err != nil {
			return err
		}
		if _, err := tx.Delete("a"); err != nil {
			return err
		}
		require.NoError(t, tx.Set("after", 1))
		_ = old
		return nil
	}))
	require.ErrorIs(t, d.Update(ctx, func(tx *ultradict.DictTx) error {
		b, err := tx.Dict("b")
		require.NoError(t, err)
		if _, err := tx.Delete("b"); err != nil {
			return err
		}
		_ = b.Set("k", 1) // it sticks
		return nil
	}), ultradict.ErrRemoved)
	require.Equal(t, []string{"after", "b", "n"}, sortedKeys(plain(t, d)))
	requireHealthy(t, dir)

	require.NoError(t, d.View(func(v *ultradict.DictView) error {
		b, err := v.Dict("b")
		require.NoError(t, err)
		require.NoError(t, d.Set("b", "gone"))
		n, err := b.Get("n")
		require.NoError(t, err)
		require.Equal(t, int64(2), n, "a view shows what was")
		_, err = b.Get("missing")
		require.ErrorIs(t, err, ultradict.ErrNotFound)
		all := map[string]any{}
		maps.Insert(all, b.All())
		require.Equal(t, map[string]any{"n": int64(2)}, all)
		return nil
	}))
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func TestRecurse(t *testing.T) {
	d, dir := openTree(t, ultradict.WithRecurse())
	tree := map[string]any{"a": map[string]any{"b": map[string]any{"n": 1}, "l": []any{1, map[string]any{"x": 2}}}, "e": map[string]any{}}
	want := map[string]any{"a": map[string]any{"b": map[string]any{"n": int64(1)}, "l": []any{int64(1), map[string]any{"x": int64(2)}}}, "e": map[string]any{}}
	require.NoError(t, d.Set("t", tree))
	v, err := dictOf(t, open(t, dir), "t", "a", "b").Get("n")
	require.NoError(t, err)
	require.Equal(t, int64(1), v)
	require.Equal(t, want, plain(t, dictOf(t, d, "t")))

	old := dictOf(t, d, "t", "a")
	require.NoError(t, d.Update(context.Background(), func(tx *ultradict.DictTx) error { return tx.Set("t", tree) }))
	requireGone(t, old, ultradict.ErrRemoved)
	require.Equal(t, want, plain(t, dictOf(t, d, "t")))
	existed, err := d.Replace("t", map[string]any{"k": 1})
	require.NoError(t, err)
	require.True(t, existed)
	_, stored, err := d.SetIfAbsent("u", map[string]any{"k": map[string]any{}})
	require.NoError(t, err)
	require.True(t, stored)
	require.Equal(t, map[string]any{"t": map[string]any{"k": int64(1)}, "u": map[string]any{"k": map[string]any{}}}, plain(t, d))

	loop := map[string]any{}
	loop["loop"] = loop
	var unencodable *ultradict.EncodeError
	require.ErrorAs(t, d.Set("loop", loop), &unencodable)
	requireHealthy(t, dir)

	_, err = ultradict.Open("test", ultradict.WithDir(t.TempDir()), ultradict.AttachOnly(), ultradict.WithRecurse())
	require.ErrorIs(t, err, ultradict.ErrNotExist)
	plainDir := t.TempDir()
	open(t, plainDir)
	_, err = ultradict.Open("test", ultradict.WithDir(plainDir), ultradict.WithRecurse())
	require.ErrorIs(t, err, ultradict.ErrInvalidOption)
}

// A write that lost its dictionary to another handle never returns nil, and one that
// returned nil is found, unless the dictionary was replaced since.
func TestNestedBlindSetsAgainstReplacement(t *testing.T) {
	d, dir := openTree(t)
	other := open(t, dir)
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for round := range rounds {
		n := dictOf(t, d, "a")
		replaced := make(chan error, 1)
		go func() {
			for range round % 7 {
				_, _ = other.Has("x")
			}
			_, err := other.Delete("a")
			replaced <- err
		}()
		acknowledged := 0
		for ; ; acknowledged++ {
			if err := n.Set(fmt.Sprint(acknowledged), round); err != nil {
				require.ErrorIs(t, err, ultradict.ErrRemoved)
				break
			}
		}
		require.NoError(t, <-replaced)
		require.Empty(t, plain(t, d), "nothing was written into what is gone")
	}
	requireHealthy(t, dir)
}

// Dictionaries that come and go leave nothing behind.
func TestNestedLeavesNothing(t *testing.T) {
	d, dir := openTree(t)
	require.NoError(t, d.Set("stays", 1))
	keep := dictOf(t, d, "keep")
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	for i := range rounds {
		n := dictOf(t, d, "t", fmt.Sprint(i%3))
		require.NoError(t, n.Set("k", i))
		require.NoError(t, keep.Set("n", i))
		if i%3 == 2 {
			_, err := d.Delete("t")
			require.NoError(t, err)
		}
	}
	require.Equal(t, map[string]any{"stays": int64(1), "keep": map[string]any{"n": int64(rounds - 1)}}, plain(t, d))
	requireHealthy(t, dir)
	require.Equal(t, map[string]any{"stays": int64(1), "keep": map[string]any{"n": int64(rounds - 1)}}, plain(t, open(t, dir)))
}

// Nested dictionaries, and what expires, are encoded by the codec of the root.
func TestNestedUnderACodec(t *testing.T) {
	dir := memoryDir(t)
	d, other := open(t, dir, withJSON), open(t, dir, withJSON)
	jobs, err := ultradict.Nested[string, job](d, "jobs")
	require.NoError(t, err)
	require.NoError(t, jobs.Set("a", job{"one", 1}))
	require.NoError(t, jobs.SetWithTTL("b", job{"two", 2}, time.Hour))
	for range 2 {
		j, err := jobs.Get("b")
		require.NoError(t, err)
		require.Equal(t, job{"two", 2}, j)
		v, err := dictOf(t, other, "jobs").Get("a")
		require.NoError(t, err)
		require.Equal(t, map[string]any{"Name": "one", "N": 1.0}, v)
	}
	require.Len(t, plain(t, other), 1)
	require.NoError(t, other.Set("n", 5))
	present, err := other.Expire("n", time.Hour)
	require.NoError(t, err)
	require.True(t, present)
	v, err := d.Get("n")
	require.NoError(t, err)
	require.Equal(t, 5.0, v)
	requireHealthy(t, dir)
}

// Nested dictionaries are objects in JSON, and objects become nested ones with WithRecurse.
func TestNestedAsJSON(t *testing.T) {
	d, _ := openTree(t, ultradict.WithRecurse())
	require.NoError(t, d.Set("n", 1))
	require.NoError(t, dictOf(t, d, "a", "b").Set("k", "v"))
	dictOf(t, d, "empty")
	var all, lines strings.Builder
	require.NoError(t, d.WriteJSON(t.Context(), &all))
	require.JSONEq(t, `{"n":1,"a":{"b":{"k":"v"}},"empty":{}}`, all.String())
	require.NoError(t, d.WriteNDJSON(t.Context(), &lines))
	other, dir := openTree(t, ultradict.WithRecurse())
	_, err := other.ReadJSON(t.Context(), strings.NewReader(all.String()))
	require.NoError(t, err)
	require.Equal(t, plain(t, d), plain(t, other))
	v, err := dictOf(t, other, "a", "b").Get("k")
	require.NoError(t, err)
	require.Equal(t, "v", v)
	requireHealthy(t, dir)
	require.NoError(t, other.Clear())
	_, err = other.ReadNDJSON(t.Context(), strings.NewReader(lines.String()))
	require.NoError(t, err)
	require.Equal(t, plain(t, d), plain(t, other))
}

// A dictionary whose keys are no strings is no obstacle for those who read all there is
// around it, and is never read by keys that it does not have.
func TestNestedOfOtherKeysAmongValues(t *testing.T) {
	d, _ := openTree(t)
	jobs, err := ultradict.Nested[int, job](d, "jobs")
	require.NoError(t, err)
	require.NoError(t, jobs.Set(1, job{"one", 1}))
	require.NoError(t, d.Set("n", 1))
	v, err := d.Get("jobs")
	require.NoError(t, err)
	requireGone(t, v.(*ultradict.Dict), ultradict.ErrInvalidOption)
	seen := 0
	for e, err := range d.Entries() {
		require.NoError(t, err)
		if seen++; e.Key == "jobs" {
			requireGone(t, e.Value.(*ultradict.Dict), ultradict.ErrInvalidOption)
		}
	}
	require.Equal(t, 2, seen)
	require.NoError(t, d.Update(t.Context(), func(tx *ultradict.DictTx) error {
		if _, err := ultradict.TxNested[int, job](tx, "more"); err != nil {
			return err
		}
		v, err := tx.Get("more")
		require.NoError(t, err)
		requireGone(t, v.(*ultradict.Dict), ultradict.ErrInvalidOption)
		return nil
	}))
	var typed *ultradict.TypeError
	_, err = ultradict.Plain(d)
	require.ErrorAs(t, err, &typed)
}

// Whoever nests in a dictionary that is freed meanwhile is told.
func TestNestedInWhatIsFreedMeanwhile(t *testing.T) {
	d, dir := openTree(t)
	other := open(t, dir)
	a := dictOf(t, d, "a")
	runs := 0
	err := a.Update(t.Context(), func(tx *ultradict.DictTx) error {
		if _, err := tx.Dict("below"); err != nil {
			return err
		}
		if runs++; runs == 1 {
			return other.Set("a", 1)
		}
		return nil
	})
	require.ErrorIs(t, err, ultradict.ErrRemoved)
	require.Equal(t, map[string]any{"a": int64(1)}, plain(t, d))
	requireHealthy(t, dir)
}
