//go:build !ultradict_nopin

package pin

import _ "unsafe" // for go:linkname

// Enabled reports whether Pin does anything in this build.
const Enabled = true

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

// Pin keeps the calling goroutine on its thread until Unpin. See the package
// comment for what must not happen in between.
func Pin() { procPin() }

// Unpin ends what the last Pin of this goroutine began.
func Unpin() { procUnpin() }
