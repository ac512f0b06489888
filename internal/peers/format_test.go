package peers

import (
	"testing"

	"github.com/ultradict/go/internal/lint/formatdoc"
)

// What stands here is described in docs/FORMAT.md: the test fails when one of
// the two changes without the other.
func TestFormatDocument(t *testing.T) {
	formatdoc.Struct(t, "peers.Section", Section{})
	formatdoc.Struct(t, "peers.Entry", Entry{})
}
