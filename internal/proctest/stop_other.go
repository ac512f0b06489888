//go:build !linux

package proctest

func (p *Proc) stop() {
	p.t.Helper()
	p.t.Skip("processes cannot be stopped and seen standing still on this system")
}

func (p *Proc) cont() {}

func (p *Proc) awaitStop() { p.stop() }
