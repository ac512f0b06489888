// Package jsontree writes trees of dynamic values as JSON and reads them back as they
// were, type by type, where encoding/json would make every number a float64 and every
// byte string a string. It is pure, and what it reads may come from anybody.
//
//	nil, bool, string     as in JSON
//	int64, uint64         an integer: without point and exponent
//	float64               with a point or an exponent: 5.0, 1e+21, -0.0; -0 is read as one
//	NaN, +Inf, −Inf       {"$float":"NaN"}, {"$float":"+Inf"}, {"$float":"-Inf"}
//	[]byte                {"$bytes":"…"}, base64 with padding (RFC 4648)
//	time.Time             {"$time":"2026-01-02T03:04:05.000000006Z"}, RFC 3339, in UTC
//	[]any                 a list
//	map[string]any        an object
//
// A map whose only key is one of these three, with any number of further $ in front, is
// written with one $ more, and read with one $ less.
//
// What is read is refused where it could not be what was written: a key twice in one
// object, an integer that is neither int64 nor uint64, a number beyond float64, text that
// is not UTF-8 or has half a surrogate pair, more nesting than can be stored.
//
// # Caveats
//
//   - A NaN comes back as the usual NaN, whatever its bits were.
//   - Other decimals than those of a float64 are rounded to the nearest, as in Go source.
package jsontree
