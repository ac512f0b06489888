package ultradict

import (
	"encoding"
	"encoding/json"
	"reflect"
)

func isAny(t reflect.Type) bool { return t.Kind() == reflect.Interface && t.NumMethod() == 0 }

// saysItself reports whether encoding/json calls methods of t, which see to what is in it.
func saysItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		p.Implements(reflect.TypeFor[encoding.TextMarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// anyTypes says of types whether there may be an any in them that encoding/json would
// come to. It is for one goroutine.
type anyTypes map[reflect.Type]bool

// in reports whether there may be one in a t.
func (a anyTypes) in(t reflect.Type) bool {
	holds, known := a[t]
	if !known {
		holds = holdsAny(t, map[reflect.Type]bool{})
		a[t] = holds
	}
	return holds
}

func holdsAny(t reflect.Type, seen map[reflect.Type]bool) bool {
	if isAny(t) {
		return true
	}
	if seen[t] || saysItself(t) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return holdsAny(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); (f.IsExported() || f.Anonymous) && holdsAny(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// each replaces each any in v, which can be set and is a tree without cycles, by what fn
// makes of it.
func (a anyTypes) each(v reflect.Value, fn func(any) (any, error)) error {
	t := v.Type()
	if isAny(t) {
		if v.IsNil() || !v.CanSet() {
			return nil
		}
		x, err := fn(v.Interface())
		if err == nil {
			v.Set(reflect.ValueOf(x))
		}
		return err
	}
	if !a.in(t) {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return a.each(v.Elem(), fn)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := a.each(v.Index(i), fn); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			elem := reflect.New(t.Elem()).Elem()
			elem.Set(v.MapIndex(k))
			if err := a.each(elem, fn); err != nil {
				return err
			}
			v.SetMapIndex(k, elem)
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() || f.Anonymous {
				if err := a.each(v.Field(i), fn); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
