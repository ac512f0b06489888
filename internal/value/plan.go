package value

import (
	"encoding"
	"fmt"
	"math/big"
	"reflect"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// form is what a Go type is to this package.
type form uint8

const (
	formRefused   form = iota // cannot be stored
	formAny                   // the empty interface
	formBool                  // named ones too, here and below
	formInt                   // every signed kind
	formUint                  // every unsigned kind except uintptr
	formFloat32               //
	formFloat64               //
	formString                //
	formBytes                 // slice of a byte kind
	formByteArray             // array of a byte kind
	formTime                  // time.Time
	formList                  // other slices
	formArray                 // other arrays
	formMap                   //
	formStruct                //
	formPointer               //
	formBigInt                // big.Int
	formBinary                // marshals itself to a byte string
	formCustom                // marshals itself to any one item
)

// has says what is found anywhere in a type.
type has uint16

const (
	hasAny     has = 1 << iota // an empty interface
	hasCycle                   // a type that contains itself
	hasShared                  // memory that may change under others: pointers, slices, maps
	hasInexact                 // something that does not come back identical, if equal
	hasCustom                  // a type that marshals itself
	hasChecks                  // something whose encoding must be looked at before it is accepted
)

// plan is what there is to know about a type. It is immutable.
type plan struct {
	root      *node
	refused   string // why no value of it can be stored; "" if some can
	unpaired  string // why what it marshals to cannot be unmarshalled to it again
	typedOnly string // why it cannot stand in an any
}

// node is one type of the tree, which recursive types make a graph.
type node struct {
	t         reflect.Type
	form      form
	has       has    // of this type and all below
	own       has    // of this type alone
	refused   string // of this type alone, as the others
	unpaired  string
	typedOnly string
	elem      *node   // of lists, arrays, maps and pointers
	key       *node   // of maps
	fields    []field // of structs: those that are stored, and the structs that they embed
	shown     []shown // likewise, with the fields of those in place of them, as they are written
	listed    bool    // of structs: written as a list, without names
}

type field struct {
	index int
	node  *node
}

// anyNode stands for the rules of an any. Other nodes of the same form may
// exist: form is what counts.
var anyNode = planOf(reflect.TypeFor[any]()).root

var (
	timeType   = reflect.TypeFor[time.Time]()
	bigIntType = reflect.TypeFor[big.Int]()
	cborTag    = reflect.TypeFor[cbor.Tag]()
	cborRawTag = reflect.TypeFor[cbor.RawTag]()
	cborSimple = reflect.TypeFor[cbor.SimpleValue]()
)

var plans sync.Map // reflect.Type → *plan

// planOf returns the plan for t, made at the first call.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	b := planner{nodes: map[reflect.Type]*node{}}
	p := &plan{root: b.node(t)}
	b.settle()
	p.explain(p.root, t.String(), map[*node]bool{})
	actual, _ := plans.LoadOrStore(t, p)
	return actual.(*plan)
}

// explain finds the first reason of each sort, with the way to it.
func (p *plan) explain(n *node, path string, seen map[*node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	note := func(reason *string, own string) {
		if *reason == "" && own != "" {
			*reason = path + ": " + own
		}
	}
	note(&p.refused, n.refused)
	note(&p.unpaired, n.unpaired)
	note(&p.typedOnly, n.typedOnly)
	if n.key != nil {
		p.explain(n.key, path+"[key]", seen)
	}
	if n.elem != nil {
		p.explain(n.elem, path+"[]", seen)
	}
	for _, f := range n.fields {
		p.explain(f.node, path+"."+n.t.Field(f.index).Name, seen)
	}
}

// planner builds the graph below one type.
type planner struct{ nodes map[reflect.Type]*node }

// maxPointers bounds pointers to pointers, and ends a pointer type that
// points to itself.
const maxPointers = 8

func (b planner) node(t reflect.Type) *node {
	if n := b.nodes[t]; n != nil {
		return n
	}
	n := &node{t: t}
	b.nodes[t] = n
	if b.special(n) {
		return n
	}
	switch t.Kind() {
	case reflect.Bool:
		n.form = formBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n.form = formInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n.form = formUint
	case reflect.Float32:
		n.form = formFloat32
	case reflect.Float64:
		n.form = formFloat64
	case reflect.String:
		n.form, n.own = formString, hasChecks // UTF-8
	case reflect.Slice, reflect.Array:
		b.sequence(n)
	case reflect.Map:
		b.dictionary(n)
	case reflect.Struct:
		b.structure(n)
	case reflect.Pointer:
		b.pointer(n)
	case reflect.Interface:
		if t.NumMethod() != 0 {
			n.refused = fmt.Sprintf("%v is an interface with methods: what is in it could not be made again", t)
			break
		}
		n.form, n.own = formAny, hasAny|hasShared|hasInexact|hasChecks
	default: // chan, func, complex, uintptr, unsafe.Pointer
		n.refused = fmt.Sprintf("a value of type %v means nothing to another process", t)
		if t.Kind() == reflect.Complex64 || t.Kind() == reflect.Complex128 {
			n.refused = "complex numbers cannot be stored"
		}
	}
	return n
}

// special handles the types that are not what their kind says.
func (b planner) special(n *node) bool {
	switch n.t {
	case timeType:
		n.form, n.own = formTime, hasInexact|hasChecks // location and monotonic clock are lost; the year is bounded
		return true
	case bigIntType:
		n.form, n.own = formBigInt, hasShared|hasInexact|hasCustom|hasChecks
		return true
	case cborTag, cborRawTag, cborSimple:
		n.refused = fmt.Sprintf("%v is the library's own", n.t)
		return true
	}
	if n.t.Kind() == reflect.Pointer || n.t.Kind() == reflect.Interface {
		return false // the library looks at what they lead to
	}
	pt := reflect.PointerTo(n.t)
	out := method(pt, reflect.TypeFor[cbor.Marshaler](), reflect.TypeFor[encoding.BinaryMarshaler]())
	in := method(pt, reflect.TypeFor[cbor.Unmarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler]())
	if out != in {
		n.unpaired = fmt.Sprintf("%v marshals itself by %s but unmarshals itself by %s",
			n.t, marshalNames[out], marshalNames[in])
	}
	if other := forgotten(n.t, out); other != "" {
		n.refused = fmt.Sprintf("%v marshals itself by %s that it has from what it embeds, which know nothing of its field %s", n.t, marshalNames[out], other)
	}
	n.own = hasShared | hasInexact | hasCustom | hasChecks
	switch out {
	case byCBORMethods:
		n.form = formCustom
	case byBinaryMethods:
		n.form = formBinary
	default:
		n.own = 0
	}
	return out != 0
}

// How a type marshals or unmarshals itself.
const (
	byKind          = 0 // not by methods
	byCBORMethods   = 1
	byBinaryMethods = 2
)

var marshalNames = [...]string{byKind: "the rules for its kind", byCBORMethods: "CBOR methods", byBinaryMethods: "binary methods"}

// method returns which of the interfaces pt implements, counted from 1, in the
// library's order of preference; 0 is none.
func method(pt reflect.Type, ifaces ...reflect.Type) int {
	for i, t := range ifaces {
		if pt.Implements(t) {
			return i + 1
		}
	}
	return 0
}

func (b planner) sequence(n *node) {
	n.elem = b.node(n.t.Elem())
	bytes := n.t.Elem().Kind() == reflect.Uint8
	switch {
	case n.t.Kind() == reflect.Slice && bytes:
		n.form, n.own = formBytes, hasShared
	case n.t.Kind() == reflect.Slice:
		n.form, n.own = formList, hasShared
	case bytes:
		n.form = formByteArray
	default:
		n.form = formArray
	}
}

func (b planner) dictionary(n *node) {
	n.form, n.own = formMap, hasShared
	n.key, n.elem = b.node(n.t.Key()), b.node(n.t.Elem())
	switch n.key.form {
	case formString:
		return
	case formBool, formInt, formUint:
	case formFloat32, formFloat64:
		n.own |= hasChecks // a NaN never equals itself
	default:
		n.refused = fmt.Sprintf("%v: keys of a map in a value are strings, numbers or booleans", n.t)
	}
	n.typedOnly = fmt.Sprintf("%v: in an any, keys of a map are strings", n.t)
}

func (b planner) pointer(n *node) {
	n.form, n.own = formPointer, hasShared
	t := n.t
	for i := 0; t.Kind() == reflect.Pointer; i++ {
		if i == maxPointers {
			n.refused = fmt.Sprintf("%v: more than %d pointers in a row", n.t, maxPointers)
			return
		}
		t = t.Elem()
	}
	n.elem = b.node(n.t.Elem())
}

// settle computes what is found below each node.
func (b planner) settle() {
	for _, n := range b.nodes {
		reached, cyclic := map[*node]bool{}, false
		var reach func(m *node)
		reach = func(m *node) {
			if reached[m] {
				return
			}
			reached[m] = true
			n.has |= m.own
			for c := range m.children() {
				cyclic = cyclic || c == n
				reach(c)
			}
		}
		reach(n)
		if cyclic {
			n.own |= hasCycle | hasChecks
		}
		// A depth that cannot be exceeded by fewer types needs no check.
		if len(reached) > MaxDepth {
			n.own |= hasChecks
		}
		n.has |= n.own
	}
	// Once more, for the cycles that were found meanwhile.
	for changed := true; changed; {
		changed = false
		for _, n := range b.nodes {
			for c := range n.children() {
				if n.has|c.has != n.has {
					n.has |= c.has
					changed = true
				}
			}
		}
	}
}

func (n *node) children() func(yield func(*node) bool) {
	return func(yield func(*node) bool) {
		if n.key != nil && !yield(n.key) {
			return
		}
		if n.elem != nil && !yield(n.elem) {
			return
		}
		for _, f := range n.fields {
			if !yield(f.node) {
				return
			}
		}
	}
}
