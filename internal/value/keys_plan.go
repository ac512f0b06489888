package value

import (
	"fmt"
	"reflect"
	"strings"
)

// part is one scalar of a key, or as many of them in a row as an array has.
type part struct {
	form   form    // formString, formInt, formUint or formBool
	bits   uint8   // size of an integer
	offset uintptr // in K
	stride uintptr // between one and the next
	count  int
}

// encodedSize is how many bytes one scalar has; of a string, how many it has
// besides its own.
func (p part) encodedSize() int {
	switch p.form {
	case formBool:
		return 1
	case formString:
		return 2
	default:
		return 8
	}
}

// keyPlanner takes a key type apart, in memory order, which is the order in
// which Go compares.
type keyPlanner struct {
	kind  strings.Builder
	parts []part
	fixed int
}

// add appends t, which stands at offset of the key and is named path.
func (b *keyPlanner) add(t reflect.Type, offset uintptr, path string) error {
	p := part{offset: offset, stride: t.Size(), count: 1}
	switch t.Kind() {
	case reflect.String:
		p.form = formString
		b.kind.WriteString("string")
	case reflect.Bool:
		p.form = formBool
		b.kind.WriteString("bool")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.form, p.bits = formInt, uint8(t.Bits())
		b.kind.WriteString("int")
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.form, p.bits = formUint, uint8(t.Bits())
		b.kind.WriteString("uint")
	case reflect.Array:
		return b.array(t, offset, path)
	case reflect.Struct:
		return b.structure(t, offset, path)
	default:
		return refuse("%s: a key cannot be or contain a %v: only strings, integers, booleans, and arrays and structs of these can", path, t)
	}
	b.fixed += p.encodedSize()
	b.parts = append(b.parts, p)
	return nil
}

func (b *keyPlanner) array(t reflect.Type, offset uintptr, path string) error {
	fmt.Fprintf(&b.kind, "[%d]", t.Len())
	// One element says what all are.
	one := keyPlanner{}
	if err := one.add(t.Elem(), 0, path+"[]"); err != nil {
		return err
	}
	b.kind.WriteString(one.kind.String())
	// Not by a product, which could overflow; and elements of no size are few.
	if t.Len() > MaxKeyLen || one.fixed > 0 && t.Len() > MaxKeyLen/one.fixed {
		return refuse("%s: %v has more than %d bytes encoded", path, t, MaxKeyLen)
	}
	b.fixed += one.fixed * t.Len()
	size := t.Elem().Size()
	if len(one.parts) == 1 && one.parts[0].count == 1 {
		p := one.parts[0]
		p.offset, p.stride, p.count = p.offset+offset, size, t.Len()
		b.parts = append(b.parts, p)
		return nil
	}
	for i := range t.Len() {
		for _, p := range one.parts {
			p.offset += offset + uintptr(i)*size
			b.parts = append(b.parts, p)
		}
	}
	return nil
}

func (b *keyPlanner) structure(t reflect.Type, offset uintptr, path string) error {
	b.kind.WriteString("struct{")
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			return refuse("%s.%s: all fields of a key must be exported: one that is not stored would make different keys equal", path, f.Name)
		}
		if i > 0 {
			b.kind.WriteString("; ")
		}
		b.kind.WriteString(f.Name + " ")
		if err := b.add(f.Type, offset+f.Offset, path+"."+f.Name); err != nil {
			return err
		}
	}
	b.kind.WriteString("}")
	return nil
}
