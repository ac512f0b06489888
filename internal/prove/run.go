package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ultradict/go/ultradict"
)

// run is one must-show as it runs. Its methods are for the goroutine that the
// show runs on.
type run struct {
	name    string
	quick   bool
	dir     string // of the show's dictionaries
	begin   time.Time
	closers []func() error
	names   []string // of the dictionaries that were opened

	figures int
	missed  []string
}

// failure ends a show from within.
type failure struct{ error }

// must ends the show if something went wrong that must not.
func (r *run) must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// do runs a show, and cleans up behind it.
func (r *run) do(s show) {
	fmt.Printf("\n%s: %s\n", s.name, s.title)
	r.begin = time.Now()
	err := r.protected(func() { s.run(r) })
	if stopping.Load() {
		select {} // the other goroutine ends the program
	}
	if err != nil {
		r.figure("ran to its end", err.Error(), "no error", false)
	}
	if err := r.protected(r.clean); err != nil {
		r.figure("cleaned up", err.Error(), "no error", false)
	}
	clearProgress()
}

func (r *run) protected(f func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p.error
		default:
			panic(p)
		}
	}()
	f()
	return nil
}

// clean ends the processes, removes the dictionaries and looks for what they
// have left.
func (r *run) clean() {
	processes.killAll()
	for _, c := range slices.Backward(r.closers) {
		r.must(c())
	}
	for _, name := range r.names {
		if err := ultradict.Remove(name, ultradict.WithDir(r.dir)); !errors.Is(err, ultradict.ErrNotExist) {
			r.must(err)
		}
	}
	left := 0
	err := filepath.WalkDir(r.dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			left++
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return // the show needed none
	}
	r.must(err)
	r.figure("files left over after Remove", fmt.Sprint(left), "0", left == 0)
	r.must(os.RemoveAll(r.dir))
}

// scaled is n, or a part of it that is enough for a quick look.
func (r *run) scaled(n, quick int) int {
	if r.quick {
		return quick
	}
	return n
}

// options are those that every process of the show opens dictionaries with.
func (r *run) options(more ...ultradict.Option) []ultradict.Option {
	return append([]ultradict.Option{ultradict.WithDir(r.dir)}, more...)
}

// opened keeps a handle until the show has ended.
func opened[K comparable, V any](r *run, m *ultradict.Map[K, V], err error) *ultradict.Map[K, V] {
	r.must(err)
	r.closers = append(r.closers, m.Close)
	if !slices.Contains(r.names, m.Name()) {
		r.names = append(r.names, m.Name())
	}
	return m
}

// numbers opens a dictionary of numbers for the rest of the show.
func (r *run) numbers(name string, more ...ultradict.Option) *ultradict.Map[string, int] {
	m, err := ultradict.OpenMap[string, int](name, r.options(more...)...)
	return opened(r, m, err)
}

// texts opens a dictionary of strings for the rest of the show.
func (r *run) texts(name string, more ...ultradict.Option) *ultradict.Map[string, string] {
	m, err := ultradict.OpenMap[string, string](name, r.options(more...)...)
	return opened(r, m, err)
}

// dict opens a dictionary for the rest of the show.
func (r *run) dict(name string, more ...ultradict.Option) *ultradict.Dict {
	m, err := ultradict.Open(name, r.options(more...)...)
	return opened(r, m, err)
}
