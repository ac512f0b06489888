//go:build !race

package locks

type shadow struct{}

func (m *Mutex) acquire() bool {
	_ = m.shadow
	return true
}

func (m *Mutex) release() {}
