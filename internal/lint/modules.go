package lint

import (
	"maps"
	"slices"
)

// dependencies are all that the root module requires directly; whatever needs
// more is a nested module.
var dependencies = []string{
	"github.com/fxamacker/cbor/v2",
	"github.com/stretchr/testify", // tests only
	"golang.org/x/sys",
}

// outside are modules that go.work leaves out: their dependencies must not
// take part in choosing the versions that the library is tested with.
var outside = []string{"tools"}

// checkModules keeps the library light and the workspace complete.
func checkModules(t *tree, say report) {
	root := t.mods["."]
	if root == nil {
		say("go.mod", 1, "the root has no go.mod")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(root.requires)) {
		if !slices.Contains(dependencies, name) {
			say(root.path, root.requires[name], "the library must not depend on %s: use a nested module", name)
		}
	}
	for _, name := range dependencies {
		if _, ok := root.requires[name]; !ok {
			say(root.path, 1, "%s is not required directly", name)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(t.mods)) {
		m := t.mods[dir]
		for _, line := range m.replaces {
			say(m.path, line, "no replace: it has no effect for those who install the module; go.work ties modules together")
		}
		if !slices.Contains(t.used, dir) && !slices.Contains(outside, dir) {
			say(m.path, 1, "go.work does not use this module, so `go test work` would not test it")
		}
	}
}
