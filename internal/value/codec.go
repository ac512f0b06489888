package value

import (
	"bytes"
	"errors"
	"reflect"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/ultradict/go/internal/errs"
)

// Codec encodes and decodes the values of one static type. V may be the empty
// interface, and then the rules of [AppendAny] and [DecodeAny] hold.
//
// A Codec is immutable and may be used from any number of goroutines. The
// zero value is of no use: call [NewCodec].
type Codec[V any] struct {
	plan  *plan
	path  path
	exact bool      // what is decoded is identical to what was encoded, and shares nothing
	boxes sync.Pool // of *V, for the library, which takes its values behind an interface
}

// path is how the values of a type are coded.
type path uint8

const (
	byLibrary path = iota
	byTree         // any, []any and map[string]any: AppendAny and DecodeAny
	byHand         // scalars and times
)

// NewCodec returns the codec for V, or an [*Unencodable] that says which part
// of V can never be stored: channels, functions, complex numbers, uintptr,
// interfaces with methods, maps keyed by other than strings, numbers and
// booleans, structs without exported fields, structs of which a field would
// be lost among those that are promoted, and types that marshal themselves but
// do not unmarshal themselves the same way.
func NewCodec[V any]() (*Codec[V], error) {
	t := reflect.TypeFor[V]()
	p := planOf(t)
	for _, reason := range []string{p.refused, p.unpaired} {
		if reason != "" {
			return nil, &Unencodable{Reason: reason}
		}
	}
	c := &Codec[V]{plan: p, exact: p.root.has&(hasShared|hasInexact) == 0}
	c.boxes.New = func() any { return new(V) }
	switch p.root.form {
	case formAny:
		c.path = byTree
	case formBool, formInt, formUint, formFloat32, formFloat64, formString, formBytes, formTime:
		c.path = byHand
	}
	if t == reflect.TypeFor[[]any]() || t == reflect.TypeFor[map[string]any]() {
		c.path = byTree
	}
	return c, nil
}

// Dynamic reports whether V is the empty interface.
func (c *Codec[V]) Dynamic() bool { return c.plan.root.form == formAny }

// PointerFree reports whether every value of V may be kept as it is in place
// of what Decode would return: it would be identical, bit for bit where that
// can be seen, and it shares no memory that could change. Strings never do.
func (c *Codec[V]) PointerFree() bool { return c.exact }

// Keep returns v as Decode would return it after Append, if that can be told
// without decoding and v shares no memory that could change. It answers
// ok = false when the encoded bytes must be decoded instead. Call it only for
// a v that Append accepted.
//
// For a PointerFree V it returns v; for an any it does what [Canonical] does.
func (c *Codec[V]) Keep(v V) (kept V, ok bool) {
	if c.exact {
		return v, true
	}
	if c.Dynamic() {
		canonical, ok := Canonical(any(v))
		kept, _ = canonical.(V) // a nil canonical leaves the nil that it is
		return kept, ok
	}
	return kept, false
}

// Append appends the encoding of v to dst. What it accepts, Decode returns.
// The error is an [*Unencodable], and then dst is returned as it was. Append
// keeps nothing of v; it does not allocate for scalars where dst has room.
func (c *Codec[V]) Append(dst []byte, v V) ([]byte, error) {
	switch c.path {
	case byHand:
		return appendScalar(dst, &v, c.plan.root.t.Kind(), c.plan.root.form)
	case byTree:
		return AppendAny(dst, any(v))
	}
	out, err := c.appendByLibrary(dst, v)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func (c *Codec[V]) appendByLibrary(dst []byte, v V) ([]byte, error) {
	root := c.plan.root
	box := c.boxes.Get().(*V)
	*box = v
	if root.has&(hasAny|hasCycle) != 0 {
		w := walker{budget: MaxLen}
		if err := w.value(root, reflect.ValueOf(box).Elem(), 0); err != nil {
			return dst, err
		}
	}
	out, err := appendByLibrary(dst, box, root)
	if root.has&hasCustom == 0 { // else a method of v may have kept the box
		var none V
		*box = none
		c.boxes.Put(box)
	}
	if err != nil {
		return dst, err
	}
	if n := len(out) - len(dst); n > MaxLen {
		return dst, tooLong(n)
	}
	if root.has&hasChecks != 0 {
		s := scan{raw: out, off: len(dst)}
		if err := s.whole(root, 0); err != nil {
			return dst, refuse("it would not come back as %v: %s", root.t, reasonOf(err))
		}
	}
	if root.has&hasCustom != 0 {
		if _, err := c.Decode(out[len(dst):]); err != nil {
			return dst, refuse("it would not come back as %v: %s", root.t, reasonOf(err))
		}
	}
	return out, nil
}

// Decode returns the value that raw encodes, in memory of its own. Bytes that
// no Append makes answer an error that is errs.ErrCorrupt; sound bytes that do
// not fit V a *errs.TypeError that says what stands there.
//
// Bytes of raw that change meanwhile may make the result another value, or
// an error, and nothing worse.
func (c *Codec[V]) Decode(raw []byte) (V, error) {
	var v V
	var err error
	switch c.path {
	case byHand:
		err = decodeScalar(raw, &v, c.plan.root)
	case byTree:
		v, err = c.decodeTree(raw)
	default:
		v, err = c.decodeByLibrary(raw)
	}
	if err != nil {
		var none V
		return none, c.wanted(err)
	}
	return v, nil
}

// wanted makes V the type that a misfit names.
func (c *Codec[V]) wanted(err error) error {
	if te := (*errs.TypeError)(nil); errors.As(err, &te) {
		return misfit(c.plan.root.t.String(), "%s", te.Reason)
	}
	return err
}

func (c *Codec[V]) decodeTree(raw []byte) (v V, err error) {
	tree, err := DecodeAny(raw)
	if err != nil || tree == nil {
		return v, err
	}
	v, ok := tree.(V)
	if !ok {
		return v, misfit("", "it holds %s", describe(readHead(raw)))
	}
	return v, nil
}

// scratch holds private copies of what is being decoded: the library looks at
// each byte several times and trusts what it saw.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch is the longest copy that is kept for the next time.
const maxScratch = 64 << 10

func (c *Codec[V]) decodeByLibrary(raw []byte) (v V, err error) {
	root := c.plan.root
	if root.has&hasCustom != 0 {
		raw = bytes.Clone(raw) // a method of V may keep it
	} else {
		buf := scratch.Get().(*[]byte)
		*buf = append((*buf)[:0], raw...)
		raw = *buf
		defer func() {
			if cap(*buf) <= maxScratch {
				scratch.Put(buf)
			}
		}()
	}
	s := scan{raw: raw}
	if err := s.whole(root, 0); err != nil {
		return v, err
	}
	box := new(V)
	if root.has&hasCustom == 0 {
		err = decMode.Unmarshal(raw, box)
	} else {
		err = unmarshal(raw, box)
	}
	if err != nil {
		if dup := (*cbor.DupMapKeyError)(nil); errors.As(err, &dup) {
			return v, damaged("a map key stands twice: %v", err)
		}
		return v, misfit("", "%v", err)
	}
	if s.wide {
		normalise(root, reflect.ValueOf(box).Elem())
	}
	return *box, nil
}
