package lint

import (
	"go/ast"
	"go/doc"
	"go/token"
	"slices"
	"strings"
)

// public are the packages users import; every exported name in them, fields
// and methods included, has a comment.
var public = []string{"ultradict", "stream", "snapshot", "locks", "objects"}

func isPublic(dir string) bool {
	in := slices.ContainsFunc(public, func(p string) bool { return within(dir, p) })
	return in && !slices.Contains(strings.Split(dir, "/"), "internal")
}

func checkDocs(t *tree, say report) {
	for _, files := range t.byDir() {
		checkPackageDoc(files, say)
	}
	for _, f := range t.files {
		switch {
		case f.isTest:
			checkExamples(f, say)
		case isPublic(f.dir):
			checkExported(f, say)
		}
	}
}

// checkPackageDoc wants one file of each package to say what it is for.
func checkPackageDoc(files []*file, say report) {
	files = slices.DeleteFunc(slices.Clone(files), func(f *file) bool { return f.isTest })
	if len(files) == 0 {
		return // nothing but tests
	}
	name := files[0].syntax.Name.Name
	var text string
	for _, f := range files {
		if doc := f.syntax.Doc.Text(); doc != "" {
			text = doc
			break
		}
	}
	first := files[0]
	switch {
	case text == "":
		say(first.path, first.line(first.syntax.Name), "package %s has no package comment", name)
	case name != "main" && !strings.HasPrefix(text, "Package "+name+" "):
		say(first.path, first.line(first.syntax.Name), "the package comment should begin with %q", "Package "+name+" ")
	}
}

// checkExamples wants every example to be run, which takes an output comment.
func checkExamples(f *file, say report) {
	for _, ex := range doc.Examples(f.syntax) {
		if ex.Output == "" && !ex.EmptyOutput {
			say(f.path, f.line(ex.Code), "Example%s has no \"// Output:\", so it is never run", ex.Name)
		}
	}
}

// checkExported wants a comment for each exported name of a file. In a group
// of constants or variables the group's comment is enough.
func checkExported(f *file, say report) {
	missing := func(n ast.Node, kind, name string) {
		say(f.path, f.line(n), "exported %s %s has no comment", kind, name)
	}
	for _, d := range f.syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			recv, visible := receiver(d)
			if d.Name.IsExported() && visible && !says(d.Doc) {
				missing(d.Name, "function", recv+d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if !s.Name.IsExported() {
						continue
					}
					// The comment of a group of types says nothing of each.
					if !says(s.Doc) && (d.Lparen != token.NoPos || !says(d.Doc)) {
						missing(s.Name, "type", s.Name.Name)
					}
					checkMembers(s, missing)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						if name.IsExported() && !says(s.Doc) && !says(s.Comment) && !says(d.Doc) {
							missing(name, d.Tok.String(), name.Name)
						}
					}
				}
			}
		}
	}
}

// checkMembers wants a comment, above or behind, for the exported fields of a
// struct and the exported methods of an interface.
func checkMembers(s *ast.TypeSpec, missing func(n ast.Node, kind, name string)) {
	var list *ast.FieldList
	kind := "field"
	switch typ := s.Type.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list, kind = typ.Methods, "method"
	default:
		return
	}
	for _, field := range list.List {
		for _, name := range field.Names {
			if name.IsExported() && !says(field.Doc) && !says(field.Comment) {
				missing(name, kind, s.Name.Name+"."+name.Name)
			}
		}
	}
}

// says reports whether a comment has words in it; directives are none.
func says(g *ast.CommentGroup) bool { return strings.TrimSpace(g.Text()) != "" }

// receiver returns "T." for a method of T, and whether users can see T.
func receiver(d *ast.FuncDecl) (prefix string, visible bool) {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return "", true
	}
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.ParenExpr:
			typ = t.X
		case *ast.IndexExpr: // Map[K]
			typ = t.X
		case *ast.IndexListExpr: // Map[K, V]
			typ = t.X
		case *ast.Ident:
			return t.Name + ".", t.IsExported()
		default:
			return "", true
		}
	}
}
