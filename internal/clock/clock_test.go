package clock

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNowIsTheMachinesClock(t *testing.T) {
	for range 1000 {
		before := monotonic()
		now := Now()
		require.LessOrEqual(t, now, monotonic())
		// Early by no more than the calibration took, which a preempted process may
		// have to wait for.
		require.Greater(t, now, before-int64(1e9))
		require.GreaterOrEqual(t, Now(), now)
	}
}
