// Package proctest lets a test use real processes: it starts the test binary
// again in a role, talks to it by lines of text, and kills or stops it.
//
//	func TestMain(m *testing.M) {
//		proctest.Main(m, map[string]func([]string) error{"holder": holder})
//	}
//
//	func holder(args []string) error { // runs in a process of its own
//		lock(args[0])
//		proctest.Say("locked")
//		proctest.Receive() // until the test says something
//		return nil
//	}
//
//	func TestKilled(t *testing.T) {
//		p := proctest.Start(t, "holder", path)
//		require.Equal(t, "locked", p.Line())
//		p.Kill()
//	}
//
//	test ── Send ──> stdin ──> Receive   role
//	     <── Line ── stdout <── Say
//	       (the log) stderr <── panics, errors
//
// A role never outlives the test that started it: its process ends when its
// standard input does, which the operating system sees to even if the test is
// killed. So inside a role os.Stdin belongs to this package. Whatever a role
// writes to standard error is shown only if the test fails.
//
// The methods of Proc may fail the test and so belong on the test's own
// goroutine, except where they say otherwise.
package proctest
