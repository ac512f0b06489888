package ultradict

import (
	"cmp"
	"container/heap"
	"iter"
	"reflect"
	"slices"

	"github.com/ultradict/go/internal/replica"
)

// Range returns the entries with from ≤ key < to in ascending order of their keys, at
// most limit of them: those with the lowest keys. For keys of a string type, to = ""
// means no upper end. With limit ≤ 0 it returns all of them. Everything is as of one
// position, that of the moment when the iteration begins; the loop's body may write.
//
// A dictionary has no order: Range looks at every key, and keeps limit of them in
// memory. Values are decoded as they are reached, and are the caller's own. An error is
// the last thing it yields.
func Range[K cmp.Ordered, V any](m *Map[K, V], from, to K, limit int) iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) {
		v, err := m.view()
		if err != nil {
			yield(Entry[K, V]{}, err)
			return
		}
		defer v.Close()
		unbounded := reflect.TypeFor[K]().Kind() == reflect.String && reflect.ValueOf(to).Len() == 0
		lowest := &highestFirst[K]{}
		var failed error
		err = v.Each(m.number(), func(enc string, ver *replica.Version) bool {
			key, err := m.keys.Decode(enc)
			if err != nil {
				failed = err
				return false
			}
			if cmp.Less(key, from) || !unbounded && !cmp.Less(key, to) {
				return true
			}
			if limit > 0 && len(*lowest) == limit {
				if !cmp.Less(key, (*lowest)[0].key) {
					return true
				}
				heap.Pop(lowest)
			}
			heap.Push(lowest, found[K]{key, replica.Key{Dict: m.number(), Str: enc}, ver})
			return true
		})
		if err = cmp.Or(failed, err); err != nil {
			yield(Entry[K, V]{}, err)
			return
		}
		slices.SortFunc(*lowest, func(a, b found[K]) int { return cmp.Compare(a.key, b.key) })
		for _, f := range *lowest {
			e, err := m.entry(v, f.enc, f.ver)
			if err != nil {
				yield(Entry[K, V]{}, named(f.key, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// found is an entry that Range may return.
type found[K cmp.Ordered] struct {
	key K
	enc replica.Key
	ver *replica.Version
}

// highestFirst is a heap that gives up its highest key first.
type highestFirst[K cmp.Ordered] []found[K]

func (h highestFirst[K]) Len() int           { return len(h) }
func (h highestFirst[K]) Less(i, j int) bool { return cmp.Less(h[j].key, h[i].key) }
func (h highestFirst[K]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *highestFirst[K]) Push(x any)        { *h = append(*h, x.(found[K])) }
func (h *highestFirst[K]) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
