package lint

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A tree is the text of the repository, the Go files parsed.
type tree struct {
	fset  *token.FileSet
	files []*file            // Go files, in order of path
	texts map[string][]byte  // every text file that rules look at, by path
	mods  map[string]*module // go.mod files, by folder ("." is the root)
	used  []string           // folders that go.work lists
}

// A file is one Go file.
type file struct {
	path   string // slash-separated, relative to the root
	dir    string // its folder, "." for the root
	isTest bool
	syntax *ast.File
	fset   *token.FileSet
}

func (f *file) line(n ast.Node) int { return f.fset.Position(n.Pos()).Line }

// imports yields the import declarations with their unquoted paths.
func (f *file) imports(yield func(*ast.ImportSpec, string) bool) {
	for _, spec := range f.syntax.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err == nil && !yield(spec, name) {
			return
		}
	}
}

// isText reports whether rules look at the file's text.
func isText(name string) bool {
	switch path.Ext(name) {
	case ".go", ".md", ".mod", ".work", ".s", ".sh", ".yml":
		return true
	}
	return name == "Makefile" || name == "run"
}

// isSkipped reports whether a folder is none of the project's source. Unlike
// the go command's, this list leaves .ci in.
func isSkipped(name string) bool {
	hidden := strings.HasPrefix(name, ".") && name != "." && name != ".ci"
	return hidden || strings.HasPrefix(name, "_") || name == "testdata" || name == "vendor"
}

// load reads and parses the tree. Go files with syntax errors are left out of
// it and become findings.
func load(fsys fs.FS) (*tree, []Finding, error) {
	t := &tree{fset: token.NewFileSet(), texts: map[string][]byte{}, mods: map[string]*module{}}
	var broken []Finding
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && isSkipped(d.Name()):
			return fs.SkipDir
		case !d.Type().IsRegular() || !isText(d.Name()):
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		t.texts[name] = text
		switch {
		case path.Ext(name) == ".go":
			f, err := parse(t.fset, name, text)
			if err != nil {
				broken = append(broken, syntaxFinding(name, err))
				return nil
			}
			t.files = append(t.files, f)
		case d.Name() == "go.mod":
			t.mods[path.Dir(name)] = parseMod(name, text)
		case name == "go.work":
			t.used = parseUsed(text)
		}
		return nil
	})
	return t, broken, err
}

func parse(fset *token.FileSet, name string, text []byte) (*file, error) {
	syntax, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &file{
		path:   name,
		dir:    path.Dir(name),
		isTest: strings.HasSuffix(name, "_test.go"),
		syntax: syntax,
		fset:   fset,
	}, nil
}

func syntaxFinding(name string, err error) Finding {
	f := Finding{Path: name, Line: 1, Rule: "syntax", Text: err.Error()}
	var list scanner.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		f.Line, f.Text = list[0].Pos.Line, list[0].Msg
	}
	return f
}

// byDir groups the Go files by folder and package clause, so that package foo
// and package foo_test are two groups; the groups are in order of path.
func (t *tree) byDir() [][]*file {
	type key struct{ dir, name string }
	groups := map[key][]*file{}
	var order []key
	for _, f := range t.files {
		k := key{f.dir, f.syntax.Name.Name}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], f)
	}
	all := make([][]*file, 0, len(order))
	for _, k := range order {
		all = append(all, groups[k])
	}
	return all
}

// textPaths returns the paths of all text files in order.
func (t *tree) textPaths() []string {
	paths := make([]string, 0, len(t.texts))
	for p := range t.texts {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return paths
}

// countLines returns how many lines a text has; the last needs no newline.
func countLines(text []byte) int {
	n := bytes.Count(text, []byte{'\n'})
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return n
}

// within reports whether dir is root or lies below it.
func within(dir, root string) bool {
	return dir == root || strings.HasPrefix(dir, root+"/")
}
