package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// goods is how much there is of each kind.
type goods map[string]int64

var (
	kinds     = []string{"belts", "bolts", "gears", "nuts"}
	siteNames = []string{"east", "north", "south"}
)

func (g goods) add(other goods) {
	for kind, n := range other {
		g[kind] += n
	}
}

// String is the goods in one line, such as "bolts 12, nuts 3".
func (g goods) String() string {
	if len(g) == 0 {
		return "-"
	}
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(g)) {
		parts = append(parts, fmt.Sprintf("%s %d", kind, g[kind]))
	}
	return strings.Join(parts, ", ")
}

// newSite is a site as a tree: the goods are on shelves that nobody has seen before.
func newSite(all goods, visits, rebuilt int64) map[string]any {
	layout := []any{}
	shelves := map[string]any{}
	for i := range 2 + rand.IntN(3) {
		name := fmt.Sprintf("%d-%c", rebuilt+1, 'a'+i)
		layout = append(layout, name)
		shelves[name] = map[string]any{}
	}
	for kind, n := range all {
		for i, name := range layout {
			part := n
			if i+1 < len(layout) {
				part = rand.Int64N(n + 1)
			}
			n -= part
			shelves[name.(string)].(map[string]any)[kind] = part
		}
	}
	return map[string]any{"layout": layout, "shelves": shelves, "visits": visits, "rebuilt": rebuilt}
}

// newRobot is a robot as a tree.
func newRobot() map[string]any {
	return map[string]any{"cargo": map[string]any{}, "log": map[string]any{"moves": 0, "visits": 0, "reopened": 0}}
}

func robotName(i int) string { return fmt.Sprintf("r%d", i+1) }

// at is what a plain tree holds at the end of a path, a T's zero value if there is none.
func at[T any](tree map[string]any, path ...string) T {
	var x any = tree
	for _, key := range path {
		below, _ := x.(map[string]any)
		x = below[key]
	}
	t, _ := x.(T)
	return t
}

// onShelves are the goods of all sites of a plain tree.
func onShelves(tree map[string]any) goods {
	sum := goods{}
	for _, site := range at[map[string]any](tree, "sites") {
		for _, shelf := range at[map[string]any](site.(map[string]any), "shelves") {
			sum.add(plainGoods(shelf))
		}
	}
	return sum
}

// onBoard are the goods that the robots of a plain tree carry.
func onBoard(tree map[string]any) goods {
	sum := goods{}
	for _, robot := range at[map[string]any](tree, "robots") {
		sum.add(plainGoods(at[any](robot.(map[string]any), "cargo")))
	}
	return sum
}

func plainGoods(x any) goods {
	g := goods{}
	for kind, n := range x.(map[string]any) {
		g[kind], _ = n.(int64)
	}
	return g
}

// sumOf adds up the numbers at the end of a path in each of the trees below one.
func sumOf(tree map[string]any, path ...string) (sum int64) {
	for _, below := range tree {
		sum += at[int64](below.(map[string]any), path...)
	}
	return sum
}

// draw returns a tree in indented lines. What holds nothing but numbers takes one line.
func draw(tree map[string]any) []string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		below, isTree := tree[key].(map[string]any)
		switch {
		case !isTree:
			lines = append(lines, fmt.Sprintf("%s: %v", key, tree[key]))
		case isFlat(below):
			lines = append(lines, fmt.Sprintf("%s: %s", key, plainGoods(below)))
		default:
			lines = append(lines, key)
			for _, line := range draw(below) {
				lines = append(lines, "    "+line)
			}
		}
	}
	return lines
}

func isFlat(tree map[string]any) bool {
	for _, x := range tree {
		if _, isNumber := x.(int64); !isNumber {
			return false
		}
	}
	return true
}
