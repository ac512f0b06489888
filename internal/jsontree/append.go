package jsontree

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ultradict/go/internal/value"
)

// The keys of objects that stand for what JSON has no word for.
const (
	tagBytes = "$bytes"
	tagFloat = "$float"
	tagTime  = "$time"
)

// escaped reports whether a key, alone in its map, is written with a further $.
func escaped(key string) bool {
	if !strings.HasPrefix(key, "$") {
		return false
	}
	switch "$" + strings.TrimLeft(key, "$") {
	case tagBytes, tagFloat, tagTime:
		return true
	}
	return false
}

// Append appends v as JSON, on one line. Besides what the package comment lists it takes
// the other sizes of numbers, and [json.Number] as it is. The error says what cannot be
// written such that it would come back, and then dst is returned as it was.
func Append(dst []byte, v any) ([]byte, error) {
	out, err := appendItem(dst, v, 0)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func appendItem(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int8:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int16:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint8:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint16:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case float32:
		return appendFloat(dst, float64(v)), nil
	case float64:
		return appendFloat(dst, v), nil
	case json.Number:
		if !json.Valid([]byte(v)) || strings.Trim(string(v), "0123456789+-.eE") != "" {
			return dst, fmt.Errorf("the json.Number %q is no number", string(v))
		}
		return append(dst, v...), nil
	case string:
		return AppendString(dst, v)
	case []byte:
		if v == nil {
			return append(dst, "null"...), nil
		}
		dst = append(dst, `{"`+tagBytes+`":"`...)
		return append(base64.StdEncoding.AppendEncode(dst, v), `"}`...), nil
	case time.Time:
		v = v.UTC()
		if y := v.Year(); y < 0 || y > 9999 {
			return dst, fmt.Errorf("the time %v is outside the years 0 to 9999", v)
		}
		dst = append(dst, `{"`+tagTime+`":"`...)
		return append(v.AppendFormat(dst, time.RFC3339Nano), `"}`...), nil
	case []any:
		return appendList(dst, v, depth)
	case map[string]any:
		return appendMap(dst, v, depth)
	default:
		return dst, fmt.Errorf("JSON has no way to say %T", v)
	}
}

func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `{"`+tagFloat+`":"NaN"}`...)
	case math.IsInf(f, 1):
		return append(dst, `{"`+tagFloat+`":"+Inf"}`...)
	case math.IsInf(f, -1):
		return append(dst, `{"`+tagFloat+`":"-Inf"}`...)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
	if !bytes.ContainsAny(dst[from:], ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// AppendString appends a string, which must be valid UTF-8.
func AppendString(dst []byte, s string) ([]byte, error) {
	if plain(s) {
		return append(append(append(dst, '"'), s...), '"'), nil
	}
	if !utf8.ValidString(s) {
		return dst, fmt.Errorf("a string is not valid UTF-8")
	}
	return appendByLibrary(dst, s)
}

// plain reports whether a string stands in JSON as it is, as most do.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendByLibrary appends what encoding/json makes of v, but leaves <, > and & as they
// are.
func appendByLibrary(dst []byte, v any) ([]byte, error) {
	b := bytes.NewBuffer(dst)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return dst, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func appendList(dst []byte, list []any, depth int) ([]byte, error) {
	if list == nil {
		return append(dst, "null"...), nil
	}
	if depth == value.MaxDepth {
		return dst, tooDeep()
	}
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendItem(dst, v, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendMap appends a map, its keys in ascending order.
func appendMap(dst []byte, dict map[string]any, depth int) ([]byte, error) {
	if dict == nil {
		return append(dst, "null"...), nil
	}
	if depth == value.MaxDepth {
		return dst, tooDeep()
	}
	dst = append(dst, '{')
	for i, k := range slices.Sorted(maps.Keys(dict)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		name := k
		if len(dict) == 1 && escaped(k) {
			name = "$" + k
		}
		var err error
		if dst, err = AppendString(dst, name); err != nil {
			return dst, err
		}
		if dst, err = appendItem(append(dst, ':'), dict[k], depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func tooDeep() error { return fmt.Errorf("it is nested more than %d deep", value.MaxDepth) }
