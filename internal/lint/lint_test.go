package lint_test

import (
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/lint"
)

// sources are the files of a small tree, by path.
type sources map[string]string

// clean is a tree without findings, to which each case adds its own files.
var clean = sources{
	"go.mod": `module github.com/ultradict/go

require (
	github.com/fxamacker/cbor/v2 v2.9.0
	github.com/stretchr/testify v1.12.0
	golang.org/x/sys v0.49.0
)

require github.com/x448/float16 v0.8.4 // indirect
`,
	"go.work":         "go 1.26.0\n\nuse (\n\t.\n\t./cmd/tool // the command\n)\n",
	"cmd/tool/go.mod": "module github.com/ultradict/go/cmd/tool\n\nrequire example.com/heavy v1.0.0\n",
	"tools/go.mod":    "module github.com/ultradict/go/tools\n",
}

// check returns the findings for clean with the files laid over it; an empty
// text removes a file.
func check(t *testing.T, files sources) []string {
	t.Helper()
	tree := fstest.MapFS{}
	all := maps.Clone(clean)
	maps.Copy(all, files)
	for path, text := range all {
		if text != "" {
			tree[path] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	found, err := lint.Check(tree)
	require.NoError(t, err)
	lines := []string{}
	for _, f := range found {
		lines = append(lines, f.String())
	}
	return lines
}

// A ruleCase is a tree and the findings it leads to, each as the beginning
// "path:line: " and, behind "…", a part of the rest.
type ruleCase struct {
	name  string
	files sources
	want  []string
}

func run(t *testing.T, cases []ruleCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := check(t, c.files)
			require.Len(t, got, len(c.want), "%q", got)
			for i, want := range c.want {
				place, part, ok := strings.Cut(want, "…")
				require.True(t, ok)
				require.True(t, strings.HasPrefix(got[i], place+": "), "%q is not at %s", got[i], place)
				require.Contains(t, got[i], part)
			}
		})
	}
}

// pkg is a documented package with the given body; the body begins in line 3.
func pkg(name, body string) string {
	return "// Package " + name + " is a test.\npackage " + name + "\n" + body
}

func TestClean(t *testing.T) {
	require.Empty(t, check(t, nil))
}

func TestFindingString(t *testing.T) {
	f := lint.Finding{Path: "a/b.go", Line: 7, Rule: "files", Text: "too long"}
	require.Equal(t, "a/b.go:7: too long (files)", f.String())
}

func TestSyntaxErrorIsAFinding(t *testing.T) {
	run(t, []ruleCase{
		{"broken file", sources{"stream/a.go": "package stream\nfunc {\n"}, []string{"stream/a.go:2…(syntax)"}},
		{"not a source folder", sources{"stream/testdata/a.go": "broken", ".hidden/a.go": "broken", "_old/a.go": "broken"}, nil},
	})
}

func TestFindingsAreInOrder(t *testing.T) {
	got := check(t, sources{
		"stream/b.go": "// Package stream is a test.\npackage stream\n\nfunc B() {}\nfunc C() {}\n",
		"stream/a.go": "package stream\n\nimport \"unsafe\"\n\nfunc A(unsafe.Pointer) {}\n",
	})
	require.Len(t, got, 4)
	for i, place := range []string{"stream/a.go:3:", "stream/a.go:5:", "stream/b.go:4:", "stream/b.go:5:"} {
		require.True(t, strings.HasPrefix(got[i], place), "%q", got)
	}
}
