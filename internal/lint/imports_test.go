package lint_test

import (
	"strings"
	"testing"
)

// importing is a file of the package in dir that imports the given folders.
func importing(dir string, imports ...string) string {
	name := dir[strings.LastIndex(dir, "/")+1:]
	body := ""
	for _, i := range imports {
		body += "import _ \"github.com/ultradict/go/" + i + "\"\n"
	}
	return pkg(name, body)
}

func TestImports(t *testing.T) {
	run(t, []ruleCase{
		{"downwards", sources{
			"ultradict/a.go":         importing("ultradict", "stream", "internal/core", "internal/errs", "internal/shm"),
			"internal/core/a.go":     importing("internal/core", "stream", "snapshot", "locks", "objects", "internal/replica"),
			"locks/a.go":             importing("locks", "internal/peers", "internal/errs"),
			"locks/sub/a.go":         importing("locks/sub", "locks"),
			"internal/peers/a.go":    importing("internal/peers", "internal/shm", "internal/errs"),
			"internal/replica/a.go":  importing("internal/replica", "internal/record"),
			"internal/proctest/a.go": importing("internal/proctest", "internal/futex"),
			"internal/prove/main.go": importing("internal/prove", "ultradict", "stream", "internal/core", "internal/proctest"),
			"examples/a/a.go":        importing("examples/a", "ultradict", "locks"),
			"cmd/tool/a.go":          importing("cmd/tool", "ultradict", "internal/errs"),
		}, nil},
		{"facade from below", sources{
			"internal/core/a.go": importing("internal/core", "ultradict"),
			"internal/shm/a.go":  importing("internal/shm", "ultradict"),
			"stream/a.go":        importing("stream", "ultradict"),
		}, []string{
			"internal/core/a.go:3…must not import ultradict: layer core may import",
			"internal/shm/a.go:3…not facade",
			"stream/a.go:3…not facade",
		}},
		{"block from block", sources{
			"locks/a.go":      importing("locks", "internal/errs", "stream"),
			"snapshot/x/a.go": importing("snapshot/x", "objects"),
		}, []string{
			"locks/a.go:4…stands alone",
			"snapshot/x/a.go:3…stands alone",
		}},
		{"block from the test of a block", sources{
			"locks/a_test.go": importing("locks", "stream"),
		}, []string{"locks/a_test.go:3…stands alone"}},
		{"block from internal", sources{
			"internal/replica/a.go": importing("internal/replica", "snapshot"),
			"internal/bell/a.go":    importing("internal/bell", "stream"),
		}, []string{
			"internal/bell/a.go:3…not blocks",
			"internal/replica/a.go:3…not blocks",
		}},
		{"core from elsewhere", sources{
			"stream/a.go":     importing("stream", "internal/core"),
			"internal/x/a.go": importing("internal/x", "internal/core"),
			"cmd/tool/a.go":   importing("cmd/tool", "internal/core"),
		}, []string{
			"cmd/tool/a.go:3…not core",
			"internal/x/a.go:3…not core",
			"stream/a.go:3…not core",
		}},
		{"shared memory from a pure package", sources{
			"internal/value/a.go": importing("internal/value", "internal/shm"),
		}, []string{"internal/value/a.go:3…not machine"}},
		{"internal from an example", sources{
			"examples/a/a.go": importing("examples/a", "internal/errs"),
		}, []string{"examples/a/a.go:3…not pure"}},
		{"test support", sources{
			"stream/a.go":      importing("stream", "internal/proctest"),
			"stream/a_test.go": importing("stream", "internal/proctest"),
			"locks/a.go":       pkg("locks", "import _ \"github.com/stretchr/testify/require\"\n"),
			"locks/a_test.go":  pkg("locks", "import _ \"github.com/stretchr/testify/require\"\n"),
		}, []string{
			"locks/a.go:3…testify is for tests only",
			"stream/a.go:3…not support",
		}},
		{"unknown folders", sources{
			"extra/a.go":  pkg("extra", ""),
			"stream/a.go": importing("stream", "extra"),
			"tools/a.go":  pkg("tools", ""),
		}, []string{
			"extra/a.go:2…in no row",
			"stream/a.go:3…in no row",
		}},
	})
}
