package lint

import (
	"go/ast"
	"go/token"
	"strings"
)

// failpoints is the package whose words and Step are the points at which tests
// end a process.
const failpoints = "internal/failpoint"

// changing are the functions of golang.org/x/sys/unix that change what others can
// see: files, mappings, locks.
var changing = map[string]bool{
	"Fallocate": true, "Fchmod": true, "Fchown": true, "Fchownat": true, "Flock": true, "Ftruncate": true,
	"Linkat": true, "Mkdirat": true, "Mmap": true, "Munmap": true, "Pwrite": true, "Renameat": true,
	"Renameat2": true, "Symlinkat": true, "Unlinkat": true, "Write": true,
}

// checkSteps sees to it that every step of the protocol has a point before and
// after it (see internal/failpoint): words in shared memory have the types of that
// package, and whatever else changes what others see stands in a function with
// failpoint.Step, or is given to one. Programs and support for tests are no part
// of the protocol.
func checkSteps(t *tree, say report) {
	for _, f := range t.files {
		if f.isTest || f.dir == failpoints || !partOfProtocol(f.dir) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if s, ok := n.(*ast.StructType); ok && isShared(s) {
				checkWords(f, s, say)
			}
			return true
		})
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil && !callsStep(fn.Body) {
				checkChanges(f, fn.Body, say)
			}
		}
	}
}

func partOfProtocol(dir string) bool {
	for _, root := range []string{"ultradict", "stream", "snapshot", "locks", "objects", "internal"} {
		if within(dir, root) {
			return !within(dir, "internal/lint") && !within(dir, "internal/proctest") && !within(dir, "internal/prove") &&
				!within(dir, "internal/killmatrix") && !within(dir, "internal/soak") && !within(dir, "internal/replica")
		}
	}
	return false
}

// isShared reports whether a struct says by structs.HostLayout that it lies in
// shared memory.
func isShared(s *ast.StructType) bool {
	for _, field := range s.Fields.List {
		if isSelector(field.Type, "structs", "HostLayout") {
			return true
		}
	}
	return false
}

func checkWords(f *file, s *ast.StructType, say report) {
	for _, field := range s.Fields.List {
		ast.Inspect(field.Type, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && isIdent(sel.X, "atomic") {
				say(f.path, f.line(field), "a word in shared memory is a failpoint.%s, not an atomic one: its stores need points", sel.Sel.Name)
			}
			return true
		})
	}
}

// checkChanges looks for what changes something without points around it.
func checkChanges(f *file, body *ast.BlockStmt, say report) {
	var covered []ast.Node // arguments of a call that has the points
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if isIdent(call.Fun, "change") {
			covered = append(covered, call)
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || inside(covered, call.Pos()) {
			return true
		}
		switch {
		case isIdent(sel.X, "unix") && changing[sel.Sel.Name]:
			say(f.path, f.line(call), "unix.%s without failpoint.Step before and after it", sel.Sel.Name)
		case sel.Sel.Name == "Fill" || sel.Sel.Name == "Build":
			if len(call.Args) > 0 && mentions(call.Args[0], "Bytes") {
				say(f.path, f.line(call), "shared memory is filled without failpoint.Step before and after it")
			}
		}
		return true
	})
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if ok && len(call.Args) > 0 && (isIdent(call.Fun, "copy") && mentions(call.Args[0], "Bytes", "data") || isIdent(call.Fun, "putFrame")) {
			say(f.path, f.line(call), "shared memory is written without failpoint.Step before and after it")
		}
		return true
	})
}

func inside(nodes []ast.Node, at token.Pos) bool {
	for _, n := range nodes {
		if n.Pos() <= at && at < n.End() {
			return true
		}
	}
	return false
}

// callsStep reports whether a function has points of its own.
func callsStep(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		found = found || ok && isSelector(call.Fun, "failpoint", "Step")
		return !found
	})
	return found
}

// mentions reports whether an expression selects one of the names.
func mentions(e ast.Expr, names ...string) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			for _, name := range names {
				found = found || sel.Sel.Name == name
			}
		}
		return !found
	})
	return found
}

func isSelector(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	return ok && isIdent(sel.X, pkg) && sel.Sel.Name == name
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// A Point is a step of the protocol as the source has it.
type Point struct {
	Path     string // of the file, relative to the root
	Line     int
	Function string // that it stands in, without its receiver
}

// Points lists the lines of all steps: the changes of words in shared memory, the
// calls of failpoint.Step, and those of functions that have the points for their
// callers. Which selectors are words is told by the names of fields, wherever they
// were declared.
func (t *tree) points() []Point {
	words := map[string]bool{}
	for _, f := range t.files {
		if f.isTest || !partOfProtocol(f.dir) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			var fields *ast.FieldList
			switch n := n.(type) {
			case *ast.StructType:
				fields = n.Fields
			case *ast.FuncType:
				fields = n.Params
			}
			if fields != nil {
				for _, field := range fields.List {
					if mentionsPackage(field.Type, "failpoint") {
						for _, name := range field.Names {
							words[name.Name] = true
						}
					}
				}
			}
			return true
		})
	}
	var all []Point
	for _, f := range t.files {
		if f.isTest || f.dir == failpoints || !partOfProtocol(f.dir) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, method := call.Fun.(*ast.SelectorExpr)
			switch {
			case isWrapper(functionOf(f, call)):
				return true
			case isSelector(call.Fun, "failpoint", "Step"), isIdent(call.Fun, "change"):
			case method && changes(sel.Sel.Name) && words[lastName(sel.X)]:
			default:
				return true
			}
			all = append(all, Point{f.path, f.fset.Position(call.Lparen).Line, functionOf(f, call)})
			return true
		})
	}
	return all
}

// functionOf is the name of the function that a call stands in.
func functionOf(f *file, call *ast.CallExpr) string {
	for _, d := range f.syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Pos() <= call.Pos() && call.Pos() < fn.End() {
			return fn.Name.Name
		}
	}
	return ""
}

// isWrapper reports whether a function has its points for its callers, as
// internal/failpoint has it.
func isWrapper(function string) bool { return function == "change" || function == "fcntl" }

func changes(method string) bool {
	switch method {
	case "Store", "CompareAndSwap", "Add", "Or", "And", "Swap":
		return true
	}
	return false
}

// lastName is the name of the field or variable that an expression ends in.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.IndexExpr:
		return lastName(e.X)
	case *ast.ParenExpr:
		return lastName(e.X)
	}
	return ""
}

func mentionsPackage(e ast.Expr, pkg string) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && isIdent(sel.X, pkg) && strings.ToUpper(sel.Sel.Name[:1]) == sel.Sel.Name[:1] {
			found = true
		}
		return !found
	})
	return found
}
