package value

import (
	"math/big"
	"reflect"
)

// normalise puts right, in place, the integers above math.MaxInt64 that the
// library left as big.Int in the anys of v: they become uint64. v is settable
// and of the type of n. It is only called when there are any.
func normalise(n *node, v reflect.Value) {
	if n.has&hasAny == 0 {
		return
	}
	switch n.form {
	case formAny:
		if !v.IsNil() {
			v.Set(reflect.ValueOf(normalAny(v.Interface())))
		}
	case formPointer:
		if !v.IsNil() {
			normalise(n.elem, v.Elem())
		}
	case formList, formArray:
		for i := range v.Len() {
			normalise(n.elem, v.Index(i))
		}
	case formMap:
		elem := reflect.New(n.t.Elem()).Elem()
		for _, k := range v.MapKeys() {
			elem.Set(v.MapIndex(k))
			normalise(n.elem, elem)
			v.SetMapIndex(k, elem)
		}
	case formStruct:
		for _, f := range n.fields {
			normalise(f.node, v.Field(f.index))
		}
	}
}

// normalAny does the same for what the library put in an any, and never
// returns nil for what is not.
func normalAny(v any) any {
	switch x := v.(type) {
	case big.Int:
		return x.Uint64()
	case []any:
		for i := range x {
			x[i] = normalAny(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = normalAny(x[k])
		}
	}
	return v
}
