package proctest

// Stop stops the process (SIGSTOP) and returns when all its threads stand
// still. It skips the test where that cannot be told.
func (p *Proc) Stop() {
	p.t.Helper()
	p.stop()
}

// AwaitStop returns when the process has stopped itself and all its threads stand
// still.
func (p *Proc) AwaitStop() {
	p.t.Helper()
	p.awaitStop()
}

// Cont lets a stopped process go on (SIGCONT).
func (p *Proc) Cont() {
	p.t.Helper()
	p.cont()
}
