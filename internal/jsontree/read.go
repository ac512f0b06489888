package jsontree

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ultradict/go/internal/value"
)

// Error says what is wrong with JSON text, and where.
type Error struct {
	Offset int64 // bytes of the text in front of what is wrong; space, a colon or a comma may follow first
	Reason string
	Err    error // what it comes from, if there is such
}

func (e *Error) Error() string { return fmt.Sprintf("offset %d: %s", e.Offset, e.Reason) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Fail makes an error of what a decoder returned, at the place where the decoder is. The
// end of the text is one that comes too early. Errors of the source of the text are
// returned as they are.
func Fail(d *json.Decoder, err error) error {
	var own *Error
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &own):
		return own
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{d.InputOffset(), "it ends too early", io.ErrUnexpectedEOF}
	case errors.As(err, &syntax):
		return &Error{d.InputOffset(), syntax.Error(), err}
	}
	return err
}

// Read reads the next value of d, which must have been told to UseNumber. The error is
// an [*Error], or that of the source of the text.
func Read(d *json.Decoder) (any, error) {
	r := reader{d: d, depth: value.MaxDepth, exact: true}
	return r.item(0)
}

// ReadPlain is Read with what is special left as it is: objects remain objects, and
// numbers are [json.Number]. It takes whatever nesting encoding/json takes.
func ReadPlain(d *json.Decoder) (any, error) {
	r := reader{d: d, depth: plainDepth}
	return r.item(0)
}

const plainDepth = 10_000

type reader struct {
	d     *json.Decoder
	depth int
	exact bool
}

func (r reader) fail(at int64, format string, args ...any) error {
	return &Error{Offset: at, Reason: fmt.Sprintf(format, args...)}
}

func (r reader) item(depth int) (any, error) {
	at := r.d.InputOffset()
	t, err := r.d.Token()
	if err != nil {
		return nil, Fail(r.d, err)
	}
	switch t := t.(type) {
	case json.Delim:
		switch {
		case depth > r.depth || depth == r.depth && t == '[':
			return nil, r.tooDeep(at)
		case t == '[':
			return r.list(depth)
		case t == '{':
			return r.dict(at, depth)
		}
		return nil, r.fail(at, "no value")
	case json.Number:
		if !r.exact {
			return t, nil
		}
		n, err := number(t)
		if err != nil {
			return nil, &Error{at, err.Error(), err}
		}
		return n, nil
	}
	return t, nil // nil, bool, string
}

func (r reader) list(depth int) (any, error) {
	list := []any{}
	for r.d.More() {
		v, err := r.item(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if _, err := r.d.Token(); err != nil {
		return nil, Fail(r.d, err)
	}
	return list, nil
}

func (r reader) dict(at int64, depth int) (any, error) {
	dict := map[string]any{}
	for r.d.More() {
		at := r.d.InputOffset()
		k, err := r.d.Token()
		if err != nil {
			return nil, Fail(r.d, err)
		}
		key, ok := k.(string)
		if !ok {
			return nil, r.fail(at, "no name of a member")
		}
		if _, twice := dict[key]; twice {
			return nil, r.fail(at, "the name %s stands twice", quote(key))
		}
		if dict[key], err = r.item(depth + 1); err != nil {
			return nil, err
		}
	}
	if _, err := r.d.Token(); err != nil {
		return nil, Fail(r.d, err)
	}
	if !r.exact {
		return dict, nil
	}
	v, err := untag(dict)
	if err != nil {
		return nil, &Error{at, err.Error(), err}
	}
	if _, is := v.(map[string]any); is && depth == r.depth {
		return nil, r.tooDeep(at) // what it could stand for is not nested
	}
	return v, nil
}

func (r reader) tooDeep(at int64) error { return r.fail(at, "nested more than %d deep", r.depth) }

// Exact makes of what [ReadPlain] returned what [Read] would have returned.
func Exact(v any) (any, error) { return exact(v, 0) }

func exact(v any, depth int) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		if depth == value.MaxDepth {
			return nil, tooDeep()
		}
		for i := range v {
			if v[i], err = exact(v[i], depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if depth > value.MaxDepth {
				return nil, tooDeep()
			}
			if v[k], err = exact(v[k], depth+1); err != nil {
				return nil, err
			}
		}
		is, err := untag(v)
		if _, isMap := is.(map[string]any); isMap && depth == value.MaxDepth {
			err = tooDeep()
		}
		return is, err
	}
	return v, nil
}

// number is what a number of JSON is: an integer unless it has a point or an exponent.
// Only a float64 can be a -0, which is how encoding/json writes it.
func number(n json.Number) (any, error) {
	s := string(n)
	if s == "-0" {
		return math.Copysign(0, -1), nil
	}
	if !strings.ContainsAny(s, ".eE") {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, nil
		}
		if u, err := strconv.ParseUint(s, 10, 64); err == nil {
			return u, nil
		}
		return nil, fmt.Errorf("the integer %s is neither an int64 nor a uint64", shorten(s))
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("the number %s is beyond the range of float64", shorten(s))
	}
	return f, nil
}

// untag is what an object stands for, mostly itself.
func untag(dict map[string]any) (any, error) {
	if len(dict) != 1 {
		return dict, nil
	}
	for key, v := range dict {
		if !escaped(key) {
			return dict, nil
		}
		text, isText := v.(string)
		switch {
		case strings.HasPrefix(key, "$$"):
			return map[string]any{key[1:]: v}, nil
		case !isText:
		case key == tagBytes:
			if b, err := base64.StdEncoding.Strict().DecodeString(text); err == nil && !strings.ContainsAny(text, "\r\n") {
				return b, nil
			}
		case key == tagFloat:
			switch text {
			case "NaN":
				return math.NaN(), nil
			case "+Inf":
				return math.Inf(1), nil
			case "-Inf":
				return math.Inf(-1), nil
			}
		default:
			t, err := time.Parse(time.RFC3339Nano, text)
			if t = t.UTC(); err == nil && t.Year() >= 0 && t.Year() <= 9999 {
				return t, nil
			}
		}
		return nil, fmt.Errorf("the object of %q alone does not hold such a thing; a map with that key is written with %q", key, "$"+key)
	}
	return dict, nil
}

// quote is s for a message, which stays short.
func quote(s string) string { return strconv.Quote(shorten(s)) }

func shorten(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
