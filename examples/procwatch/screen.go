package main

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// progress is what there is to show while the program runs.
type progress struct {
	elapsed, length time.Duration
	processes       int
	published       counts
	readers         []*process
}

// screen shows progress: on a terminal a picture that is drawn over again, and
// otherwise one line a second. What it cannot write it does not complain about:
// the signal for that ends the program.
type screen struct {
	out      *os.File
	terminal bool
	drawn    int // lines of the last picture
	seconds  int // that were shown as lines
}

func newScreen(out *os.File) *screen {
	_, _, ok := terminal(out.Fd())
	return &screen{out: out, terminal: ok && os.Getenv("TERM") != "dumb"}
}

func (s *screen) show(p progress) {
	if !s.terminal {
		if now := int(p.elapsed / time.Second); now > s.seconds {
			s.seconds = now
			_, _ = s.out.WriteString(p.line() + "\n")
		}
		return
	}
	lines := p.picture()
	width, height, _ := terminal(s.out.Fd()) // it may have changed
	if height > 1 {
		lines = lines[:min(len(lines), height-1)]
	}
	_, _ = s.out.WriteString(redraw(lines, s.drawn, width))
	s.drawn = len(lines)
}

// end leaves the last picture where it is.
func (s *screen) end() {
	if s.drawn > 0 {
		_, _ = s.out.WriteString("\n")
	}
}

// redraw returns what puts lines in the place of the last picture, which had
// the given number of lines. No line may be wider than the terminal: it would
// take two.
func redraw(lines []string, drawn, width int) string {
	var b strings.Builder
	if drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", drawn) // up
	}
	b.WriteString("\r\x1b[J") // clear from here to the end
	for _, line := range lines {
		if width > 0 && utf8.RuneCountInString(line) > width {
			line = string([]rune(line)[:width])
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// turn is the reader whose answer is shown: each has its second.
func (p progress) turn() (*process, *answer) {
	r := p.readers[int(p.elapsed/time.Second)%len(p.readers)]
	if a := r.answer.Load(); a != nil {
		return r, a
	}
	return r, &answer{}
}

// line is progress in one line.
func (p progress) line() string {
	r, a := p.turn()
	return fmt.Sprintf("%3.0f s  %d processes, %s records published; reader %d after %s queries and %s reads: memory %s; CPU %s",
		p.elapsed.Seconds(), p.processes, grouped(p.published.stored+p.published.deleted),
		r.id, grouped(a.Queries), grouped(a.Reads), names(a.Memory, memory), names(a.CPU, percent))
}

func names(rows []row, figure func(row) string) string {
	parts := make([]string, len(rows))
	for i, r := range rows {
		parts[i] = r.Name + " " + figure(r)
	}
	return strings.Join(parts, ", ")
}

// picture is progress in lines for a terminal.
func (p progress) picture() []string {
	r, a := p.turn()
	lines := []string{
		fmt.Sprintf("procwatch  %.1f of %v   %d processes   %s records published", p.elapsed.Seconds(), p.length,
			p.processes, grouped(p.published.stored+p.published.deleted)),
		"",
		fmt.Sprintf("reader %d (process %d) at revision %s says:", r.id, r.pid(), grouped(a.Revision)),
		"",
	}
	lines = append(lines, list("MEMORY", a.Memory)...)
	lines = append(lines, list("CPU", a.CPU)...)
	for _, r := range p.readers {
		if a := r.answer.Load(); a != nil {
			lines = append(lines, fmt.Sprintf("reader %-2d %13s queries %15s reads", r.id, grouped(a.Queries), grouped(a.Reads)))
		}
	}
	return lines
}

// list is a table of processes, always of the same height.
func list(title string, rows []row) []string {
	lines := []string{fmt.Sprintf("top %d by %-7s %8s  S %10s %10s %6s  NAME", topSize, title, "PID", "MEMORY", "CPU TIME", "CPU")}
	for i := range topSize {
		line := ""
		if i < len(rows) {
			r := rows[i]
			line = fmt.Sprintf("%16s %8d  %s %10s %8.2f s %6s  %s", "", r.PID, r.State, memory(r), r.Process.CPU.Seconds(), percent(r), r.Name)
		}
		lines = append(lines, line)
	}
	return append(lines, "")
}

func memory(r row) string {
	return fmt.Sprintf("%.1f MiB", float64(r.Memory)/(1<<20))
}

func percent(r row) string { return fmt.Sprintf("%d %%", r.Percent) }
