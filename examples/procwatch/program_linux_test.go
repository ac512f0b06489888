package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// programVar makes the test binary be the program. Its readers inherit that.
const programVar = "PROCWATCH_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVar) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is a run of the whole program, with dictionaries in a directory of
// its own.
type program struct {
	*exec.Cmd
	dir    string
	stderr bytes.Buffer
}

func newProgram(t *testing.T, args ...string) *program {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	p := &program{Cmd: exec.Command(exe, args...), dir: t.TempDir()}
	p.Env = append(os.Environ(), programVar+"=1", "ULTRADICT_DIR="+p.dir, "TERM=xterm")
	p.Stderr = &p.stderr // the readers have it too: Wait waits for them
	p.WaitDelay = 30 * time.Second
	t.Cleanup(func() {
		if p.Process != nil && p.ProcessState == nil {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
	return p
}

// checkEnd wants a good end, and nothing left. Wait has returned err.
func (p *program) checkEnd(t *testing.T, err error, output string, readers int) {
	t.Helper()
	require.NoError(t, err, "%s\n%s", output, p.stderr.String())
	require.Empty(t, p.stderr.String())
	require.Contains(t, output, "same state in all "+strconv.Itoa(readers+1)+" processes: revision ")
	require.Regexp(t, `sha256 [0-9a-f]{64}`, output)
	require.Regexp(t, `published [1-9][0-9,]* records`, output)
	p.checkNothingLeft(t)

	found := regexp.MustCompile(`(?m)^ +\d+ +(\d+) +[1-9][0-9,]* +[1-9][0-9,]* +\d+ %`).FindAllStringSubmatch(output, -1)
	require.Len(t, found, readers, "a line for each reader, with queries and reads: %s", output)
	for _, f := range found {
		pid, err := strconv.Atoi(f[1])
		require.NoError(t, err)
		require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "reader %d lives", pid)
	}
}

func (p *program) checkNothingLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(p.dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestProgram(t *testing.T) {
	p := newProgram(t, "-for", "1500ms", "-every", "50ms")
	out, err := p.Output()
	p.checkEnd(t, err, string(out), 3)
	require.NotContains(t, string(out), "interrupted")
	require.NotContains(t, string(out), "\x1b", "no terminal")
	require.Contains(t, string(out), "  1 s  ", "a line a second")
}

// TestProgramControlC types Ctrl-C on a terminal: the signal goes to the
// publisher and to the readers.
func TestProgramControlC(t *testing.T) {
	keyboard, tty := openTerminal(t)
	p := newProgram(t, "-for", "1h", "-readers", "2", "-every", "50ms")
	p.Stdin, p.Stdout = tty, tty
	p.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	require.NoError(t, p.Start())
	require.NoError(t, tty.Close())

	out := readTerminal(t, keyboard, "A\r\x1b[J") // it draws for the second time
	_, err := keyboard.Write([]byte{3})
	require.NoError(t, err)
	out += readTerminal(t, keyboard, "")
	p.checkEnd(t, p.Wait(), strings.ReplaceAll(out, "\r\n", "\n"), 2)
	require.Contains(t, out, "interrupted")
	require.Regexp(t, "\x1b\\[[0-9]+A", out, "drawn over again")
}

func TestProgramTerminated(t *testing.T) {
	p := newProgram(t, "-for", "1h", "-readers", "1", "-every", "50ms")
	stdout, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	p.checkEnd(t, p.Wait(), first+string(rest), 1)
}

// TestProgramKilled leaves it to the readers to clean up.
func TestProgramKilled(t *testing.T) {
	p := newProgram(t, "-for", "1h", "-every", "50ms")
	stdout, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, p.Process.Kill())
	require.EqualError(t, p.Wait(), "signal: killed", "and the readers have ended")
	require.Contains(t, p.stderr.String(), errGone.Error())
	p.checkNothingLeft(t)
}

// TestProgramReaderKilled loses the proof, and says so.
func TestProgramReaderKilled(t *testing.T) {
	p := newProgram(t, "-for", "1h", "-readers", "2", "-every", "50ms")
	stdout, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(child(t, p.Process.Pid), syscall.SIGKILL))
	_, _ = io.Copy(io.Discard, stdout)
	require.EqualError(t, p.Wait(), "exit status 1")
	require.Regexp(t, `^procwatch: reader \d \(process \d+\) ended: signal: killed\n$`, p.stderr.String())
	p.checkNothingLeft(t)
}

// child returns a child of a process.
func child(t *testing.T, parent int) int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, e := range entries {
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		_, after, ok := strings.Cut(string(stat), ") ")
		if f := strings.Fields(after); ok && len(f) > 1 && f[1] == strconv.Itoa(parent) {
			pid, err := strconv.Atoi(e.Name())
			require.NoError(t, err)
			return pid
		}
	}
	require.Fail(t, "no child", parent)
	return 0
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-readers", "0"}, {"-readers", "33"}, {"-for", "0s"}, {"-for", "x"}, {"-every", "1ms"}, {"more"}, {"-what"}} {
		var messages bytes.Buffer
		_, err := parseFlags(args, &messages)
		require.ErrorIs(t, err, errUsage, args)
		require.Contains(t, messages.String(), "Usage", args)
	}
	cfg, err := parseFlags(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, config{length: 10 * time.Second, readers: 3, every: 200 * time.Millisecond}, cfg)
}

// openTerminal returns the two ends of a new pseudo terminal.
func openTerminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	keyboard = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { keyboard.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 110}))
	tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	return keyboard, tty
}

// readTerminal reads until a text has come, or else to the end.
func readTerminal(t *testing.T, keyboard *os.File, until string) string {
	t.Helper()
	var out strings.Builder
	buf := make([]byte, 4096)
	for until == "" || !strings.Contains(out.String(), until) {
		n, err := keyboard.Read(buf)
		out.Write(buf[:n])
		if errors.Is(err, unix.EIO) && until == "" { // nobody has it open any more
			break
		}
		require.NoError(t, err, out.String())
	}
	return out.String()
}
