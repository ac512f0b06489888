package ultradict_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/ultradict/go/ultradict"
)

// What a look at a dictionary with a flipped byte can end in. Anything else is
// a kind of error.
const (
	flipRight   = "right"
	flipEarlier = "right as of an earlier time"
	flipWrong   = "WRONG"
	flipUntyped = "UNTYPED ERROR"
)

// lookAt asks a dictionary everything and compares what it says with the states
// that it may be in, of which the last is the present one. An error is never
// compared; what is answered beside one must be true all the same.
func lookAt(d *ultradict.Dict, history []map[string]any) (outcome, detail string) {
	l := look{states: history}
	for _, k := range flipKeys {
		v, err := d.Get(k)
		l.answered(k, v, err)
		has, err := d.Has(k)
		if l.typed(err) {
			l.keep(fmt.Sprintf("Has(%q) is %v", k, has), func(s map[string]any) bool { _, ok := s[k]; return ok == has })
		}
	}
	n, err := d.Len()
	if l.typed(err) {
		l.keep(fmt.Sprintf("Len is %d", n), func(s map[string]any) bool { return len(s) == n })
	}
	seen, whole := map[string]bool{}, true
	for e, err := range d.Entries() {
		if whole = l.typed(err); !whole {
			break
		}
		if seen[e.Key] {
			l.keep(fmt.Sprintf("%q comes twice", e.Key), func(map[string]any) bool { return false })
		}
		seen[e.Key] = true
		l.answered(e.Key, e.Value, nil)
	}
	if whole {
		l.keep(fmt.Sprintf("%d entries", len(seen)), func(s map[string]any) bool { return len(s) == len(seen) })
	}
	_, err = d.Status()
	l.typed(err)
	return l.outcome()
}

// look gathers what is answered.
type look struct {
	states []map[string]any // that agree with all that was answered
	past   bool             // the present one does not
	kind   string           // of the first error
	detail string
}

// keep keeps the states that agree with an answer.
func (l *look) keep(what string, agrees func(map[string]any) bool) {
	if l.kind == flipWrong || l.kind == flipUntyped {
		return
	}
	var still []map[string]any
	last := false
	for _, s := range l.states {
		if last = agrees(s); last {
			still = append(still, s)
		}
	}
	if !last {
		l.past, l.detail = true, what
	}
	if l.states = still; len(still) == 0 {
		l.kind = flipWrong
	}
}

func (l *look) answered(k string, v any, err error) {
	if err == ultradict.ErrNotFound { // bare
		l.keep(fmt.Sprintf("%q is absent", k), func(s map[string]any) bool { _, ok := s[k]; return !ok })
		return
	}
	if d, ok := v.(*ultradict.Dict); ok {
		v, err = ultradict.Plain(d)
	}
	if !l.typed(err) {
		return
	}
	l.keep(fmt.Sprintf("%q is %.40v", k, v), func(s map[string]any) bool {
		want, ok := s[k]
		if want == anyChurn {
			text, is := v.(string)
			return is && strings.HasSuffix(text, strings.Repeat("c", 100)) && len(text) == 104
		}
		return ok && reflect.DeepEqual(want, v)
	})
}

// typed notes an error, and reports whether there is none.
func (l *look) typed(err error) bool {
	if err == nil {
		return true
	}
	kind := kindOf(err)
	if l.kind == "" || kind == flipUntyped {
		l.kind, l.detail = kind, err.Error()
	}
	return false
}

func (l *look) outcome() (outcome, detail string) {
	switch {
	case l.kind == flipWrong, l.kind == flipUntyped:
		return l.kind, l.detail
	case l.past && l.kind != "":
		return flipEarlier + ", and " + l.kind, l.detail
	case l.past:
		return flipEarlier, l.detail
	case l.kind != "":
		return l.kind, l.detail
	}
	return flipRight, ""
}

// kindOf names the kind of an error that damage may cause.
func kindOf(err error) string {
	var damaged *ultradict.CorruptError
	switch {
	case errors.As(err, &damaged) && damaged.Segment != "" && damaged.Reason != "":
		segment, _, _ := strings.Cut(damaged.Segment, "-")
		segment, _, _ = strings.Cut(segment, " ")
		return "CorruptError (" + segment + ")"
	case errors.Is(err, ultradict.ErrVersion):
		return "ErrVersion"
	case errors.Is(err, ultradict.ErrRemoved):
		return "ErrRemoved"
	case errors.Is(err, ultradict.ErrNotExist) && strings.HasPrefix(err.Error(), "open"):
		return "ErrNotExist" // its end was marked, and who came has removed it
	case errors.Is(err, ultradict.ErrNoSpace):
		return "ErrNoSpace"
	case errors.Is(err, &ultradict.LockError{}):
		return "LockError"
	}
	return flipUntyped
}
