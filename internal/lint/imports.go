package lint

import (
	"path"
	"slices"
	"strings"
)

// A layer is a set of folders that may import the same things.
type layer struct {
	name    string
	dirs    []string // each with all that lies below it; the longest match counts
	imports []string // layers they may import
	tests   []string // further layers for their tests
	alone   bool     // its folders do not import each other
}

// layers is the one table of who may import whom inside the module. Importing
// within one folder of the table is always allowed.
//
//	ultradict → { stream, snapshot, locks, objects } → internal
//
// with internal/core between the first two.
var layers = []layer{
	{
		name:    "facade",
		dirs:    []string{"ultradict"},
		imports: []string{"core", "blocks", "machine", "pure"},
		tests:   []string{"support"},
	},
	{
		name:    "core",
		dirs:    []string{"internal/core"},
		imports: []string{"blocks", "machine", "pure"},
		tests:   []string{"support"},
	},
	{ // public, each usable without the others
		name:    "blocks",
		dirs:    []string{"stream", "snapshot", "locks", "objects"},
		imports: []string{"machine", "pure"},
		tests:   []string{"support"},
		alone:   true,
	},
	{ // know of processes, files and mappings
		name:    "machine",
		dirs:    []string{"internal"},
		imports: []string{"machine", "pure"},
		tests:   []string{"support"},
	},
	{ // know nothing of shared memory
		name:    "pure",
		dirs:    []string{"internal/errs", "internal/failpoint", "internal/invariants", "internal/jsontree", "internal/record", "internal/replica", "internal/save", "internal/value"},
		imports: []string{"pure"},
		tests:   []string{"support"},
	},
	{ // for tests only
		name:    "support",
		dirs:    []string{"internal/lint", "internal/proctest"},
		imports: []string{"machine", "pure"},
	},
	{ // shows that the promises hold, so it may look at everything
		name:    "proof",
		dirs:    []string{"internal/killmatrix", "internal/prove", "internal/soak", "linear"},
		imports: []string{"facade", "core", "blocks", "machine", "pure", "support"},
	},
	{ // to be copied by users, so they import what users can import
		name:    "examples",
		dirs:    []string{"examples"},
		imports: []string{"facade", "blocks"},
		tests:   []string{"support"},
	},
	{ // nested modules
		name:    "programs",
		dirs:    []string{"cmd", "bench", "bridge"},
		imports: []string{"facade", "blocks", "machine", "pure"},
		tests:   []string{"support"},
	},
}

// testOnly are the modules that no one else's build may come to need.
var testOnly = []string{"github.com/stretchr/testify"}

// place finds the row of the table that dir belongs to, and which of the
// row's folders it is in.
func place(dir string) (*layer, string) {
	var row *layer
	var root string
	for i := range layers {
		for _, d := range layers[i].dirs {
			if within(dir, d) && len(d) > len(root) {
				row, root = &layers[i], d
			}
		}
	}
	return row, root
}

// unplaced are folders of Go files that need no row: they hold no package that
// anything imports.
func unplaced(dir string) bool { return dir == "tools" }

func checkImports(t *tree, say report) {
	root := "github.com/ultradict/go"
	if m := t.mods["."]; m != nil && m.name != "" {
		root = m.name
	}
	for _, f := range t.files {
		row, home := place(f.dir)
		if row == nil {
			if !unplaced(f.dir) {
				say(f.path, f.line(f.syntax.Name), "folder %s is in no row of the import table (internal/lint/imports.go)", f.dir)
			}
			continue
		}
		for spec, name := range f.imports {
			if dir, ok := strings.CutPrefix(name, root+"/"); ok {
				if why := forbidden(row, home, dir, f.isTest); why != "" {
					say(f.path, f.line(spec), "%s must not import %s: %s", f.dir, dir, why)
				}
				continue
			}
			for _, m := range testOnly {
				if within(name, m) && !f.isTest {
					say(f.path, f.line(spec), "%s is for tests only", path.Base(m))
				}
			}
		}
	}
}

// forbidden says why a file of the folder home, in the given row of the table,
// may not import dir; "" means that it may.
func forbidden(row *layer, home, dir string, isTest bool) string {
	target, targetHome := place(dir)
	switch {
	case target == nil:
		return "it is in no row of the import table"
	case target == row && row.alone && targetHome != home:
		return "each of " + strings.Join(row.dirs, ", ") + " stands alone"
	case target == row && (targetHome == home || slices.Contains(row.imports, row.name)):
		return ""
	case slices.Contains(row.imports, target.name):
		return ""
	case isTest && slices.Contains(row.tests, target.name):
		return ""
	}
	allowed := row.imports
	if isTest {
		allowed = slices.Concat(row.imports, row.tests)
	}
	return "layer " + row.name + " may import " + strings.Join(allowed, ", ") + ", not " + target.name
}
