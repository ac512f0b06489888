package main

import (
	"errors"
	"fmt"
	"maps"

	"github.com/ultradict/go/ultradict"
)

// summary is what there is to say in the end.
type summary struct {
	interrupted bool
	tree        map[string]any // the whole dictionary
	total       goods          // what there has to be
	rebuilt     map[string]int64
	runs        int // of transactions that rebuilt a site
	killed      int
	health      ultradict.Report
}

// counts are the sums of the tree that can be compared.
type counts struct {
	shelves, board  goods
	signed, logged  int64 // visits, in the books of the sites and in the logs of the robots
	rebuilt         int64 // sites
	moves, reopened int64 // by all robots
	moments, most   int64 // that the auditor has seen, and pieces on board in one of them
}

func (s *summary) counts() counts {
	sites, robots := at[map[string]any](s.tree, "sites"), at[map[string]any](s.tree, "robots")
	return counts{
		shelves: onShelves(s.tree), board: onBoard(s.tree),
		signed: sumOf(sites, "visits"), logged: sumOf(robots, "log", "visits"),
		rebuilt: sumOf(sites, "rebuilt"),
		moves:   sumOf(robots, "log", "moves"), reopened: sumOf(robots, "log", "reopened"),
		moments: at[int64](s.tree, "audit", "moments"), most: at[int64](s.tree, "audit", "most on board"),
	}
}

// check returns an error unless everything holds that the program claims.
func (s *summary) check() error {
	c := s.counts()
	for site, n := range s.rebuilt {
		if has := at[int64](s.tree, "sites", site, "rebuilt"); has != n {
			return fmt.Errorf("%s was rebuilt %d times, and says %d", site, n, has)
		}
	}
	switch {
	case len(c.board) > 0:
		return fmt.Errorf("robots have ended with %v on board", c.board)
	case !maps.Equal(c.shelves, s.total):
		return fmt.Errorf("there are %v, not %v", c.shelves, s.total)
	case c.signed < c.logged:
		return fmt.Errorf("%d signatures are lost: the robots have logged %d visits, the books have %d", c.logged-c.signed, c.logged, c.signed)
	case c.signed > c.logged+int64(s.killed):
		return fmt.Errorf("the books have %d signatures, the logs %d visits, and only %d robots were killed in between", c.signed, c.logged, s.killed)
	case !s.health.OK():
		return fmt.Errorf("the dictionary is not well: %v", s.health)
	case s.interrupted:
		return nil
	case c.moves == 0 || c.moments == 0 || c.most == 0:
		return errors.New("nothing was carried, or nobody has looked: nothing was shown")
	case c.rebuilt > 0 && c.reopened == 0:
		return errors.New("sites were rebuilt, and nobody had to open one again: nothing was shown")
	}
	return nil
}

// lines is the summary.
func (s *summary) lines() []string {
	c := s.counts()
	end := ""
	if s.interrupted {
		end = ", interrupted"
	}
	lines := append([]string{"", "the tree:", ""}, draw(s.tree)...)
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	add("")
	add("goods    on shelves: %v", c.shelves)
	add("         there must be: %v", s.total)
	add("moves    %d, each over dictionaries of several levels; in %d moments that the auditor saw,", c.moves, c.moments)
	add("         nothing was missing, with up to %d pieces on board", c.most)
	add("visits   %d signatures in the books of the sites, %d in the robots' logs; a killed robot may", c.signed, c.logged)
	add("         have signed and not logged it, and %d were killed", s.killed)
	add("rebuilt  %d sites, in %d runs of transactions; robots found a handle removed, and opened it", c.rebuilt, s.runs)
	add("         again, %d times", c.reopened)
	add("check    %d records, %d layers, %d problems", s.health.Records, s.health.Layers, len(s.health.Problems))
	add("")
	if err := s.check(); err != nil {
		add("IT DOES NOT HOLD: %v", err)
	} else {
		add("nothing was lost, and nothing was there twice%s", end)
	}
	return lines
}
