package proctest

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// programVar makes a test binary be the program that it tests.
const programVar = "ULTRADICT_TEST_PROGRAM"

// MainOfProgram is the TestMain of a program that starts itself again as its workers,
// which it tells by a variable of the environment.
func MainOfProgram(m *testing.M, program func(), workerVar string) {
	if os.Getenv(workerVar) != "" || os.Getenv(programVar) != "" {
		program()
		return
	}
	// A program built with the race detector lingers for a second otherwise.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// Directory makes a directory of the test's own the default one for dictionaries. The
// test fails if anything stays in it.
func Directory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("ULTRADICT_DIR", dir)
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
	return dir
}

// Until is a writer that keeps what is written, and calls Then once Text was.
type Until struct {
	strings.Builder
	Text string // what to wait for
	Then func() // called once
	once sync.Once
}

// Write implements io.Writer.
func (u *Until) Write(p []byte) (int, error) {
	n, err := u.Builder.Write(p)
	if strings.Contains(u.String(), u.Text) {
		u.once.Do(u.Then)
	}
	return n, err
}

// KillProgram starts the test binary as the program, kills it (SIGKILL) once it has
// written a text, and returns what was written to standard error when all that it has
// started have ended. The test fails if they do not within 30 seconds.
func KillProgram(t *testing.T, text string, args ...string) (stderr string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), programVar+"=1")
	var errors bytes.Buffer // the workers have it too: Wait waits for them
	cmd.Stderr = &errors
	cmd.WaitDelay = patience
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var said []byte
	for buf := make([]byte, 1024); err == nil && !bytes.Contains(said, []byte(text)); {
		var n int
		n, err = out.Read(buf)
		said = append(said, buf[:n]...)
	}
	if err != nil {
		t.Fatalf("%v after %s", err, said)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("the program and its workers, after %v: %v", time.Since(begin), err)
	}
	return errors.String()
}
