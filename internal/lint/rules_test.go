package lint_test

import (
	"strings"
	"testing"
)

func TestUnsafe(t *testing.T) {
	run(t, []ruleCase{
		{"in its places", sources{
			"stream/doc.go":       pkg("stream", ""),
			"stream/a_unsafe.go":  "package stream\n\nimport \"unsafe\"\n\nvar _ unsafe.Pointer\n",
			"stream/a_test.go":    "package stream\n\nimport \"unsafe\"\n\nvar _ unsafe.Pointer\n",
			"internal/pin/pin.go": pkg("pin", "import _ \"unsafe\"\n\n//go:linkname procPin runtime.procPin\nfunc procPin() int\n"),
		}, nil},
		{"elsewhere", sources{
			"stream/a.go":          pkg("stream", "import \"unsafe\"\nvar _ unsafe.Pointer\n"),
			"stream/unsafe.go":     "package stream\n\nimport u \"unsafe\"\n",
			"stream/b.go":          "package stream\n\nimport _ \"unsafe\"\n",
			"internal/pin/more.go": pkg("pin", "import \"unsafe\"\n"),
		}, []string{
			"internal/pin/more.go:3…(unsafe)",
			"stream/a.go:3…(unsafe)",
			"stream/b.go:3…(unsafe)",
			"stream/unsafe.go:3…(unsafe)",
		}},
		{"linkname", sources{
			"stream/a_unsafe.go": pkg("stream", "import _ \"unsafe\"\n\n//go:linkname f runtime.f\nfunc f()\n"),
		}, []string{"stream/a_unsafe.go:5…go:linkname belongs in internal/pin"}},
	})
}

func TestFormat(t *testing.T) {
	const counted = "const (\n\ta = iota\n\tb\n)\n"
	run(t, []ruleCase{
		{"without the mark", sources{"stream/a.go": pkg("stream", counted)}, nil},
		{"mark in a string only", sources{"stream/a.go": pkg("stream", counted+"var s = \"part of the format\"\n")}, nil},
		{"with the mark", sources{"stream/a.go": pkg("stream", "// Kinds; part of the format.\n"+counted)}, []string{"stream/a.go:5…(format)"}},
		{"mark over two lines", sources{"stream/a.go": pkg("stream", "// Kinds; these are part\n// of the format.\n"+counted)}, []string{"stream/a.go:6…(format)"}},
	})
}

func TestFiles(t *testing.T) {
	long := func(lines int) string { return pkg("stream", strings.Repeat("\n", lines-2)) }
	mark := "TO" + "DO"
	run(t, []ruleCase{
		{"longest", sources{"stream/a.go": long(450)}, nil},
		{"too long", sources{"stream/a.go": long(451)}, []string{"stream/a.go:451…451 lines"}},
		{"long test", sources{"stream/a.go": long(2), "stream/a_test.go": long(2000)}, nil},
		{"leftovers", sources{
			"stream/a.go":      pkg("stream", "\n// "+mark+": write it.\nvar "+mark+"s int\n"),
			"stream/a_test.go": "package stream\n\n// FIX" + "ME\n",
			"docs/a.md":        "Chapter XX" + "X\n",
			".ci/run":          "#!/bin/bash\n# HA" + "CK around it\n",
			"a.bin":            mark,
		}, []string{
			".ci/run:2…(files)",
			"docs/a.md:1…(files)",
			"stream/a.go:4…" + mark,
			"stream/a_test.go:3…(files)",
		}},
	})
}

func TestPackageDoc(t *testing.T) {
	run(t, []ruleCase{
		{"in any file", sources{"internal/x/a.go": "package x\n", "internal/x/doc.go": pkg("x", "")}, nil},
		{"command", sources{"cmd/tool/main.go": "// Tool shows things.\npackage main\n"}, nil},
		{"tests only", sources{"internal/x/a_test.go": "package x_test\n"}, nil},
		{"none", sources{
			"internal/x/a.go":      "\npackage x\n",
			"internal/x/b.go":      "// Not attached.\n\npackage x\n",
			"internal/x/a_test.go": "// Package x is a test.\npackage x\n",
		}, []string{"internal/x/a.go:2…package x has no package comment"}},
		{"directive", sources{"internal/x/a.go": "//go:build linux\n\npackage x\n"}, []string{"internal/x/a.go:3…no package comment"}},
		{"wrong beginning", sources{"internal/x/a.go": "// This package is a test.\npackage x\n"}, []string{"internal/x/a.go:2…\"Package x \""}},
	})
}

func TestExportedDocs(t *testing.T) {
	const documented = `
// A Map is documented.
type Map[K comparable, V any] struct {
	Len int // with a unit
	// Cap is above.
	Cap int
	hidden int
}

// Get is documented.
func (m *Map[K, V]) Get() {}

func (m *Map[K, V]) get() {}

type secret struct{ Field int }

func (s secret) Method() {}

// Limits.
const (
	Low  = 1
	High = 2
)

var Odd int // behind

// An Opener opens.
type Opener interface {
	Open() // opens
	close()
}
`
	const bare = `
type Map[K comparable, V any] struct {
	Len, Cap int
}

func (m *Map[K, V]) Get() {}

//go:noinline
func New() {}

const Low, high = 1, 2

var Odd int

// These types are a group.
type (
	Opener interface{ Open() }
)
`
	run(t, []ruleCase{
		{"documented", sources{"stream/a.go": pkg("stream", documented)}, nil},
		{"not public", sources{"internal/x/a.go": pkg("x", bare), "stream/internal/x/a.go": pkg("x", bare)}, nil},
		{"tests", sources{"stream/a.go": pkg("stream", ""), "stream/export_test.go": "package stream\n" + bare}, nil},
		{"bare", sources{"stream/a.go": pkg("stream", bare)}, []string{
			"stream/a.go:4…type Map ",
			"stream/a.go:5…field Map.Len ",
			"stream/a.go:5…field Map.Cap ",
			"stream/a.go:8…function Map.Get ",
			"stream/a.go:11…function New ",
			"stream/a.go:13…const Low ",
			"stream/a.go:15…var Odd ",
			"stream/a.go:19…type Opener ",
			"stream/a.go:19…method Opener.Open ",
		}},
	})
}

func TestExamples(t *testing.T) {
	run(t, []ruleCase{
		{"run", sources{"stream/a.go": pkg("stream", ""), "stream/a_test.go": `package stream_test

func ExampleA() {
	// Output: a
}

func ExampleB() {
	// Output:
}

func Example() {
	// Unordered output: c
}
`}, nil},
		{"never run", sources{"stream/a.go": pkg("stream", ""), "stream/a_test.go": "package stream_test\n\nfunc ExampleA() {}\n"},
			[]string{"stream/a_test.go:3…ExampleA has no \"// Output:\""}},
	})
}

func TestModules(t *testing.T) {
	run(t, []ruleCase{
		{"no root", sources{"go.mod": ""}, []string{"go.mod:1…no go.mod"}},
		{"one more", sources{"go.mod": clean["go.mod"] + "\nrequire example.com/more v1.0.0\n"},
			[]string{"go.mod:11…must not depend on example.com/more"}},
		{"one less", sources{"go.mod": strings.Replace(clean["go.mod"], "v0.49.0", "v0.49.0 // indirect", 1)},
			[]string{"go.mod:1…golang.org/x/sys is not required directly"}},
		{"replaced", sources{"cmd/tool/go.mod": "module m\n\nreplace (\n\ta => ../a\n)\n"},
			[]string{"cmd/tool/go.mod:4…no replace"}},
		{"outside the workspace", sources{"bench/go.mod": "module m\n"},
			[]string{"bench/go.mod:1…`go test work` would not test it"}},
		{"single use", sources{"go.work": "use .\nuse ./cmd/tool\n"}, nil},
		{"commented use", sources{"go.work": "use .\n// use ./cmd/tool\n"},
			[]string{"cmd/tool/go.mod:1…go.work does not use this module"}},
	})
}
