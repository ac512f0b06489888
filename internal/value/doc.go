// Package value turns keys and values into bytes and back. It is pure: it
// knows nothing of shared memory, and everything it returns is memory of its
// own. The bytes it reads may come from anybody.
//
//	        Codec[V].Append            Codec[V].Decode
//	  V ───────────────────▶ CBOR ───────────────────▶ V
//	any      AppendAny       item       DecodeAny      any
//
//	        Keys[K].Append             Keys[K].Decode
//	  K ───────────────────▶ order-preserving bytes ─▶ K
//
// # Values
//
// A value is one CBOR item (RFC 8949) of definite length. The rule above all
// others: what Append accepts is exactly what Decode returns; what would not
// come back is refused with an [*Unencodable] before anything is stored.
//
// Scalars, times, and trees of map[string]any and []any are coded by hand;
// everything else goes through fxamacker/cbor with one fixed pair of modes. The
// two make the same bytes for the same scalar, so it does not matter which
// one wrote what the other reads.
//
//	Go value put in an any                     what comes back
//	nil, nil pointer, nil slice, nil map       nil
//	bool, string (named ones too)              bool, string
//	every int and uint kind                    int64; uint64 only above MaxInt64
//	float32, float64                           float64, NaN and −0.0 as they are
//	[]byte, byte arrays, BinaryMarshaler       []byte
//	time.Time                                  time.Time in UTC, to the nanosecond
//	slices, arrays                             []any
//	maps with string keys, structs             map[string]any
//	maps with other keys, big.Int beyond 64 bits, chan, func, complex, cycles: refused
//
// A typed V (see [Codec]) may hold more: maps keyed by numbers, structs,
// pointers, big.Int, and types that marshal themselves by MarshalCBOR or
// MarshalBinary, if they unmarshal themselves the same way; their output is
// decoded once before it is accepted, and if they panic that is an error. Bytes that do not fit V are an error,
// never a zero or a truncated number: integers out of range, fractions for
// integers, arrays of another length, nil for what cannot be nil.
//
// # Keys
//
// A key is a string, an integer, a boolean, or an array or all-exported struct
// of these. Equal keys have equal bytes and different keys different ones, and
// comparing the bytes compares the keys: see [Keys]. A description of the
// encoding, the kind, is stored with the dictionary and compared on opening.
//
// # Caveats
//
//   - Unexported struct fields and fields tagged "-" are not stored, as in every
//     Go codec; a struct that has nothing else is refused.
//   - A struct field that the bytes do not have is zero; one that the struct does
//     not have is ignored. Field names match exactly, letter case included.
//   - A field of an embedded struct that is hidden by one of the same name nearer to
//     the outside is not stored.
//   - A zero time.Time inside a struct that is put in an any comes back as nil.
//   - What a hostile item can make a typed Decode allocate is bounded by its
//     length times the size of the largest element type of V.
package value
