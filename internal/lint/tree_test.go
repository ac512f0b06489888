package lint_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/lint"
)

// TestTree holds this source tree to the rules.
func TestTree(t *testing.T) {
	found, err := lint.Check(os.DirFS("../.."))
	require.NoError(t, err)
	for _, f := range found {
		t.Error(f)
	}
}
