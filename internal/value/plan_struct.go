package value

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// structure reads the fields of a struct and their tags, "cbor" before
// "json", as the library does.
func (b planner) structure(n *node) {
	n.form = formStruct
	t := n.t
	if blank, ok := t.FieldByName("_"); ok {
		if _, opts, _ := strings.Cut(blank.Tag.Get("cbor"), ","); option(opts, "toarray") {
			n.loose = true
		}
	}
	names := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("cbor")
		if tag == "" {
			tag = f.Tag.Get("json")
		}
		if tag == "-" || !f.IsExported() && !embedsStruct(f) {
			n.own |= hasInexact // it is lost
			continue
		}
		name, opts, _ := strings.Cut(tag, ",")
		promoted := name == "" && embedsStruct(f)
		if promoted {
			n.loose = true
			n.own |= hasInexact // of two fields of one name both may be lost
			if f.Type.Kind() == reflect.Pointer && !f.IsExported() {
				n.unpaired = fmt.Sprintf("embedded field %s is a pointer to an unexported struct, which cannot be made again", f.Name)
			}
		} else if !f.IsExported() {
			n.refused = fmt.Sprintf("embedded field %s is unexported but has a name of its own", f.Name)
		}
		if name == "" {
			name = f.Name
		}
		if option(opts, "keyasint") {
			n.loose = true
		}
		if option(opts, "omitempty") || option(opts, "omitzero") {
			n.own |= hasInexact // −0.0, and what calls itself zero
		}
		if names[name] && !promoted {
			n.refused = fmt.Sprintf("two fields have the name %q", name)
		}
		if !utf8.ValidString(name) {
			n.refused = fmt.Sprintf("the field name %q is not valid UTF-8", name)
		}
		names[name] = !promoted || names[name]
		n.fields = append(n.fields, field{name: name, index: i, node: b.node(f.Type)})
	}
	if len(n.fields) == 0 && t.NumField() > 0 {
		n.refused = fmt.Sprintf("nothing of a %v could be stored: it has no exported fields", t)
	}
}

// embedsStruct reports whether the fields of f's type are promoted.
func embedsStruct(f reflect.StructField) bool {
	t := f.Type
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return f.Anonymous && t.Kind() == reflect.Struct
}

func option(opts, name string) bool {
	for o := range strings.SplitSeq(opts, ",") {
		if o == name {
			return true
		}
	}
	return false
}

// find returns the field of the given name. Fields arrive in the order in
// which they were written, so the search begins at the one expected.
func (n *node) find(name []byte, expected int) (int, bool) {
	for i := range n.fields {
		at := expected + i
		if at >= len(n.fields) {
			at -= len(n.fields)
		}
		if n.fields[at].name == string(name) {
			return at, true
		}
	}
	return 0, false
}
