package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// Goroutines do everything at once over two handles: sums that transactions
// keep stay what they are, counters never go back, views do not change.
func TestEverythingAtOnce(t *testing.T) {
	rounds := 1500
	if testing.Short() {
		rounds = 300
	}
	const accounts = 10
	dir := memoryDir(t)
	handles := []*ultradict.Dict{open(t, dir, ultradict.WithStreamSize(4<<10)), open(t, dir)}
	require.NoError(t, handles[0].Update(t.Context(), func(tx *ultradict.Tx[string, any]) error {
		for i := range accounts {
			if err := tx.Set(account(i), 100); err != nil {
				return err
			}
		}
		return tx.Set("counter", 0)
	}))
	var writers, readers sync.WaitGroup
	var over atomic.Bool
	var mu sync.Mutex
	var failures []error
	fail := func(err error) bool {
		if err != nil {
			mu.Lock()
			failures = append(failures, err)
			mu.Unlock()
			over.Store(true)
		}
		return err != nil
	}
	sum := func(get func(string) (any, error)) (sum int64, err error) {
		for i := range accounts {
			n, err := ultradict.As[int64](get(account(i)))
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	}
	for g, d := range append(handles, handles...) {
		writers.Go(func() {
			for i := 0; i < rounds && !over.Load(); i++ {
				if fail(transfer(d, account(i%accounts), account((i*7+g)%accounts))) {
					return
				}
				if _, err := d.Compute(context.Background(), "counter", increase); fail(err) {
					return
				}
				if fail(d.Set(fmt.Sprint("blind", g, i%50), payload(i))) {
					return
				}
				if _, err := d.Delete(fmt.Sprint("blind", g, (i+25)%50)); fail(err) {
					return
				}
			}
		})
		readers.Go(func() {
			last := int64(0)
			for !over.Load() {
				n, err := ultradict.As[int64](d.Get("counter"))
				if err == nil && n < last {
					err = fmt.Errorf("counter went back from %d to %d", last, n)
				}
				if fail(err) {
					return
				}
				last = n
				if _, err := d.Len(); fail(err) {
					return
				}
				if _, err := d.Status(); fail(err) {
					return
				}
			}
		})
		readers.Go(func() {
			for !over.Load() {
				err := d.View(func(v *ultradict.View[string, any]) error {
					n, err := v.Len()
					if err != nil {
						return err
					}
					for range 3 {
						total, err := sum(v.Get)
						if err != nil || total != 100*accounts {
							return fmt.Errorf("sum is %d: %w", total, err)
						}
						seen := 0
						for k, x := range v.All() {
							if strings.HasPrefix(k, "blind") {
								if _, ok := x.(string); !ok {
									return fmt.Errorf("%s is %v", k, x)
								}
							}
							seen++
						}
						if seen != n {
							return fmt.Errorf("%d entries, Len says %d", seen, n)
						}
					}
					return nil
				})
				if fail(err) {
					return
				}
			}
		})
	}
	writers.Wait()
	over.Store(true)
	readers.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
	for _, d := range append(handles, open(t, dir)) {
		total, err := sum(d.Get)
		require.NoError(t, err)
		require.EqualValues(t, 100*accounts, total)
		n, err := ultradict.As[int](d.Get("counter"))
		require.NoError(t, err)
		require.Equal(t, 4*rounds, n)
	}
	requireHealthy(t, dir)
}

func account(i int) string { return fmt.Sprint("account", i) }

func increase(old any, _ bool) (any, ultradict.Op) {
	n, _ := old.(int64)
	return n + 1, ultradict.Store
}

func transfer(d *ultradict.Dict, from, to string) error {
	if from == to {
		return nil
	}
	return d.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error {
		a, err := ultradict.As[int64](tx.Get(from))
		if err != nil {
			return err
		}
		b, err := ultradict.As[int64](tx.Get(to))
		if err != nil {
			return err
		}
		if err := tx.Set(from, a-1); err != nil {
			return err
		}
		return tx.Set(to, b+1)
	})
}

// Close while others are at work: they get ErrClosed, nothing worse.
func TestCloseWhileInUse(t *testing.T) {
	rounds := 15
	if testing.Short() {
		rounds = 8
	}
	dir := memoryDir(t)
	keep := open(t, dir, ultradict.WithStreamSize(4<<10))
	for range rounds {
		d := open(t, dir)
		var done sync.WaitGroup
		errs := make(chan error, 100)
		working := make(chan struct{}, 100)
		for _, work := range []func(int) error{
			func(i int) error { return d.Set(fmt.Sprint("k", i%100), payload(i)) },
			func(i int) error { return d.Set("big", make([]byte, 3000)) },
			func(i int) error { _, err := d.Get(fmt.Sprint("k", i%100)); return err },
			func(i int) error { _, err := d.Peek("big"); return err },
			func(i int) error { _, err := d.Len(); return err },
			func(i int) error { _, err := d.Compute(t.Context(), "n", increase); return err },
			func(i int) error {
				return d.View(func(v *ultradict.View[string, any]) error { _, err := v.Get("big"); return err })
			},
			func(i int) error { return lastOf(d.Entries()) },
			func(i int) error { _, err := d.Status(); return err },
		} {
			done.Go(func() {
				for i := 0; ; i++ {
					err := work(i)
					if errors.Is(err, ultradict.ErrClosed) {
						return
					}
					if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
						errs <- err
						return
					}
					if i == 3 {
						working <- struct{}{}
					}
				}
			})
		}
		for range 5 {
			select {
			case <-working:
			case err := <-errs:
				require.NoError(t, err)
			}
		}
		require.NoError(t, d.Close())
		done.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		endsWith(t, d, ultradict.ErrClosed)
		requireHealthy(t, dir)
	}
	require.NoError(t, keep.Set("k", 1))
	n, err := keep.Len()
	require.NoError(t, err)
	require.Positive(t, n)
}
