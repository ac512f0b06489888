package core

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/snapshot"
)

// BenchmarkFold folds 8000 records, half of them of new keys, over a base of
// 300,000 keys and some deltas, and publishes nothing.
func BenchmarkFold(b *testing.B) {
	const keys, each, records = 300_000, 4000, 8000
	value := fmt.Sprintf("%064d", 0)
	for _, deltas := range []int{8, 20} {
		b.Run(fmt.Sprint(deltas), func(b *testing.B) {
			cfg := testConfig(memoryDir(b))
			cfg.StreamSize = 8 << 20 // room for all of them, and nothing is due
			d := openDict(b, cfg)
			below := &base{position: d.str.Head(), values: d.values}
			layer := func(n int, key func(i int) string) {
				at := below.stack.Position()
				l := snapshot.NewBuilder(at, at+1)
				l.SetHeader(snapshot.Header{Live: keys})
				for i := range n {
					require.NoError(b, l.Add(snapshot.Entry{Key: key(i), Value: []byte(value), Revision: at + 1, Created: at + 1}))
				}
				data := make([]byte, l.Size())
				require.NoError(b, l.Build(data, nil))
				opened, err := snapshot.Open(data, "layer", nil)
				require.NoError(b, err)
				below.stack.Layers = append(below.stack.Layers, opened)
			}
			next := 0
			mixed := func(i int) string {
				next++
				if i%2 == 0 {
					return fmt.Sprint("new", next)
				}
				return fmt.Sprint("key", next*7919%keys)
			}
			layer(keys, func(i int) string { return fmt.Sprint("key", i) })
			for range deltas {
				layer(each, mixed)
			}
			for i := range records {
				_, err := d.Write(context.Background(), []record.Op{putOp(mixed(i), value)}, nil)
				require.NoError(b, err)
			}
			require.Equal(b, below.position, d.str.Floor())
			for b.Loop() {
				f := fold{d: d, base: below, room: d.room, working: func() error { return nil }}
				builder, err := f.run(d.str.Head(), 1<<40)
				require.NoError(b, err)
				require.Equal(b, records, builder.Len())
				d.room = f.room.forNext()
			}
		})
	}
}
