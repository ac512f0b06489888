package peers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tail of a line from a real system, from field 4 on.
const statTail = " 1 4242 4242 0 -1 4194560 1031 0 0 0 1 2 0 0 20 0 7 0 987654321 1253867520 1234 18446744073709551615 1 1 0"

func TestParseStat(t *testing.T) {
	want := stat{flags: 4194560, threads: 7, start: 987654321}
	for _, name := range []string{"cat", "", "a b", "x) S 1 2 3", ")", "((", "new\nline"} {
		got, err := parseStat([]byte("4242 (" + name + ") S" + statTail + "\n"))
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	for name, line := range map[string]string{
		"empty":        "",
		"no name":      "4242 cat S" + statTail,
		"cut":          "4242 (cat) S 1 4242",
		"cut at start": "4242 (cat) S" + statTail[:strings.Index(statTail, " 987654321")],
		"flags":        "4242 (cat) S" + strings.Replace(statTail, "4194560", "many", 1),
		"wide flags":   "4242 (cat) S" + strings.Replace(statTail, "4194560", "4294967296", 1),
		"threads":      "4242 (cat) S" + strings.Replace(statTail, " 7 ", " -7 ", 1),
		"start":        "4242 (cat) S" + strings.Replace(statTail, "987654321", "then", 1),
	} {
		_, err := parseStat([]byte(line))
		require.Error(t, err, name)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("4242 (cat) S"+statTail), "name")
	f.Add([]byte(")"), ")")
	f.Fuzz(func(t *testing.T, line []byte, name string) {
		parseStat(line) // any answer, no panic
		got, err := parseStat([]byte("1 (" + name + ") R" + statTail))
		require.NoError(t, err, "no name hides the fields")
		require.EqualValues(t, 987654321, got.start)
	})
}
