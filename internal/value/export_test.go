package value

import "github.com/fxamacker/cbor/v2"

var sortedMode = must(cbor.EncOptions{
	Sort: cbor.SortBytewiseLexical, NaNConvert: cbor.NaNConvert7e00, Time: cbor.TimeRFC3339NanoUTC,
}.EncMode())

// appendSorted encodes v such that equal values have equal bytes, NaN included.
func appendSorted(v any) ([]byte, error) { return sortedMode.Marshal(v) }
