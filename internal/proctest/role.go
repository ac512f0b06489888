package proctest

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// roleVar names the environment variable that makes a test binary play a role.
const roleVar = "ULTRADICT_PROCTEST_ROLE"

// received carries the lines that the test sends to this role.
var received = make(chan string, 1024)

var stdout sync.Mutex

// Main is the whole of a TestMain: it runs the role that the environment names
// with the arguments given to Start, or else the tests. It does not return.
// The process of a role ends with status 0 if its function returns nil, or its
// standard input ends; with status 1 and the error on standard error if not.
func Main(m *testing.M, roles map[string]func(args []string) error) {
	name, ok := os.LookupEnv(roleVar)
	if !ok {
		os.Exit(m.Run())
	}
	role := roles[name]
	if role == nil {
		fail(fmt.Errorf("no role %q in this test binary", name))
	}
	go watchStdin()
	if err := role(slices.Clone(os.Args[1:])); err != nil {
		fail(fmt.Errorf("role %s: %w", name, err))
	}
	os.Exit(0)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// watchStdin passes lines on to Receive, and ends the process with its input:
// then the test has closed it, or is gone.
func watchStdin() {
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			os.Exit(0)
		}
		received <- strings.TrimSuffix(line, "\n")
	}
}

// Receive returns the next line that the test sent to this role. It is for
// roles only; any goroutine may call it.
func Receive() string { return <-received }

// Say writes one line to the test that started this role. It is for roles
// only; any goroutine may call it.
func Say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if strings.Contains(line, "\n") {
		fail(fmt.Errorf("say %q: more than one line", line))
	}
	stdout.Lock()
	defer stdout.Unlock()
	if _, err := os.Stdout.WriteString(line + "\n"); err != nil {
		os.Exit(0) // nobody listens any more: the test is gone
	}
}
