package snapshot_test

import (
	"fmt"
	"log"

	"github.com/ultradict/go/snapshot"
)

// A base, a change of it in a layer of its own, and both folded into one.
func Example() {
	layer := func(from, to, live uint64, entries ...snapshot.Entry) *snapshot.Layer {
		b := snapshot.NewBuilder(from, to)
		b.SetHeader(snapshot.Header{Live: live})
		for _, e := range entries {
			if err := b.Add(e); err != nil {
				log.Fatal(err)
			}
		}
		data := make([]byte, b.Size()) // or a file that is mapped
		if err := b.Build(data, nil); err != nil {
			log.Fatal(err)
		}
		l, err := snapshot.Open(data, "example", nil)
		if err != nil {
			log.Fatal(err)
		}
		return l
	}
	stack := snapshot.Stack{Layers: []*snapshot.Layer{
		layer(0, 30, 3,
			snapshot.Entry{Key: "apple", Revision: 10, Value: []byte("red")},
			snapshot.Entry{Key: "banana", Revision: 20, Value: []byte("yellow")},
			snapshot.Entry{Key: "cherry", Revision: 30, Value: []byte("dark red")}),
		layer(30, 50, 2,
			snapshot.Entry{Key: "apple", Revision: 40, Value: []byte("green")},
			snapshot.Entry{Key: "banana", Revision: 50, Tombstone: true}),
	}}
	show := func() {
		for _, key := range []string{"apple", "banana", "cherry"} {
			e, ok, err := stack.Find(0, key, nil)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Printf("%s: %v %q\n", key, ok, e.Value)
		}
	}
	show()

	m, err := snapshot.PlanMerge(stack.Layers, true, nil)
	if err != nil {
		log.Fatal(err)
	}
	data := make([]byte, m.Size())
	if err := m.Build(data, nil); err != nil {
		log.Fatal(err)
	}
	base, err := snapshot.Open(data, "merged", nil)
	if err != nil {
		log.Fatal(err)
	}
	stack = snapshot.Stack{Layers: []*snapshot.Layer{base}}
	live, err := stack.Live(0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("merged:", base.Len(), "entries,", live, "live, as of", stack.Position())
	show()
	// Output:
	// apple: true "green"
	// banana: false ""
	// cherry: true "dark red"
	// merged: 2 entries, 2 live, as of 50
	// apple: true "green"
	// banana: false ""
	// cherry: true "dark red"
}

// Verify looks at every byte of a layer, and at what ties layers together.
func ExampleLayer_Verify() {
	b := snapshot.NewBuilder(0, 30)
	b.SetHeader(snapshot.Header{Live: 1})
	if err := b.Add(snapshot.Entry{Key: "apple", Revision: 10, Value: []byte("green")}); err != nil {
		log.Fatal(err)
	}
	data := make([]byte, b.Size())
	if err := b.Build(data, nil); err != nil {
		log.Fatal(err)
	}
	l, err := snapshot.Open(data, "fruit", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Verify(nil))
	live, err := snapshot.Stack{Layers: []*snapshot.Layer{l}}.Verify(nil)
	fmt.Println(live, err)

	data[len(data)-1] = 1 // no look-up would notice
	fmt.Println(l.Verify(nil))
	// Output:
	// <nil>
	// [1] <nil>
	// ultradict: segment fruit is damaged at offset 367: padding is not zero
}
