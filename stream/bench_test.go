package stream

import (
	"hash/crc32"
	"testing"
)

func BenchmarkAppend(b *testing.B) {
	r := newRing(b, 64<<10, 4, 8)
	payload := make([]byte, 40)
	sum := crc32.Checksum(payload, castagnoli)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := reserve(r.s, len(payload)); err != nil {
			b.Fatal(err)
		}
		_, end, err := r.s.Append(Data, payload, sum)
		if err != nil {
			b.Fatal(err)
		}
		r.s.Release(end)
	}
}

func BenchmarkReaderNext(b *testing.B) {
	for _, size := range []int{8, 40, 1000} {
		b.Run(sizeName(size), func(b *testing.B) {
			r := newRing(b, 256<<10, 4, 8)
			payload := make([]byte, size)
			for r.s.Head() < r.s.First()+uint64(r.s.Capacity())-uint64(r.s.cfg.Chunk) {
				r.append(payload)
			}
			rd := r.s.Reader(r.s.First())
			head := r.s.Head()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				_, ok, err := rd.Next(head)
				if err != nil {
					b.Fatal(err)
				}
				if !ok {
					rd.Seek(r.s.First())
				}
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	r := newRing(b, 256<<10, 4, 8)
	payload := make([]byte, 40)
	records := 0
	for r.s.Head() < r.s.First()+64<<10 {
		r.append(payload)
		records++
	}
	b.ReportAllocs()
	for b.Loop() {
		if !r.s.Scan(r.s.First(), func(Kind, uint64, []byte) bool { return true }) {
			b.Fatal("not scanned")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(records), "ns/record")
}
