package futex

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The stand-in for a missing system call keeps the contract of wait.
func TestSleep(t *testing.T) {
	var w atomic.Uint32
	require.False(t, sleep(&w, 0, time.Microsecond), "the timeout passed")
	require.True(t, sleep(&w, 1, time.Microsecond), "the word differs")
	require.True(t, sleep(&w, 0, time.Hour), "only a part of the timeout passed")
}
