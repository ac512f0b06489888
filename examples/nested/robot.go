package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ultradict/go/ultradict"
)

// robot carries goods.
type robot struct {
	name  string
	d     *ultradict.Dict
	log   *ultradict.Map[string, int64] // a nested dictionary as well, of a type of its own
	sites map[string]*ultradict.Dict    // handles, as far as it has some
}

// robotMain is the whole life of a robot: it works until the warehouse is closed.
func robotMain(ctx context.Context, d *ultradict.Dict, name string) error {
	log, err := ultradict.Nested[string, int64](d, "robots", name, "log")
	if err != nil {
		return err
	}
	r := &robot{name: name, d: d, log: log, sites: map[string]*ultradict.Dict{}}
	for {
		closed, err := ultradict.As[bool](d.Get("closed"))
		if err != nil {
			return err
		}
		site := siteNames[rand.IntN(len(siteNames))]
		if err := r.move(ctx, site, !closed); err != nil {
			return fmt.Errorf("move to %s: %w", site, err)
		}
		if err := r.visit(site); err != nil {
			return fmt.Errorf("visit %s: %w", site, err)
		}
		if closed {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(rand.Int64N(int64(2 * time.Millisecond)))):
		}
	}
}

// move unloads what the robot has on board onto a shelf of a site and, if it is to load,
// takes something from a shelf there, all at once.
func (r *robot) move(ctx context.Context, site string, load bool) error {
	return r.d.Update(ctx, func(tx *ultradict.DictTx) error {
		me, err := tx.Dict("robots", r.name)
		if err != nil {
			return err
		}
		cargo, err := ultradict.TxNested[string, int64](me, "cargo")
		if err != nil {
			return err
		}
		shelf, err := someShelf(tx, site)
		if err != nil {
			return err
		}
		for _, kind := range kinds {
			if err := carry(cargo, shelf, kind, each); err != nil {
				return err
			}
		}
		if load {
			if shelf, err = someShelf(tx, site); err != nil {
				return err
			}
			if err := carry(shelf, cargo, kinds[rand.IntN(len(kinds))], 1+rand.Int64N(9)); err != nil {
				return err
			}
		}
		log, err := ultradict.TxNested[string, int64](me, "log")
		if err != nil {
			return err
		}
		moves, err := log.Get("moves")
		if err != nil {
			return err
		}
		return errors.Join(log.Set("moves", moves+1), me.Set("at", site))
	})
}

// someShelf is one of a site's shelves.
func someShelf(tx *ultradict.DictTx, name string) (*ultradict.Tx[string, int64], error) {
	site, err := tx.Dict("sites", name)
	if err != nil {
		return nil, err
	}
	layout, err := layoutOf(site)
	if err != nil {
		return nil, err
	}
	return ultradict.TxNested[string, int64](site, "shelves", layout[rand.IntN(len(layout))])
}

// carry takes up to most of a kind from one dictionary to another.
func carry(from, to *ultradict.Tx[string, int64], kind string, most int64) error {
	there, err := from.Get(kind)
	if errors.Is(err, ultradict.ErrNotFound) || err == nil && there == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	n := min(there, most)
	if n == there {
		_, err = from.Delete(kind)
	} else {
		err = from.Set(kind, there-n)
	}
	if err != nil {
		return err
	}
	here, err := to.Get(kind)
	if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
		return err
	}
	return to.Set(kind, here+n)
}

// visit signs the visitors' book of a site, and writes it down in the robot's log.
func (r *robot) visit(name string) error {
	for {
		site := r.sites[name]
		if site == nil {
			var err error
			if site, err = r.d.Dict("sites", name); err != nil {
				return err
			}
			r.sites[name] = site
		}
		_, err := site.Add("visits", 1)
		if errors.Is(err, ultradict.ErrRemoved) {
			// The site was rebuilt, so this handle is of one that is no more. (If it is
			// the whole dictionary that was removed, all that follows says so.)
			delete(r.sites, name)
			if _, err := r.log.Add("reopened", 1); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		_, err = r.log.Add("visits", 1)
		return err
	}
}
