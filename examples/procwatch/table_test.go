package main

import (
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// stat is a line of /proc/<pid>/stat.
func stat(name, state, user, system, started, pages string) string {
	fields := slices.Repeat([]string{"7"}, 52)
	fields[0], fields[1], fields[2] = "42", "("+name+")", state
	fields[13], fields[14], fields[21], fields[23] = user, system, started, pages
	return strings.Join(fields, " ") + "\n"
}

func TestParseStat(t *testing.T) {
	page := int64(os.Getpagesize())
	// As the kernel writes it: the program itself, and not the generator above.
	p, err := parseStat("1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 52 104 7 8 20 0 1 0 99 22568960 3012 18446744073709551615 1 1 0 0 0 0 671173123 4096 1260 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
	require.NoError(t, err)
	require.Equal(t, Process{Name: "init", State: "S", CPU: 1560 * time.Millisecond, Memory: 3012 * page, Started: 99}, p)

	for name, want := range map[string]string{
		"":                      "",
		"a b":                   "a b",
		") R 1 (":               ") R 1 (",
		"((sd-pam))":            "((sd-pam))",
		"größer":                "größer",
		"\x1b[2Jgone":           "?[2Jgone",
		"line\nfeed":            "line?feed",
		"\xff\xfe":              "??",
		"a\u202eb":              "a?b", // would turn the line around
		"exactly15bytes":        "exactly15bytes",
		"kworker/0:1H-kblockd+": "kworker/0:1H-kblockd+",
	} {
		p, err := parseStat(stat(name, "R", "100", "20", "12345", "3"))
		require.NoError(t, err, "%q", name)
		require.Equal(t, Process{Name: want, State: "R", CPU: 1200 * time.Millisecond, Memory: 3 * page, Started: 12345}, p)
	}
}

func TestParseStatRefuses(t *testing.T) {
	for name, line := range map[string]string{
		"nothing":       "",
		"no name":       "42 name R 1 2",
		"name not over": "42 (name R 1 2",
		"backwards":     "42 )name( R 1 2",
		"too short":     "42 (name) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
		"no number":     stat("name", "R", "x", "1", "1", "1"),
		"negative":      stat("name", "R", "1", "-1", "1", "1"),
		"too large":     stat("name", "R", "1", "1", "99999999999999999999", "1"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseStat(line)
			require.Error(t, err)
		})
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add(stat("name", "R", "1", "2", "3", "4"))
	f.Add("1 () ")
	f.Fuzz(func(t *testing.T, line string) {
		p, err := parseStat(line)
		if err != nil {
			return
		}
		for _, text := range []string{p.Name, p.State} {
			require.True(t, utf8.ValidString(text))
			require.NotContains(t, text, "\x1b")
			require.Equal(t, -1, strings.IndexFunc(text, unicode.IsControl))
		}
	})
}

// vanishing is a file system in which some files cannot be read any more.
type vanishing struct {
	fs.FS
	err map[string]error
}

func (v vanishing) Open(name string) (fs.File, error) {
	if err := v.err[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return v.FS.Open(name)
}

func TestReadTable(t *testing.T) {
	tree := fstest.MapFS{
		"1/stat":        {Data: []byte(stat("one", "S", "1", "0", "1", "1"))},
		"23/stat":       {Data: []byte(stat("two", "R", "2", "0", "1", "1"))},
		"24/stat":       {Data: []byte(stat("gone", "R", "2", "0", "1", "1"))},
		"25/stat":       {Data: []byte(stat("hidden", "R", "2", "0", "1", "1"))},
		"26/stat":       {Data: []byte(stat("gone since opened", "R", "2", "0", "1", "1"))},
		"27/cmdline":    {Data: []byte("no stat at all")},
		"self/stat":     {Data: []byte(stat("a link", "R", "2", "0", "1", "1"))},
		"0/stat":        {Data: []byte("no process")},
		"-1/stat":       {Data: []byte("no process")},
		"meminfo":       {Data: []byte("no process")},
		"sys/kernel/xy": {Data: []byte("no process")},
	}
	proc := vanishing{tree, map[string]error{"24/stat": fs.ErrNotExist, "25/stat": syscall.EACCES, "26/stat": syscall.ESRCH}}
	table, err := readTable(proc)
	require.NoError(t, err)
	require.ElementsMatch(t, []int{1, 23}, slices.Collect(maps.Keys(table)))
	require.Equal(t, "one", table[1].Name)
	require.Equal(t, "two", table[23].Name)

	proc.err["1/stat"] = syscall.EIO
	_, err = readTable(proc)
	require.ErrorIs(t, err, syscall.EIO)

	tree["1/stat"] = &fstest.MapFile{Data: []byte("1 (one)")}
	_, err = readTable(tree)
	require.ErrorContains(t, err, "process 1:")

	_, err = readTable(os.DirFS(t.TempDir() + "/missing"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestSetPercent(t *testing.T) {
	before := map[int]Process{
		1: {CPU: 100 * time.Millisecond, Started: 1},
		2: {CPU: 100 * time.Millisecond, Started: 1, Percent: 50},
		3: {CPU: 100 * time.Millisecond, Started: 1},
		4: {CPU: 100 * time.Millisecond, Started: 1},
	}
	now := map[int]Process{
		1: {CPU: 150 * time.Millisecond, Started: 1}, // one core's quarter
		2: {CPU: 100 * time.Millisecond, Started: 1}, // idle
		3: {CPU: 900 * time.Millisecond, Started: 2}, // another process with the same id
		5: {CPU: 900 * time.Millisecond, Started: 2}, // new
	}
	setPercent(now, before, 200*time.Millisecond)
	require.Equal(t, 25, now[1].Percent)
	for _, pid := range []int{2, 3, 5} {
		require.Zero(t, now[pid].Percent, pid)
	}
	require.Len(t, now, 4)

	setPercent(now, before, 0) // no time has passed: no answer, and no division by it
	require.Equal(t, 25, now[1].Percent)
}
