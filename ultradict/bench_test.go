package ultradict_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// The benchmarks of one operation beside the same on a plain Go map: 10,000
// string keys, numbers boxed beforehand. What counts is the ratio.
const benchKeys = 10_000

func benchData(b *testing.B) (keys []string, values []any) {
	b.Helper()
	keys, values = make([]string, benchKeys), make([]any, benchKeys)
	for i := range keys {
		keys[i], values[i] = fmt.Sprintf("key-%d", i), i
	}
	b.ReportAllocs()
	return keys, values
}

// benchDir is a directory in shared memory where there is such a thing: what
// the benchmarks are about is not a disk.
func benchDir(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ultradict-bench-")
	if err != nil {
		return b.TempDir()
	}
	b.Cleanup(func() { require.NoError(b, os.RemoveAll(dir)) })
	return dir
}

// benchDict is a dictionary of 10,000 numbers.
func benchDict(b *testing.B) (*ultradict.Dict, []string, []any) {
	b.Helper()
	keys, values := benchData(b)
	d := open(b, benchDir(b))
	for i, k := range keys {
		require.NoError(b, d.Set(k, values[i]))
	}
	return d, keys, values
}

func BenchmarkGet(b *testing.B) {
	d, keys, _ := benchDict(b)
	for i := 0; b.Loop(); i++ {
		if _, err := d.Get(keys[i%benchKeys]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPeek(b *testing.B) {
	d, keys, _ := benchDict(b)
	for i := 0; b.Loop(); i++ {
		if _, err := d.Peek(keys[i%benchKeys]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGoMapGet(b *testing.B) {
	keys, values := benchData(b)
	m := map[string]any{}
	for i, k := range keys {
		m[k] = values[i]
	}
	for i := 0; b.Loop(); i++ {
		if _, ok := m[keys[i%benchKeys]]; !ok {
			b.Fatal("absent")
		}
	}
}

func BenchmarkSet(b *testing.B) {
	d, keys, values := benchDict(b)
	for i := 0; b.Loop(); i++ {
		if err := d.Set(keys[i%benchKeys], values[(i+1)%benchKeys]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetString(b *testing.B) {
	d, keys, _ := benchDict(b)
	var value any = "a value of ordinary length"
	for i := 0; b.Loop(); i++ {
		if err := d.Set(keys[i%benchKeys], value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGoMapSet(b *testing.B) {
	keys, values := benchData(b)
	m := map[string]any{}
	for i := 0; b.Loop(); i++ {
		m[keys[i%benchKeys]] = values[(i+1)%benchKeys]
	}
}

func BenchmarkUpdate(b *testing.B) {
	d, keys, _ := benchDict(b)
	ctx := context.Background()
	for i := 0; b.Loop(); i++ {
		key := keys[i%benchKeys]
		err := d.Update(ctx, func(tx *ultradict.Tx[string, any]) error {
			n, err := ultradict.As[int](tx.Get(key))
			if err != nil {
				return err
			}
			return tx.Set(key, n+1)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompute(b *testing.B) {
	d, keys, values := benchDict(b)
	ctx := context.Background()
	for i := 0; b.Loop(); i++ {
		_, err := d.Compute(ctx, keys[i%benchKeys], func(any, bool) (any, ultradict.Op) {
			return values[i%benchKeys], ultradict.Store
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkViewGet(b *testing.B) {
	d, keys, _ := benchDict(b)
	for i := 0; b.Loop(); i++ {
		err := d.View(func(v *ultradict.View[string, any]) error {
			_, err := v.Get(keys[i%benchKeys])
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAll walks over all 10,000 entries each time.
func BenchmarkAll(b *testing.B) {
	d, _, _ := benchDict(b)
	for b.Loop() {
		n := 0
		for range d.All() {
			n++
		}
		if n != benchKeys {
			b.Fatal(n)
		}
	}
}

func BenchmarkLen(b *testing.B) {
	d, _, _ := benchDict(b)
	for b.Loop() {
		if n, err := d.Len(); n != benchKeys || err != nil {
			b.Fatal(n, err)
		}
	}
}

type measured struct {
	Name     string
	Count    int
	Sum, Max float64
	Seen     bool
}

func BenchmarkGetStruct(b *testing.B) {
	m, err := ultradict.OpenMap[string, measured]("structs", ultradict.WithDir(memoryDir(b)))
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = fmt.Sprint("key-", i)
		if err := m.Set(keys[i], measured{Name: keys[i], Count: i}); err != nil {
			b.Fatal(err)
		}
	}
	sum := 0
	i := 0
	for b.Loop() {
		if i++; i == len(keys) {
			i = 0
		}
		v, err := m.Get(keys[i])
		if err != nil {
			b.Fatal(err)
		}
		sum += v.Count
	}
}

func BenchmarkGoMapGetStruct(b *testing.B) {
	m := map[string]measured{}
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = fmt.Sprint("key-", i)
		m[keys[i]] = measured{Name: keys[i], Count: i}
	}
	sum := 0
	i := 0
	for b.Loop() {
		if i++; i == len(keys) {
			i = 0
		}
		sum += m[keys[i]].Count
	}
}
