package ultradict_test

import (
	"maps"
	"testing"

	"github.com/ultradict/go/internal/proctest"
)

// roles are those of the tests that run on Linux only; TestMain adds the rest.
var roles = map[string]func([]string) error{}

func TestMain(m *testing.M) {
	maps.Copy(roles, map[string]func([]string) error{
		"increment": increment,
		"writer":    writer,
		"racer":     racer,
		"reader":    reader,
		"tidy":      tidy,
		"remover":   remover,
		"noise":     noise,
		"idle":      idle,
		"churner":   churner,
	})
	proctest.Main(m, roles)
}
