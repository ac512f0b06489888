package value

import (
	"testing"
	"time"
)

func benchAppend[V any](b *testing.B, v V) {
	c, err := NewCodec[V]()
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Append(dst, v); err != nil {
			b.Fatal(err)
		}
	}
}

func benchDecode[V any](b *testing.B, v V) {
	c, err := NewCodec[V]()
	if err != nil {
		b.Fatal(err)
	}
	raw, err := c.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}

type job struct {
	ID    int
	Name  string
	Done  bool
	Since time.Duration
}

var (
	aJob  = job{12345, "reindex", false, time.Minute}
	aTree = map[string]any{"id": 12345, "name": "reindex", "tags": []any{"a", "b"}}
)

func BenchmarkAppend(b *testing.B) {
	b.Run("int", func(b *testing.B) { benchAppend(b, 12345) })
	b.Run("string", func(b *testing.B) { benchAppend(b, "a string of some length") })
	b.Run("struct", func(b *testing.B) { benchAppend(b, aJob) })
	b.Run("point", func(b *testing.B) { benchAppend(b, point{1, 2}) })
	b.Run("any-int", func(b *testing.B) { benchAppend[any](b, 12345) })
	b.Run("any-string", func(b *testing.B) { benchAppend[any](b, "a string of some length") })
	b.Run("any-map", func(b *testing.B) { benchAppend[any](b, aTree) })
	b.Run("any-struct", func(b *testing.B) { benchAppend[any](b, aJob) })
}

func BenchmarkDecode(b *testing.B) {
	b.Run("int", func(b *testing.B) { benchDecode(b, 12345) })
	b.Run("string", func(b *testing.B) { benchDecode(b, "a string of some length") })
	b.Run("struct", func(b *testing.B) { benchDecode(b, aJob) })
	b.Run("any-int", func(b *testing.B) { benchDecode[any](b, 12345) })
	b.Run("any-string", func(b *testing.B) { benchDecode[any](b, "a string of some length") })
	b.Run("any-map", func(b *testing.B) { benchDecode[any](b, aTree) })
}

var viewed int

func benchView[K comparable](b *testing.B, key K) {
	k := mustKeys[K](b)
	b.ReportAllocs()
	for b.Loop() {
		var buf KeyBuf
		viewed += len(k.View(&key, &buf))
	}
}

func BenchmarkView(b *testing.B) {
	b.Run("string", func(b *testing.B) { benchView(b, "a string of some length") })
	b.Run("int", func(b *testing.B) { benchView(b, 12345) })
	b.Run("struct", func(b *testing.B) { benchView(b, endpoint{"host.example", 80}) })
}
