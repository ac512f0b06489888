package value

import "reflect"

// walker looks at what an any, or a type that contains itself, really holds,
// before the library does: the library would follow a cycle until the stack
// is full. Types that have neither are not walked.
type walker struct {
	budget int // parts and bytes of strings that may still follow; each takes a byte when encoded
}

// value walks v, which stands inside depth lists, maps and structs and of
// which n is the type.
func (w *walker) value(n *node, v reflect.Value, depth int) error {
	return w.step(n, v, depth, 0)
}

// step is value behind so many pointers and interfaces in a row.
func (w *walker) step(n *node, v reflect.Value, depth, hops int) error {
	w.budget--
	if n.form == formString {
		w.budget -= v.Len()
	}
	if w.budget < 0 {
		return refuse("it would have more than %d bytes encoded, or contains itself", MaxLen)
	}
	if n.has&(hasAny|hasCycle) == 0 {
		return nil
	}
	switch n.form {
	case formAny, formPointer:
		if v.IsNil() {
			return nil
		}
		if hops == MaxDepth {
			return tooDeep()
		}
		next := n.elem
		if n.form == formAny {
			p := planOf(v.Elem().Type())
			if p.refused != "" {
				return &Unencodable{Reason: p.refused}
			}
			if p.typedOnly != "" {
				return &Unencodable{Reason: p.typedOnly}
			}
			next = p.root
		}
		return w.step(next, v.Elem(), depth, hops+1)
	case formList, formArray, formMap, formStruct:
		if depth == MaxDepth {
			return tooDeep()
		}
		return w.parts(n, v, depth+1)
	}
	return nil
}

func (w *walker) parts(n *node, v reflect.Value, depth int) error {
	switch n.form {
	case formStruct:
		for _, f := range n.fields {
			if err := w.step(f.node, v.Field(f.index), depth, 0); err != nil {
				return err
			}
		}
	case formMap:
		for it := v.MapRange(); it.Next(); {
			if err := w.step(n.elem, it.Value(), depth, 0); err != nil {
				return err
			}
		}
	default:
		for i := range v.Len() {
			if err := w.step(n.elem, v.Index(i), depth, 0); err != nil {
				return err
			}
		}
	}
	return nil
}
