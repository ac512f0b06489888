package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func TestMain(m *testing.M) { proctest.MainOfProgram(m, main, workerVar) }

func short() options {
	return options{workers: 3, clients: 2, rules: rules{Limit: 7, Window: 60 * time.Millisecond, TTL: 400 * time.Millisecond}}
}

func TestRun(t *testing.T) {
	proctest.Directory(t)
	var out strings.Builder
	require.NoError(t, run(t.Context(), short(), &out), &out)
	for _, want := range []string{
		"3 workers accept connections at http://127.0.0.1:",
		"3 sessions, one made by each worker: each is found by all 3",
		"is killed", "also the one that it had made", "takes its place, and finds them all",
		"2 sessions were used, and live on; no worker finds the other 1", "swept from memory",
		"the limit held over all workers, and no session or count was lost\n",
	} {
		require.Contains(t, out.String(), want)
	}
	require.Regexp(t, `(?m)^client-2 +[1-9]\d* +[1-4] +[1-9]\d* +[1-9]\d* +\d+\.\d +\d+$`, out.String())
	require.NotContains(t, out.String(), "%!")
}

func TestInterrupted(t *testing.T) {
	for _, when := range []string{"accept connections", "is killed", "takes its place"} {
		t.Run(when, func(t *testing.T) {
			proctest.Directory(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := proctest.Until{Text: when, Then: cancel}
			require.NoError(t, run(ctx, short(), &out), &out)
			require.Contains(t, out.String(), "no session or count was lost, interrupted")
		})
	}
	proctest.Directory(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, run(ctx, short(), io.Discard), "before anything has happened")
}

// TestCheat does what a limiter or a cache that loses something would do. The program finds
// it out.
func TestCheat(t *testing.T) {
	if testing.Short() {
		t.Skip("TestRun shows what depends on the machine")
	}
	for name, cheat := range map[string]struct {
		do    func(s *service) error
		found string
	}{
		"counts":   {func(s *service) error { return s.limits.Set(everybody, 1) }, "counted as number"},
		"sessions": {func(s *service) error { return s.sessions.Clear() }, "does not find a session"},
		"immortal": {func(s *service) error {
			for id := range s.sessions.All() {
				if _, err := s.sessions.Persist(id); err != nil {
					return err
				}
			}
			return nil
		}, "finds a session of|sessions are still there"},
		"windows": {func(s *service) error {
			_, err := s.limits.Delete("client-1")
			return err
		}, "client-1: a "},
	} {
		t.Run(name, func(t *testing.T) {
			proctest.Directory(t)
			opts := short()
			opts.rules.Window, opts.rules.TTL = time.Second, 200*time.Millisecond
			when := "accept connections"
			if name == "immortal" {
				when, opts.rules.TTL = "takes its place", 400*time.Millisecond
			}
			out := proctest.Until{Text: when, Then: func() {
				opts.rules.Name = fmt.Sprintf("prefork-%d", os.Getpid())
				s, err := openService(opts.rules, ultradict.AttachOnly())
				require.NoError(t, err)
				go func() {
					defer s.close()
					for range 20 { // or until it is removed
						if cheat.do(s) != nil {
							return
						}
						time.Sleep(30 * time.Millisecond)
					}
				}()
			}}
			err := run(t.Context(), opts, &out)
			require.Error(t, err)
			require.Regexp(t, cheat.found, err.Error())
			require.NotContains(t, out.String(), "the limit held")
		})
	}
}

// The socket belongs to all workers: to start one must not have the others block in it.
func TestTheSocketDoesNotBlock(t *testing.T) {
	s := &show{}
	require.NoError(t, s.open())
	defer s.socket.Close()
	for range 2 {
		mode, err := unix.FcntlInt(s.socket.Fd(), unix.F_GETFL, 0)
		require.NoError(t, err)
		require.NotZero(t, mode&unix.O_NONBLOCK)
	}
}

// TestParentKilled leaves it to the workers to clean up.
func TestParentKilled(t *testing.T) {
	proctest.Directory(t)
	require.Contains(t, proctest.KillProgram(t, "is found by all 4", "-ttl", "1h"), errGone.Error())
}

func TestNonsense(t *testing.T) {
	for _, change := range []func(*options){
		func(o *options) { o.workers = 1 },
		func(o *options) { o.workers = 33 },
		func(o *options) { o.clients = 0 },
		func(o *options) { o.clients = 33 },
		func(o *options) { o.rules.Limit = 0 },
		func(o *options) { o.rules.Window = time.Millisecond },
		func(o *options) { o.rules.TTL = time.Millisecond },
	} {
		o := short()
		change(&o)
		require.ErrorContains(t, run(t.Context(), o, io.Discard), "it takes 2 to 32 workers")
	}
}
