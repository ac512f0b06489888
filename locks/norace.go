//go:build !race

package locks

func (m *Mutex) acquire() bool { return true }

func (m *Mutex) release() {}
