//go:build ultradict_broken_check && !ultradict_broken_get

package core

// unchecked lets transactions commit whatever was written since they validated
// what they had read. It exists to show that the check of histories (linear/)
// would find out.
const (
	staleGet  = false
	unchecked = true
)
