package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeProgress is progress with two readers, of which the second has answered.
func fakeProgress() progress {
	one := &process{id: 1, cmd: &exec.Cmd{Process: &os.Process{Pid: 501}}}
	two := &process{id: 2, cmd: &exec.Cmd{Process: &os.Process{Pid: 502}}}
	rows := []row{{PID: 77, Process: Process{Name: "hungry", State: "R", CPU: 90 * time.Second, Percent: 95, Memory: 3 << 20}}}
	two.answer.Store(&answer{Revision: 4711, Queries: 1500, Reads: 2_000_000, Memory: rows, CPU: rows})
	return progress{
		elapsed: 1200 * time.Millisecond, length: 10 * time.Second, processes: 95,
		published: counts{stored: 1000, deleted: 234}, readers: []*process{one, two},
	}
}

func TestLine(t *testing.T) {
	p := fakeProgress()
	require.Equal(t, "  1 s  95 processes, 1,234 records published; reader 2 after 1,500 queries and 2,000,000 reads: "+
		"memory hungry 3.0 MiB; CPU hungry 95 %", p.line())
	p.elapsed = 2 * time.Second
	require.Contains(t, p.line(), "reader 1 after 0 queries", "it has not answered yet")
}

func TestPicture(t *testing.T) {
	p := fakeProgress()
	text := strings.Join(p.picture(), "\n")
	require.Contains(t, text, "procwatch  1.2 of 10s   95 processes   1,234 records published")
	require.Contains(t, text, "reader 2 (process 502) at revision 4,711 says:")
	require.Regexp(t, `77  R    3\.0 MiB    90\.00 s   95 %  hungry`, text)
	height := len(p.picture())
	p.elapsed = 2 * time.Second // reader 1, which has no rows
	require.Len(t, p.picture(), height, "the picture does not jump")
}

func TestRedraw(t *testing.T) {
	require.Equal(t, "\r\x1b[Jone\ntwo\n", redraw([]string{"one", "two"}, 0, 80))
	require.Equal(t, "\x1b[2A\r\x1b[Jone\n", redraw([]string{"one"}, 2, 0))
	require.Equal(t, "\r\x1b[Jµµµ\nabc\n", redraw([]string{"µµµµ", "abc"}, 0, 3), "cut at the edge")
}

func TestLinesWithoutTerminal(t *testing.T) {
	path := t.TempDir() + "/out"
	f, err := os.Create(path)
	require.NoError(t, err)
	s := newScreen(f)
	require.False(t, s.terminal)
	p := fakeProgress()
	for _, elapsed := range []time.Duration{200, 900, 1000, 1200, 1999, 3500, 3700} {
		p.elapsed = elapsed * time.Millisecond
		s.show(p)
	}
	s.end()
	require.NoError(t, f.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(text), "\n"), "one a second at most: %s", text)
	require.NotContains(t, string(text), "\x1b")
}
