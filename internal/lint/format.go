package lint

import (
	"go/ast"
	"strings"
)

// formatMark is the comment that files with wire constants carry.
const formatMark = "part of the format"

// checkFormat forbids iota where a value stands in shared memory: inserting a
// line must not change what the lines below it mean.
func checkFormat(t *tree, say report) {
	for _, f := range t.files {
		if f.isTest || !hasMark(f) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "iota" {
				say(f.path, f.line(id), "iota in a file with values that are %s: write them out", formatMark)
			}
			return true
		})
	}
}

func hasMark(f *file) bool {
	for _, group := range f.syntax.Comments {
		// Text joins the lines of a comment; the mark may be broken over two.
		if strings.Contains(strings.Join(strings.Fields(group.Text()), " "), formatMark) {
			return true
		}
	}
	return false
}
