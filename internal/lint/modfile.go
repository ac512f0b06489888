package lint

import (
	"path"
	"slices"
	"strings"
)

// A module is what the rules need of a go.mod file.
type module struct {
	path     string         // of the file
	name     string         // module path
	requires map[string]int // module path → line; direct ones only
	replaces []int          // lines
}

// parseMod reads the lines of a go.mod file that the rules are about. The go
// command keeps these files in a form that needs no more than this.
func parseMod(name string, text []byte) *module {
	m := &module{path: name, requires: map[string]int{}}
	for _, d := range directives(text) {
		switch {
		case len(d.args) == 0:
		case d.verb == "module":
			m.name = d.args[0]
		case d.verb == "replace":
			m.replaces = append(m.replaces, d.line)
		case d.verb == "require" && !slices.Contains(d.args, "indirect"):
			m.requires[d.args[0]] = d.line
		}
	}
	return m
}

// parseUsed returns the folders that a go.work file uses.
func parseUsed(text []byte) []string {
	var dirs []string
	for _, d := range directives(text) {
		if d.verb == "use" && len(d.args) > 0 {
			dirs = append(dirs, path.Clean(d.args[0]))
		}
	}
	return dirs
}

// A directive is one line of a go.mod or go.work file.
type directive struct {
	verb string   // of the line, or of the block it stands in
	args []string // the words behind it, those of a trailing comment included
	line int
}

func directives(text []byte) []directive {
	var all []directive
	block := ""
	line := 0
	for s := range strings.Lines(string(text)) {
		line++
		if strings.HasPrefix(strings.TrimSpace(s), "//") {
			continue
		}
		words := strings.Fields(strings.Replace(s, "//", " ", 1))
		for i := range words {
			words[i] = strings.Trim(words[i], `"`)
		}
		switch {
		case len(words) == 0:
		case words[0] == ")":
			block = ""
		case block != "":
			all = append(all, directive{block, words, line})
		case len(words) > 1 && words[1] == "(":
			block = words[0]
		default:
			all = append(all, directive{words[0], words[1:], line})
		}
	}
	return all
}
