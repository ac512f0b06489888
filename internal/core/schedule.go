package core

import (
	"container/heap"

	"github.com/ultradict/go/internal/replica"
)

// due is an entry whose time will be up.
type due struct {
	key      replica.Key
	revision uint64
	deadline int64
	index    int // in the heap
}

// schedule knows when entries are due, each key once.
type schedule struct {
	heap dueFirst
	keys map[replica.Key]*due
}

func newSchedule() *schedule { return &schedule{keys: map[replica.Key]*due{}} }

// put notes that a key has a deadline as of a revision, in place of what was known of
// it. The key need only live as long as the call.
func (s *schedule) put(k replica.Key, revision uint64, deadline int64) {
	if known := s.keys[k]; known != nil {
		known.revision, known.deadline = revision, deadline
		heap.Fix(&s.heap, known.index)
		return
	}
	k.Str = string([]byte(k.Str))
	e := &due{key: k, revision: revision, deadline: deadline}
	s.keys[k] = e
	heap.Push(&s.heap, e)
}

// drop forgets a key.
func (s *schedule) drop(k replica.Key) {
	if known := s.keys[k]; known != nil {
		heap.Remove(&s.heap, known.index)
		delete(s.keys, k)
	}
}

// next is the first deadline; ok is false where there is none.
func (s *schedule) next() (deadline int64, ok bool) {
	if len(s.heap) == 0 {
		return 0, false
	}
	return s.heap[0].deadline, true
}

// take removes what is due at a time, about so many bytes of keys at most, and returns
// it.
func (s *schedule) take(now int64, bytes int) (all []*due) {
	for len(s.heap) > 0 && s.heap[0].deadline <= now {
		e := s.heap[0]
		if bytes -= len(e.key.Str) + dueCost; bytes < 0 && len(all) > 0 {
			break
		}
		s.drop(e.key)
		all = append(all, e)
	}
	return all
}

// dueCost is what a deletion takes in a record besides its key, at most.
const dueCost = 16

// dueFirst is a heap whose first element is due first.
type dueFirst []*due

func (h dueFirst) Len() int           { return len(h) }
func (h dueFirst) Less(i, j int) bool { return h[i].deadline < h[j].deadline }
func (h dueFirst) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *dueFirst) Push(x any) {
	e := x.(*due)
	e.index = len(*h)
	*h = append(*h, e)
}
func (h *dueFirst) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
