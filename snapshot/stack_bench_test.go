package snapshot

import (
	"fmt"
	"testing"
)

// piled returns a base of n keys under deltas of some thousand: half of them
// overwrite keys of the base, half are new.
func piled(t testing.TB, n, deltas, each int) Stack {
	t.Helper()
	var s Stack
	layer := func(to uint64, live int, keys func(func(string))) {
		b := NewBuilder(s.Position(), to)
		b.SetHeader(Header{Live: uint64(live)})
		keys(func(key string) {
			if err := b.Add(Entry{Key: key, Revision: to, Created: to, Value: make([]byte, 64)}); err != nil {
				t.Fatal(err)
			}
		})
		data := make([]byte, b.Size())
		if err := b.Build(data, nil); err != nil {
			t.Fatal(err)
		}
		s.Layers = append(s.Layers, open(t, data))
	}
	layer(1, n, func(yield func(string)) {
		for i := range n {
			yield(fmt.Sprintf("key-%06d", i))
		}
	})
	for d := range deltas {
		layer(uint64(d+2), n+(d+1)*each/2, func(yield func(string)) {
			for i := range each / 2 {
				yield(fmt.Sprintf("key-%06d", ((d*each/2+i)*7919)%n))
				yield(fmt.Sprintf("new-%02d-%06d", d, i))
			}
		})
	}
	return s
}

func BenchmarkMergePiled(b *testing.B) {
	for _, deltas := range []int{4, 20} {
		b.Run(fmt.Sprint(deltas), func(b *testing.B) {
			const n, each = 300_000, 4000
			old := piled(b, n, deltas, each)
			data := make([]byte, old.Size()+1<<20)
			b.ReportAllocs()
			for b.Loop() {
				s := reopened(b, old)
				m, err := PlanMerge(s.Layers, true, nil)
				if err != nil {
					b.Fatal(err)
				}
				if err := m.Build(data[:m.Size()], nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// reopened is a stack of which nothing has been asked yet.
func reopened(t testing.TB, s Stack) Stack {
	t.Helper()
	var fresh Stack
	for _, l := range s.Layers {
		fresh.Layers = append(fresh.Layers, open(t, l.data))
	}
	return fresh
}

// BenchmarkStackMisses looks up what no layer knows, as folding new keys does:
// 8000 at a time in layers that were just opened, and in the same ones again.
func BenchmarkStackMisses(b *testing.B) {
	const n, each, keys = 300_000, 4000, 8000
	misses := make([]string, keys)
	for i := range misses {
		misses[i] = fmt.Sprintf("miss%06d", i)
	}
	for _, deltas := range []int{8, 20} {
		old := piled(b, n, deltas, each)
		run := func(b *testing.B, stack func() Stack) {
			for b.Loop() {
				s := stack()
				for _, key := range misses {
					if _, ok, err := s.Find(0, key, nil); ok || err != nil {
						b.Fatal(ok, err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*keys), "ns/key")
		}
		b.Run(fmt.Sprintf("fresh/%d", deltas), func(b *testing.B) { run(b, func() Stack { return reopened(b, old) }) })
		b.Run(fmt.Sprintf("again/%d", deltas), func(b *testing.B) { run(b, func() Stack { return old }) })
	}
}

func BenchmarkStackAll(b *testing.B) {
	s := piled(b, 300_000, 20, 4000)
	for b.Loop() {
		for _, err := range s.All(0) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
