package proctest_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Main(m, map[string]func([]string) error{
		"echo":  echo,
		"fails": func([]string) error { return errors.New("no luck") },
		"chatty": func([]string) error {
			for i := range 3000 {
				proctest.Say("%d", i)
			}
			return nil
		},
		"ticker": ticker,
		"sleep":  func([]string) error { proctest.Say("asleep"); select {} },
		// Starts a sleeper whose standard input ends with this process.
		"parent": parent,
	})
}

func echo(args []string) error {
	proctest.Say("args %s", strings.Join(args, ","))
	for {
		line := proctest.Receive()
		if line == "end" {
			return nil
		}
		proctest.Say("got %s", line)
	}
}

func ticker([]string) error {
	for i := 0; ; i++ {
		proctest.Say("%d", i)
		time.Sleep(time.Millisecond)
	}
}

func parent([]string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "ULTRADICT_PROCTEST_ROLE=sleep")
	if _, err = cmd.StdinPipe(); err != nil {
		return err
	}
	cmd.Stdout = os.Stdout // its end shows that both are gone
	if err = cmd.Start(); err != nil {
		return err
	}
	select {}
}

func TestConversation(t *testing.T) {
	p := proctest.Start(t, "echo", "a", "-b")
	require.Equal(t, "args a,-b", p.Line())
	require.NotEqual(t, os.Getpid(), p.PID())
	p.Send("one")
	p.Send("two")
	require.Equal(t, "got one", p.Line())
	require.Equal(t, "got two", p.Line())
	p.Send("end")
	require.NoError(t, p.Wait())
	require.NoError(t, p.Wait(), "again")
	_, ok := p.TryLine()
	require.False(t, ok)
}

func TestLinesOutliveTheirProcess(t *testing.T) {
	p := proctest.Start(t, "chatty")
	for i := range 3000 {
		require.Equal(t, fmt.Sprint(i), p.Line())
	}
	require.NoError(t, p.Wait())
}

func TestErrorOfRole(t *testing.T) {
	err := proctest.Start(t, "fails").Wait()
	require.ErrorContains(t, err, "no luck")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
}

func TestUnknownRole(t *testing.T) {
	require.ErrorContains(t, proctest.Start(t, "nobody").Wait(), `no role "nobody"`)
}

func TestKill(t *testing.T) {
	p := proctest.Start(t, "sleep")
	require.Equal(t, "asleep", p.Line())
	p.Kill()
	require.ErrorContains(t, p.Wait(), "killed")
}

func TestEndOfInputEndsRole(t *testing.T) {
	p := proctest.Start(t, "sleep")
	require.Equal(t, "asleep", p.Line())
	p.CloseStdin()
	require.NoError(t, p.Wait())
}

// The sleeper's input is held by a process that gets no chance to close it.
func TestRoleDoesNotOutliveItsParent(t *testing.T) {
	p := proctest.Start(t, "parent")
	require.Equal(t, "asleep", p.Line(), "said by the parent's child")
	p.Kill()
	_, ok := p.TryLine()
	require.False(t, ok, "the output ends once both are gone")
}

func TestStopAndContinue(t *testing.T) {
	p := proctest.Start(t, "ticker")
	p.Line()
	p.Stop()
	// What was said before it stopped may still be on its way to us. A stopped
	// process cannot answer the end of its input, so it must still be here.
	p.CloseStdin()
	p.Stop()
	p.Cont()
	require.NoError(t, p.Wait())
}
