package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ultradict/go/ultradict"
)

// warehouse is the dictionary, as the process sees it that has made it.
type warehouse struct {
	*ultradict.Dict
	total   goods
	rebuilt map[string]int64 // how often each site was
	runs    int              // of the transactions that did it: more where robots came in between
}

// each is how much there is of each kind.
const each = 500

// openWarehouse makes the whole tree by one transaction.
func openWarehouse(ctx context.Context, name string, robots int) (*warehouse, error) {
	d, err := ultradict.Open(name, ultradict.CreateOnly(), ultradict.WithRecurse())
	if err != nil {
		return nil, err
	}
	w := &warehouse{Dict: d, total: goods{}, rebuilt: map[string]int64{}}
	tree := map[string]any{"closed": false, "audit": map[string]any{}}
	sites, fleet, total := map[string]any{}, map[string]any{}, map[string]any{}
	for i, site := range siteNames {
		all := goods{}
		for k, kind := range kinds {
			all[kind] = each / int64(len(siteNames))
			if i == k%len(siteNames) {
				all[kind] += each % int64(len(siteNames))
			}
		}
		sites[site] = newSite(all, 0, 0)
		w.total.add(all)
	}
	for kind, n := range w.total {
		total[kind] = n
	}
	for i := range robots {
		fleet[robotName(i)] = newRobot()
	}
	tree["sites"], tree["robots"], tree["total"] = sites, fleet, total
	err = d.Update(ctx, func(tx *ultradict.DictTx) error {
		for key, below := range tree { // maps become nested dictionaries: WithRecurse
			if err := tx.Set(key, below); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("build the warehouse: %w", err), w.close())
	}
	return w, nil
}

func (w *warehouse) close() error {
	return errors.Join(w.Close(), remove(w.Name()))
}

// remove removes the dictionary, if nobody else has.
func remove(name string) error {
	if err := ultradict.Remove(name); !errors.Is(err, ultradict.ErrNotExist) {
		return err
	}
	return nil
}

// rebuild puts a new site in the place of an old one, with all that belongs to it.
// Whoever changes anything in the old one meanwhile makes the transaction run again; who
// comes later, through a handle of the old one, gets ErrRemoved.
func (w *warehouse) rebuild(ctx context.Context, name string) error {
	err := w.Update(ctx, func(tx *ultradict.DictTx) error {
		w.runs++
		site, err := tx.Dict("sites", name)
		if err != nil {
			return err
		}
		visits, err := ultradict.As[int64](site.Get("visits"))
		if err != nil {
			return err
		}
		rebuilt, err := ultradict.As[int64](site.Get("rebuilt"))
		if err != nil {
			return err
		}
		all := goods{}
		layout, err := layoutOf(site)
		if err != nil {
			return err
		}
		for _, shelf := range layout {
			s, err := ultradict.TxNested[string, int64](site, "shelves", shelf)
			if err != nil {
				return err
			}
			// By key, not by All: that would make every other commit a conflict.
			for _, kind := range kinds {
				n, err := s.Get(kind)
				if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
					return err
				}
				all[kind] += n
			}
		}
		sites, err := tx.Dict("sites")
		if err != nil {
			return err
		}
		return sites.Set(name, newSite(all, visits, rebuilt+1))
	})
	if err != nil {
		return fmt.Errorf("rebuild %s: %w", name, err)
	}
	w.rebuilt[name]++
	return nil
}

// layoutOf are the names of a site's shelves.
func layoutOf(site *ultradict.DictTx) ([]string, error) {
	list, err := ultradict.As[[]any](site.Get("layout"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, x := range list {
		name, err := ultradict.As[string](x, nil)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
