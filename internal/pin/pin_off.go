//go:build ultradict_nopin

package pin

// Enabled reports whether Pin does anything in this build.
const Enabled = false

// Pin does nothing in this build.
func Pin() {}

// Unpin does nothing in this build.
func Unpin() {}
