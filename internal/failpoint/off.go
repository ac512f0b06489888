//go:build !ultradict_failpoints

package failpoint

import "sync/atomic"

// Enabled reports whether this build has points.
const Enabled = false

// Words in shared memory.
type (
	Uint64 = atomic.Uint64
	Uint32 = atomic.Uint32
	Int64  = atomic.Int64
)

// Atomic64 returns the word for who only reads it.
func Atomic64(w *Uint64) *atomic.Uint64 { return w }

// Atomic32 returns the word for the futex calls.
func Atomic32(w *Uint32) *atomic.Uint32 { return w }

// Step is a point before or after a step that is not a store to a shared word.
func Step(string) {}
