//go:build ultradict_broken_get

package core

// staleGet lets Get read the replica as it stands, without a look at the
// stream. It exists to show that the check of histories (linear/) would find
// out.
const (
	staleGet  = true
	unchecked = false
)
