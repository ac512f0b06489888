package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// driverVar makes the test binary a driver.
const driverVar = "ULTRADICT_LINEAR_DRIVER"

func TestMain(m *testing.M) {
	if os.Getenv(roleVar) != "" || os.Getenv(driverVar) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func needLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("dictionaries are for Linux")
	}
}

func TestLinearizable(t *testing.T) {
	needLinux(t)
	c := config{duration: time.Minute, rounds: 8} // what it keeps of a failure outlives the test
	if testing.Short() {
		c.rounds = 3
	}
	var out strings.Builder
	err := c.run(&out)
	t.Log("\n" + out.String())
	require.NoError(t, err)
	require.NoDirExists(t, c.root)
}

// A library with a fault is found out: each is in no build without its tag.
func TestFaultsAreFound(t *testing.T) {
	needLinux(t)
	if testing.Short() {
		t.Skip("builds the library again for each fault")
	}
	for tag, says := range map[string]string{
		"ultradict_broken_commit": "NOT LINEARIZABLE|is damaged", // whatever comes first
		"ultradict_broken_get":    "NOT LINEARIZABLE",
		"ultradict_broken_check":  "NOT LINEARIZABLE",
	} {
		t.Run(tag, func(t *testing.T) {
			dir := t.TempDir()
			program := filepath.Join(dir, "linear")
			out, err := exec.Command("go", "build", "-tags", tag, "-o", program, ".").CombinedOutput()
			require.NoError(t, err, "%s", out)
			kept := filepath.Join(dir, "kept")
			out, err = exec.Command(program, "-for", "1m", "-rounds", "50", "-out", kept).CombinedOutput()
			t.Logf("\n%.4000s", out)
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, 1, exit.ExitCode())
			require.Regexp(t, says, string(out))
			require.FileExists(t, filepath.Join(kept, "history.jsonl"))
			if strings.Contains(string(out), "NOT LINEARIZABLE") {
				pictures, err := filepath.Glob(filepath.Join(kept, "*.html"))
				require.NoError(t, err)
				require.NotEmpty(t, pictures)
			}
		})
	}
}

// Nothing is left in shared memory, whatever ends the driver.
func TestInterrupted(t *testing.T) {
	needLinux(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	for _, sig := range []os.Signal{os.Interrupt, os.Kill} {
		t.Run(sig.String(), func(t *testing.T) {
			driver := exec.Command(exe, "-for", "1m", "-out", t.TempDir())
			driver.Env = append(os.Environ(), driverVar+"=1")
			stdout, err := driver.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, driver.Start())
			defer driver.Process.Kill()
			line, err := bufio.NewReader(stdout).ReadString('\n')
			require.NoError(t, err)
			root := regexp.MustCompile(`/\S*ultradict-linear-\d+`).FindString(line)
			require.DirExists(t, root)
			time.Sleep(300 * time.Millisecond) // somewhere in a round
			require.NoError(t, driver.Process.Signal(sig))
			err = driver.Wait()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			if sig == os.Interrupt {
				require.Equal(t, 130, exit.ExitCode())
				require.NoDirExists(t, root)
				return
			}
			require.Eventually(t, func() bool {
				_, err := os.Stat(root)
				return errors.Is(err, fs.ErrNotExist)
			}, 30*time.Second, 10*time.Millisecond)
		})
	}
}
