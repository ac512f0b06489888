package shm

import (
	"errors"
	"io/fs"
	"math"
)

// Entry is anything that lies in an instance's directory.
type Entry struct {
	File  string      // its name, ours or not
	Size  int64       // in bytes
	Mode  fs.FileMode // type and permission bits
	Links uint64      // names that it has
}

// Entries describes everything in the directory, sorted by name. What vanishes
// meanwhile is left out.
func (d *Dir) Entries() ([]Entry, error) {
	names, err := d.entries()
	if err != nil {
		return nil, err
	}
	all := make([]Entry, 0, len(names))
	for _, file := range names {
		st, err := d.stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Entry{File: file, Size: st.size, Mode: st.mode, Links: st.links})
	}
	return all, nil
}

// Has reports whether there is anything of that name; in doubt, that there is.
func (d *Dir) Has(file string) bool {
	_, err := d.stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// Is reports whether the directory still is the live instance of a name.
func (r *Root) Is(name string, d *Dir) (bool, error) { return r.is(name, d) }

// Leftover is a directory that is being made or removed, or that somebody left
// who died meanwhile: only the holder of [Root.Lock] can tell.
type Leftover struct {
	Name  string // dotted
	Bytes int64  // of the files in it
}

// Leftovers lists what [Root.Sweep] would remove. One that cannot be opened is
// listed without a size.
func (r *Root) Leftovers() ([]Leftover, error) {
	names, err := r.entries()
	if err != nil {
		return nil, err
	}
	var all []Leftover
	for _, entry := range names {
		if !isDotted(entry) {
			continue
		}
		if st, err := r.stat(entry); err != nil || !st.mode.IsDir() {
			continue
		}
		l := Leftover{Name: entry}
		if f, err := r.sub(entry); err == nil {
			d := Dir{folder: f}
			if files, err := d.Entries(); err == nil {
				for _, e := range files {
					l.Bytes += min(max(e.Size, 0), math.MaxInt64-l.Bytes)
				}
			}
			_ = d.Close()
		}
		all = append(all, l)
	}
	return all, nil
}

// DraftOf returns the name of the segment that a file is an unpublished draft
// of, if it is one.
func DraftOf(file string) (Name, bool) {
	if len(file) < 2 || file[0] != '.' {
		return Name{}, false
	}
	name, err := ParseName(file[1:])
	return name, err == nil
}
