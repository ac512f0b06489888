package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/ultradict/go/ultradict"
)

// auditorMain takes stock of the whole warehouse again and again, until it is closed.
func auditorMain(ctx context.Context, d *ultradict.Dict) error {
	log, err := ultradict.Nested[string, int64](d, "audit")
	if err != nil {
		return err
	}
	for {
		closed, err := ultradict.As[bool](d.Get("closed"))
		if err != nil {
			return err
		}
		carried, err := takeStock(d)
		if err != nil {
			return err
		}
		if n, err := log.Get("most on board"); err != nil || carried > n {
			if err := log.Set("most on board", carried); err != nil {
				return err
			}
		}
		if _, err := log.Add("moments", 2); err != nil {
			return err
		}
		if closed {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// takeStock wants everything to be there, in a view of one moment and in a plain copy of
// another. It returns how many pieces were on board in the latter.
func takeStock(d *ultradict.Dict) (carried int64, err error) {
	err = d.View(func(v *ultradict.DictView) error {
		sum, err := stock(v)
		if err != nil {
			return err
		}
		total, err := viewGoods(v, "total")
		if err == nil && !maps.Equal(sum, total) {
			err = fmt.Errorf("at revision %d there are %v, not %v", v.Revision(), sum, total)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("take stock: %w", err)
	}
	tree, err := ultradict.Plain(d)
	if err != nil {
		return 0, fmt.Errorf("take stock: %w", err)
	}
	board := onBoard(tree)
	for _, n := range board {
		carried += n
	}
	sum := onShelves(tree)
	sum.add(board)
	if total := plainGoods(tree["total"]); !maps.Equal(sum, total) {
		return 0, fmt.Errorf("take stock: in a plain copy there are %v, not %v", sum, total)
	}
	return carried, nil
}

// stock are all goods in a view, on shelves and on board.
func stock(v *ultradict.DictView) (goods, error) {
	sum := goods{}
	sites, err := v.Dict("sites")
	if err != nil {
		return nil, err
	}
	for site := range sites.All() {
		shelves, err := sites.Dict(site, "shelves")
		if err != nil {
			return nil, err
		}
		for shelf := range shelves.All() {
			g, err := viewGoods(shelves, shelf)
			if err != nil {
				return nil, err
			}
			sum.add(g)
		}
	}
	robots, err := v.Dict("robots")
	if err != nil {
		return nil, err
	}
	for robot := range robots.All() {
		g, err := viewGoods(robots, robot, "cargo")
		if err != nil {
			return nil, err
		}
		sum.add(g)
	}
	return sum, nil
}

// viewGoods are the goods in the dictionary at the end of a path.
func viewGoods(v *ultradict.DictView, path ...string) (goods, error) {
	d, err := ultradict.ViewNested[string, int64](v, path...)
	if err != nil {
		return nil, err
	}
	return maps.Collect(d.All()), nil
}
