package ultradict

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// changed compares what JSON said with what a value that was read from it says again,
// both as trees. encoding/json lets null be a zero of anything, rounds integers, cuts and
// fills up arrays, and takes names in any letter case: that is what is looked for, and its
// reason returned. Other differences are the business of the types.
func changed(said, again any) string {
	switch said := said.(type) {
	case nil:
		if again != nil {
			return "it is null"
		}
	case []any:
		again, ok := again.([]any)
		if !ok {
			return ""
		}
		if len(said) != len(again) {
			return fmt.Sprintf("it is a list of %d elements, not %d", len(said), len(again))
		}
		for i := range said {
			if reason := changed(said[i], again[i]); reason != "" {
				return fmt.Sprintf("in element %d: %s", i, reason)
			}
		}
	case map[string]any:
		again, ok := again.(map[string]any)
		if !ok {
			return ""
		}
		for name, v := range said {
			now, ok := again[name]
			if !ok {
				for other := range again {
					if _, both := said[other]; !both && strings.EqualFold(other, name) {
						return fmt.Sprintf("the name is %q, not %q", other, name)
					}
				}
				continue // it is left out where it is empty
			}
			if reason := changed(v, now); reason != "" {
				return fmt.Sprintf("in %q: %s", name, reason)
			}
		}
	case json.Number:
		if again, ok := again.(json.Number); ok && !strings.ContainsAny(string(said), ".eE") && !sameNumber(string(said), string(again)) {
			return fmt.Sprintf("the integer %.40s does not fit, it would be %.40s", said, again)
		}
	}
	return ""
}

// sameNumber reports whether two numbers, of which the first is an integer, are equal.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	f, err := strconv.ParseFloat(b, 64)
	if err != nil || f == 0 || len(a) > 400 {
		// An exponent may be such that nobody could write the number out.
		return f == 0 && err == nil && strings.Trim(a, "-0") == ""
	}
	x, ok := new(big.Int).SetString(a, 10)
	y, fine := new(big.Rat).SetString(b)
	return ok && fine && y.IsInt() && y.Num().Cmp(x) == 0
}
