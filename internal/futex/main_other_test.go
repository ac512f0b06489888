//go:build !linux

package futex_test

// The second process of the Linux tests does not exist elsewhere.
const peerEnv = "ULTRADICT_TEST_FUTEX_FILE"

func peer() int { return 1 }
