package formatdoc

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

//lint:ignore U1000 only its layout is looked at
type sample struct {
	id   uint32
	_    [4]byte
	word atomic.Uint64
	name [8]byte
	part struct{ a, b uint32 }
}

const page = "text\n\n**`x.sample`, 32 bytes**: about it\n\n" +
	"| field | offset | size | access | written by |\n|---|---|---|---|---|\n" +
	"| `id` | 0 | 4 | plain | somebody |\n" +
	"| reserved | 4 | 4 | – | nobody |\n" +
	"| `word` | 8 | 8 | CAS | everybody |\n" +
	"| `name` | 16 | 8 | plain | |\n" +
	"| `part` | 24 | 8 | section | |\n" +
	"\ntext\n\n| not | part | of | it |\n"

func difference(t *testing.T, page string) string {
	t.Helper()
	said, err := parse(page, "x.sample")
	if err != nil {
		return err.Error()
	}
	want, size := fieldsOf(sample{})
	return strings.Join(said.differences(size, want), "\n")
}

func TestTheSameIsTheSame(t *testing.T) {
	require.Empty(t, difference(t, page))
}

func TestEveryDifferenceIsFound(t *testing.T) {
	for _, c := range []struct{ old, by, want string }{
		{"x.sample`", "x.other`", "no table"},
		{"32 bytes", "40 bytes", "its rows end at 32"},
		{"`id` | 0 | 4", "`id` | 0 | 8", "the one before ends at 8"},
		{"| `id` | 0 | 4 | plain", "| `no` | 0 | 4 | plain", "field id is missing"},
		{"| `id` | 0 | 4 | plain", "| `no` | 0 | 4 | plain", "the code has no field no"},
		{"| CAS |", "| plain |", "it is atomic"},
		{"| `id` | 0 | 4 | plain |", "| `id` | 0 | 4 | atomic |", "it is plain"},
		{"| section |", "| plain |", "it is section"},
		{"| reserved |", "| padding |", "neither"},
		{"| 8 | 8 |", "| 8 | x |", "size"},
		{"| `name` | 16 | 8 | plain | |\n| `part` | 24 | 8 | section | |", "| `name` | 16 | 4 | plain | |\n| `part` | 20 | 12 | section | |", "name has 4 bytes at 16, in the code 8 at 16"},
	} {
		changed := strings.Replace(page, c.old, c.by, 1)
		require.NotEqual(t, page, changed, c.old)
		require.Contains(t, difference(t, changed), c.want, "%s → %s", c.old, c.by)
	}
}
