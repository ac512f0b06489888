package ultradict

import (
	"fmt"
	"math"
	"reflect"
)

// As gives what a call on a [Dict] returned the type T:
//
//	n, err := ultradict.As[int](d.Get("n"))
//
// Numbers are converted where they fit exactly, named types to and from their
// underlying ones. An err that is given comes back. What does not fit is a
// *[TypeError]; As never panics.
func As[T any](v any, err error) (T, error) {
	var zero T
	if err != nil {
		return zero, err
	}
	if t, ok := v.(T); ok {
		return t, nil
	}
	want := reflect.TypeFor[T]()
	misfit := func(reason string) (T, error) {
		return zero, &TypeError{Want: want.String(), Reason: reason}
	}
	if v == nil {
		switch want.Kind() {
		case reflect.Interface, reflect.Pointer, reflect.Map, reflect.Slice:
			return zero, nil
		}
		return misfit("it is nil")
	}
	from := reflect.ValueOf(v)
	out := reflect.New(want).Elem()
	switch {
	case out.CanInt() || out.CanUint() || out.CanFloat():
		if !number(from, out) {
			return misfit(fmt.Sprintf("%v of type %T does not fit", v, v))
		}
	case from.Kind() == want.Kind() && from.Type().ConvertibleTo(want) &&
		(want.Kind() == reflect.String || want.Kind() == reflect.Bool || want.Kind() == reflect.Slice || want.Kind() == reflect.Map):
		out.Set(from.Convert(want))
	default:
		return misfit(fmt.Sprintf("it is %T", v))
	}
	return out.Interface().(T), nil
}

// number sets out, which is a number, to from, if that is one and fits exactly.
func number(from, out reflect.Value) bool {
	switch {
	case out.CanInt():
		switch {
		case from.CanInt():
			out.SetInt(from.Int())
			return out.Int() == from.Int()
		case from.CanUint() && from.Uint() <= math.MaxInt64:
			out.SetInt(int64(from.Uint()))
			return out.Int() == int64(from.Uint())
		case from.CanFloat():
			f := from.Float()
			if f != math.Trunc(f) || f < -(1<<63) || f >= 1<<63 {
				return false
			}
			out.SetInt(int64(f))
			return out.Int() == int64(f)
		}
	case out.CanUint():
		switch {
		case from.CanInt() && from.Int() >= 0:
			out.SetUint(uint64(from.Int()))
			return out.Uint() == uint64(from.Int())
		case from.CanUint():
			out.SetUint(from.Uint())
			return out.Uint() == from.Uint()
		case from.CanFloat():
			f := from.Float()
			if f != math.Trunc(f) || f < 0 || f >= 1<<64 {
				return false
			}
			out.SetUint(uint64(f))
			return out.Uint() == uint64(f)
		}
	case out.CanFloat():
		switch {
		case from.CanInt():
			f := float64(from.Int())
			out.SetFloat(f)
			return f < 1<<63 && int64(f) == from.Int() && out.Float() == f
		case from.CanUint():
			f := float64(from.Uint())
			out.SetFloat(f)
			return f < 1<<64 && uint64(f) == from.Uint() && out.Float() == f
		case from.CanFloat():
			f := from.Float()
			out.SetFloat(f)
			return out.Float() == f || f != f
		}
	}
	return false
}
