package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/ultradict/go/ultradict"
)

// roleVar names the environment variable that makes this program play a role.
const roleVar = "ULTRADICT_PROVE_ROLE"

// roles are what processes that a show starts can do. dir is the show's.
var roles = map[string]func(dir string, args []string) error{
	"increment":  incrementRole,
	"write-pair": writePairRole,
	"read-pair":  readPairRole,
	"birth":      birthRole,
	"opener":     openerRole,
	"victim":     victimRole,
	"spin":       spinRole,
	"flood":      floodRole,
	"newcomer":   newcomerRole,
	"busy":       busyRole,
	"pong":       pongRole,
	"apply":      applyRole,
	"sleeper":    sleeperRole,

	"tree-replace": treeReplaceRole,
	"tree-add":     treeAddRole,
	"expiry-read":  expiryReadRole,
	"expiry-watch": expiryWatchRole,
	"computer":     computerRole,
	"futex-pong":   futexPongRole,
	"watch-pong":   watchPongRole,
	"teller":       tellerRole,
	"save-loop":    saveLoopRole,
	"keep-saved":   keepSavedRole,
}

var background = context.Background()

func pid() int { return os.Getpid() }

// received carries the lines that the show sends to this role.
var received = make(chan string, 1024)

// play plays a role and returns the exit status.
func play(name string, args []string) int {
	role := roles[name]
	if role == nil || len(args) == 0 {
		fmt.Fprintf(os.Stderr, "no role %q\n", name)
		return 2
	}
	go func() {
		in := bufio.NewReader(os.Stdin)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				os.Exit(0) // the show is over, or gone
			}
			received <- strings.TrimSuffix(line, "\n")
		}
	}()
	if err := role(args[0], args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "role %s: %v\n", name, err)
		return 1
	}
	return 0
}

var stdout sync.Mutex

// say writes a line to the show. It is for roles only.
func say(format string, args ...any) {
	stdout.Lock()
	defer stdout.Unlock()
	if _, err := fmt.Fprintf(os.Stdout, format+"\n", args...); err != nil {
		os.Exit(0) // nobody listens any more
	}
}

// await returns the next line that the show sends. It is for roles only.
func await() string { return <-received }

// using opens a dictionary of numbers for as long as a role needs it.
func using[V any](dir, name string, do func(m *ultradict.Map[string, V]) error, more ...ultradict.Option) error {
	m, err := ultradict.OpenMap[string, V](name, append(more, ultradict.WithDir(dir))...)
	if err != nil {
		return err
	}
	return errors.Join(do(m), m.Close())
}
