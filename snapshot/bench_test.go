package snapshot

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

const benchEntries = 1_000_000

var benchData = sync.OnceValue(func() []byte { return large(&testing.B{}, benchEntries) })

func benchKeys(format string) []string {
	keys := make([]string, 1<<16)
	for i := range keys {
		keys[i] = fmt.Sprintf(format, rand.IntN(benchEntries))
	}
	return keys
}

func BenchmarkFind(b *testing.B) {
	l := open(b, benchData())
	small := open(b, large(b, 1000))
	deep := Stack{Layers: []*Layer{l}}
	for range 9 {
		deep.Layers = append(deep.Layers, small)
	}
	buf := make([]byte, 0, 256)
	run := func(name string, find func(uint64, string, []byte) (Entry, bool, error), keys []string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, _, err := find(0, keys[i&(len(keys)-1)], buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	hits, misses := benchKeys("key-%06d"), benchKeys("miss%06d")
	run("hit", l.Find, hits)
	run("miss", l.Find, misses)
	run("hot/hit", small.Find, []string{"key-000001"})
	run("hot/miss", small.Find, []string{"miss000001"})
	run("stack10/hit", deep.Find, hits)
	run("stack10/miss", deep.Find, misses)
}

func BenchmarkHash(b *testing.B) {
	h := newHasher(1)
	for _, key := range []string{"key-000001", "a key of some forty-two bytes, as they are"} {
		b.Run(fmt.Sprint(len(key)), func(b *testing.B) {
			for b.Loop() {
				h.sum(0, key)
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	n := benchEntries / 4
	builder := NewBuilder(0, 1)
	builder.SetHeader(Header{Live: uint64(n)})
	for i := range n {
		if err := builder.Add(Entry{Key: fmt.Sprintf("key-%06d", i), Value: make([]byte, 64)}); err != nil {
			b.Fatal(err)
		}
	}
	data := make([]byte, builder.Size())
	b.SetBytes(builder.Size())
	for b.Loop() {
		if err := builder.Build(data, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	base, delta := open(b, large(b, benchEntries/4)), open(b, large(b, benchEntries/16))
	delta.from, delta.to = base.to, base.to+1
	layers := []*Layer{base, delta}
	var data []byte
	b.ReportAllocs()
	for b.Loop() {
		m, err := PlanMerge(layers, true, nil)
		if err != nil {
			b.Fatal(err)
		}
		if data == nil {
			data = make([]byte, m.Size())
			b.SetBytes(m.Size())
		}
		if err := m.Build(data, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAll(b *testing.B) {
	l := open(b, benchData())
	b.SetBytes(l.Size())
	for b.Loop() {
		for _, err := range l.All() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkDirectoryRead(b *testing.B) {
	var d Directory
	if err := d.Publish(0, layersFor(10)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := d.Read(); err != nil {
			b.Fatal(err)
		}
	}
}
