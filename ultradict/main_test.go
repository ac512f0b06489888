package ultradict_test

import (
	"testing"

	"github.com/ultradict/go/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Main(m, map[string]func([]string) error{
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
}
