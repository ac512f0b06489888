//go:build !ultradict_broken_get && !ultradict_broken_check

package core

// Both are false in every build but two, see broken_get.go and broken_check.go:
// the compiler leaves out what depends on them.
const (
	staleGet  = false
	unchecked = false
)
