package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() { roles["expiring"] = expiring }

// soon is a time to live that a test waits for.
const soon = 50 * time.Millisecond

// gone waits until a key is not served any more.
func gone(t testing.TB, d *ultradict.Dict, key string) {
	t.Helper()
	require.Eventually(t, func() bool { _, err := d.Get(key); return errors.Is(err, ultradict.ErrNotFound) }, 20*time.Second, time.Millisecond)
}

func TestExpiry(t *testing.T) {
	dir := memoryDir(t)
	d, other := open(t, dir, ultradict.WithStreamSize(4<<10)), open(t, dir)
	ctx := context.Background()
	for key, v := range map[string]any{"int": 1, "text": "x", "large": strings.Repeat("x", 100_000), "nil": nil} {
		require.NoError(t, d.SetWithTTL(key, v, time.Hour), key)
		for _, d := range []*ultradict.Dict{d, other} {
			for range 2 {
				got, err := d.Get(key)
				require.NoError(t, err)
				require.EqualValues(t, v, got)
			}
			ttl, err := d.TTL(key)
			require.NoError(t, err)
			require.Greater(t, ttl, 59*time.Minute)
			require.LessOrEqual(t, ttl, time.Hour)
			e, err := d.GetEntry(key)
			require.NoError(t, err)
			require.Greater(t, e.TTL, 59*time.Minute)
		}
		had, err := other.Persist(key)
		require.NoError(t, err)
		require.True(t, had)
		ttl, err := d.TTL(key)
		require.NoError(t, err)
		require.Zero(t, ttl)
		had, err = d.Persist(key)
		require.NoError(t, err)
		require.False(t, had, "it had none any more")
		present, err := d.Expire(key, soon)
		require.NoError(t, err)
		require.True(t, present)
		gone(t, other, key)
		gone(t, d, key)
	}
	_, err := d.TTL("text")
	require.ErrorIs(t, err, ultradict.ErrNotFound)
	ok, err := d.Has("text")
	require.NoError(t, err)
	require.False(t, ok)
	present, err := d.Expire("text", time.Hour)
	require.NoError(t, err)
	require.False(t, present, "what is gone does not come back")
	require.Eventually(t, func() bool { n, err := other.Len(); return err == nil && n == 0 }, 20*time.Second, time.Millisecond, "it is swept")

	// A value of its own has no time to live; what is added to keeps it.
	require.NoError(t, d.SetWithTTL("n", 1, time.Hour))
	_, err = other.Add("n", 1)
	require.NoError(t, err)
	ttl, err := d.TTL("n")
	require.NoError(t, err)
	require.NotZero(t, ttl)
	require.NoError(t, d.Set("n", 5))
	ttl, err = other.TTL("n")
	require.NoError(t, err)
	require.Zero(t, ttl)

	require.NoError(t, d.Update(ctx, func(tx *ultradict.DictTx) error {
		if err := tx.SetWithTTL("a", 1, soon); err != nil {
			return err
		}
		v, err := tx.Get("a")
		require.NoError(t, err)
		require.Equal(t, int64(1), v)
		return tx.Set("b", 1)
	}))
	gone(t, other, "a")
	_, err = other.Get("b")
	require.NoError(t, err)
	requireHealthy(t, dir)
}

func TestExpiryInWritesThatLook(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	ctx := context.Background()
	for i, write := range []func(key string) (bool, error){
		func(k string) (bool, error) { _, stored, err := d.SetIfAbsent(k, 2); return stored, err },
		func(k string) (bool, error) { ok, err := d.Replace(k, 2); return !ok, err },
		func(k string) (bool, error) { ok, err := d.Delete(k); return !ok, err },
		func(k string) (bool, error) { _, ok, err := d.Swap(k, 2); return !ok, err },
		func(k string) (bool, error) { _, err := d.CompareAndSet(k, 0, 2); return err == nil, err },
		func(k string) (bool, error) { n, err := d.Add(k, 1); return n == 1, err },
		func(k string) (bool, error) {
			absent := false
			_, err := d.Compute(ctx, k, func(_ any, ok bool) (any, ultradict.Op) { absent = !ok; return 2, ultradict.Store })
			return absent, err
		},
		func(k string) (bool, error) {
			v, err := d.GetOrCompute(ctx, k, func(context.Context) (any, error) { return "computed", nil })
			return v == "computed", err
		},
	} {
		// Whether it was swept by then is open: it must make no difference.
		k := fmt.Sprint("k", i)
		require.NoError(t, d.SetWithTTL(k, 41, time.Millisecond))
		gone(t, d, k)
		absent, err := write(k)
		require.NoError(t, err)
		require.True(t, absent, "write %d has seen what had expired", i)
	}
	require.NoError(t, d.View(func(v *ultradict.DictView) error {
		require.NoError(t, d.SetWithTTL("late", 1, time.Hour))
		_, err := v.Get("late")
		require.ErrorIs(t, err, ultradict.ErrNotFound)
		return nil
	}))
	require.NoError(t, d.SetWithTTL("view", 1, soon))
	require.NoError(t, d.View(func(v *ultradict.DictView) error {
		require.Eventually(t, func() bool { _, err := v.Get("view"); return err != nil }, 20*time.Second, time.Millisecond, "not even a view shows it")
		for k := range v.All() {
			require.NotEqual(t, "view", k)
		}
		return nil
	}))
}

func TestExpiryBadInput(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	require.NoError(t, d.Set("k", 1))
	for ttl, want := range map[time.Duration]error{
		0: ultradict.ErrInvalidOption, -1: ultradict.ErrInvalidOption, math.MinInt64: ultradict.ErrInvalidOption, math.MaxInt64: ultradict.ErrOverflow,
	} {
		require.ErrorIs(t, d.SetWithTTL("k", 2, ttl), want)
		_, err := d.Expire("k", ttl)
		require.ErrorIs(t, err, want)
		require.ErrorIs(t, d.Update(context.Background(), func(tx *ultradict.DictTx) error {
			_ = tx.SetWithTTL("k", 2, ttl)
			return nil
		}), want)
		if ttl != 0 {
			_, err = d.AddInit("k", 1, 0, ttl)
			require.ErrorIs(t, err, want)
		}
	}
	v, err := d.Get("k")
	require.NoError(t, err)
	require.Equal(t, int64(1), v)
	_, err = d.Dict("nested")
	require.NoError(t, err)
	var typed *ultradict.TypeError
	_, err = d.Expire("nested", time.Hour)
	require.ErrorAs(t, err, &typed)
	require.Equal(t, "nested", typed.Key)
}

func TestAddInit(t *testing.T) {
	dir := memoryDir(t)
	d, other := open(t, dir), open(t, dir)
	n, err := d.AddInit("n", 1, 10, time.Hour)
	require.NoError(t, err)
	require.Equal(t, int64(11), n)
	first, err := d.TTL("n")
	require.NoError(t, err)
	require.NotZero(t, first)
	n, err = other.AddInit("n", 1, 10, 2*time.Hour)
	require.NoError(t, err)
	require.Equal(t, int64(12), n)
	ttl, err := other.TTL("n")
	require.NoError(t, err)
	require.LessOrEqual(t, ttl, first, "a window does not move")
	n, err = other.AddInit("ever", 1, 0, 0)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	ttl, err = other.TTL("ever")
	require.NoError(t, err)
	require.Zero(t, ttl)
	_, err = d.AddInit("max", 1, math.MaxInt64, time.Hour)
	require.ErrorIs(t, err, ultradict.ErrOverflow)
	_, err = d.Get("max")
	require.ErrorIs(t, err, ultradict.ErrNotFound)
}

// Typed maps and nested dictionaries expire as well.
func TestExpiryOfTypes(t *testing.T) {
	dir := memoryDir(t)
	sessions, err := ultradict.OpenMap[int, job]("jobs", ultradict.WithDir(dir))
	require.NoError(t, err)
	defer sessions.Close()
	require.NoError(t, sessions.SetWithTTL(7, job{"x", 1}, time.Hour))
	for range 2 {
		j, err := sessions.Get(7)
		require.NoError(t, err)
		require.Equal(t, job{"x", 1}, j)
	}
	_, err = sessions.Expire(7, soon)
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, err := sessions.Get(7); return errors.Is(err, ultradict.ErrNotFound) }, 20*time.Second, time.Millisecond)

	d := open(t, dir)
	counts, err := ultradict.Nested[string, int](d, "counts")
	require.NoError(t, err)
	require.NoError(t, counts.SetWithTTL("a", 5, soon))
	require.NoError(t, counts.Set("b", 6))
	_, err = counts.Expire("b", soon)
	require.NoError(t, err)
	require.Eventually(t, func() bool { n, err := counts.Len(); return err == nil && n == 0 }, 20*time.Second, time.Millisecond)
	requireHealthy(t, dir)
}

// Deadlines survive rollovers, and newcomers keep to them.
func TestExpiryAcrossRollovers(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	require.NoError(t, d.SetWithTTL("long", 1, time.Hour))
	require.NoError(t, d.SetWithTTL("large", strings.Repeat("x", 10_000), time.Hour))
	require.NoError(t, d.SetWithTTL("short", 1, 500*time.Millisecond))
	for i := range 3000 {
		require.NoError(t, d.Set(fmt.Sprint(i%100), i))
	}
	require.Eventually(t, func() bool { s, err := d.Status(); return err == nil && s.Rollovers > 0 }, 20*time.Second, time.Millisecond)
	fresh := open(t, dir)
	for _, key := range []string{"long", "large"} {
		ttl, err := fresh.TTL(key)
		require.NoError(t, err)
		require.Greater(t, ttl, 50*time.Minute)
		_, err = fresh.Get(key)
		require.NoError(t, err)
	}
	gone(t, fresh, "short")
	requireHealthy(t, dir)
}

// The sweeper dies, and another sweeps what is left.
func TestExpirySurvivesTheSweeper(t *testing.T) {
	dir := memoryDir(t)
	p := proctest.Start(t, "expiring", dir)
	require.Equal(t, "set", p.Line())
	d := open(t, dir)
	w := d.Watch(t.Context())
	n, err := d.Len()
	require.NoError(t, err)
	require.Equal(t, expiringKeys, n)
	p.Kill()
	seen := map[string]bool{}
	for e, err := range w {
		require.NoError(t, err)
		require.Equal(t, ultradict.EventExpire, e.Kind)
		require.False(t, seen[e.Key], "%s has expired twice", e.Key)
		if seen[e.Key] = true; len(seen) == expiringKeys {
			break
		}
	}
	n, err = d.Len()
	require.NoError(t, err)
	require.Zero(t, n)
	requireHealthy(t, dir)
}

const expiringKeys = 500

func expiring(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	for i := range expiringKeys {
		if err := d.SetWithTTL(fmt.Sprint(i), os.Getpid(), 3*time.Second); err != nil {
			return err
		}
	}
	proctest.Say("set")
	select {}
}
