package bell

import "unsafe"

// A Word fills a cache line; part of the format.
var _ = [1]struct{}{}[unsafe.Sizeof(Word{})-64]
