package lint

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
)

// A Finding is one place where the tree breaks a rule.
type Finding struct {
	Path string // slash-separated, relative to the root of the tree
	Line int    // from 1
	Rule string // name of the rule, as in the package comment
	Text string // what is wrong, and what to do about it
}

// String returns the finding as "path:line: text (rule)".
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s (%s)", f.Path, f.Line, f.Text, f.Rule)
}

// report is what a rule calls for each thing it finds.
type report func(path string, line int, format string, args ...any)

// rules lists all rules, each under the name its findings carry.
var rules = []struct {
	name  string
	check func(*tree, report)
}{
	{"imports", checkImports},
	{"unsafe", checkUnsafe},
	{"format", checkFormat},
	{"docs", checkDocs},
	{"files", checkFiles},
	{"modules", checkModules},
	{"steps", checkSteps},
}

// Points lists the steps of the protocol that the module whose root is fsys takes,
// as its source has them; see [Point].
func Points(fsys fs.FS) ([]Point, error) {
	t, _, err := load(fsys)
	if err != nil {
		return nil, fmt.Errorf("load tree: %w", err)
	}
	return t.points(), nil
}

// Check applies every rule to the module whose root is fsys, and returns what
// it found in order of path and line. A Go file that does not parse is a
// finding; an error means that the tree could not be read.
func Check(fsys fs.FS) ([]Finding, error) {
	t, found, err := load(fsys)
	if err != nil {
		return nil, fmt.Errorf("load tree: %w", err)
	}
	for _, r := range rules {
		r.check(t, func(path string, line int, format string, args ...any) {
			found = append(found, Finding{path, line, r.name, fmt.Sprintf(format, args...)})
		})
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
	})
	return found, nil
}
