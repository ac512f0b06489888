package formatdoc

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A row is one line of a table: one field, or reserved bytes.
type row struct {
	field        string // "" for reserved bytes
	offset, size uint64
	access       string
}

// A table is what the document says of one structure.
type table struct {
	name string
	size uint64
	rows []row
}

var (
	title = regexp.MustCompile("^\\*\\*`([A-Za-z.]+)`, ([0-9]+) bytes\\*\\*")
	named = regexp.MustCompile("^`([A-Za-z]+)`$")
)

// document returns the text of docs/FORMAT.md. Tests run in the folder of
// their package; the document is looked for from there upwards.
func document() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		b, err := os.ReadFile(filepath.Join(dir, "docs", "FORMAT.md"))
		if err == nil {
			return string(b), nil
		}
		if !os.IsNotExist(err) || dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find docs/FORMAT.md: %w", err)
		}
		dir = filepath.Dir(dir)
	}
}

// parse returns the table with the given name out of a document.
func parse(text, name string) (*table, error) {
	t := (*table)(nil)
	for i, line := range strings.Split(text, "\n") {
		if m := title.FindStringSubmatch(line); m != nil {
			if t != nil {
				break
			}
			if m[1] == name {
				size, err := strconv.ParseUint(m[2], 10, 64)
				if err != nil {
					return nil, fmt.Errorf("line %d: %w", i+1, err)
				}
				t = &table{name: name, size: size}
			}
			continue
		}
		if t == nil {
			continue
		}
		if !strings.HasPrefix(line, "|") {
			if len(t.rows) > 0 {
				break // the end of the table
			}
			continue
		}
		r, ok, err := parseRow(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if ok {
			t.rows = append(t.rows, r)
		}
	}
	if t == nil || len(t.rows) == 0 {
		return nil, fmt.Errorf("docs/FORMAT.md has no table %q", name)
	}
	return t, t.contiguous()
}

// parseRow reads one line of a table; ok is false for the two of its head.
func parseRow(line string) (r row, ok bool, err error) {
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	if cells[0] == "field" || strings.HasPrefix(cells[0], "---") {
		return row{}, false, nil
	}
	if len(cells) < 4 {
		return row{}, false, fmt.Errorf("%d columns, at least 4 wanted", len(cells))
	}
	if m := named.FindStringSubmatch(cells[0]); m != nil {
		r.field = m[1]
	} else if cells[0] != "reserved" {
		return row{}, false, fmt.Errorf("%q is neither a `field` nor \"reserved\"", cells[0])
	}
	if r.offset, err = strconv.ParseUint(cells[1], 10, 64); err != nil {
		return row{}, false, fmt.Errorf("offset: %w", err)
	}
	if r.size, err = strconv.ParseUint(cells[2], 10, 64); err != nil {
		return row{}, false, fmt.Errorf("size: %w", err)
	}
	r.access = cells[3]
	return r, true, nil
}

// contiguous makes sure that every byte has one row.
func (t *table) contiguous() error {
	at := uint64(0)
	for _, r := range t.rows {
		if r.offset != at {
			return fmt.Errorf("table %q: row %q is at %d, the one before ends at %d", t.name, r.field, r.offset, at)
		}
		at += r.size
	}
	if at != t.size {
		return fmt.Errorf("table %q: its rows end at %d, its title says %d bytes", t.name, at, t.size)
	}
	return nil
}
