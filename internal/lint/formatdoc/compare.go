package formatdoc

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// A Field is a piece of the format that is not a field of a Go structure.
type Field struct {
	Name   string
	Offset uint64 // in bytes
	Size   uint64 // in bytes
}

// Struct fails the test unless the table with that name says of the structure
// v, which is only looked at for its type, what Go says of it.
func Struct(t testing.TB, name string, v any) {
	t.Helper()
	want, size := fieldsOf(v)
	compare(t, name, size, want)
}

// Fields fails the test unless the table with that name has exactly these
// fields, and size bytes in all.
func Fields(t testing.TB, name string, size uint64, fields ...Field) {
	t.Helper()
	want := make([]row, len(fields))
	for i, f := range fields {
		want[i] = row{field: f.Name, offset: f.Offset, size: f.Size}
	}
	compare(t, name, size, want)
}

// Contains fails the test unless the document has the text, which is what a
// dump of real bytes must be now.
func Contains(t testing.TB, text string) {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(doc, text) {
		t.Errorf("docs/FORMAT.md does not contain\n%s", text)
	}
}

func compare(t testing.TB, name string, size uint64, want []row) {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	said, err := parse(doc, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range said.differences(size, want) {
		t.Error(difference)
	}
}

// differences says how a table differs from what it should be.
func (t *table) differences(size uint64, want []row) (found []string) {
	say := func(format string, args ...any) {
		found = append(found, fmt.Sprintf("docs/FORMAT.md, %s: ", t.name)+fmt.Sprintf(format, args...))
	}
	if t.size != size {
		say("%d bytes, in the code %d", t.size, size)
	}
	rows := map[string]row{}
	for _, r := range t.rows {
		if r.field != "" {
			rows[r.field] = r
		}
	}
	for _, w := range want {
		r, ok := rows[w.field]
		delete(rows, w.field)
		switch {
		case !ok:
			say("field %s is missing", w.field)
		case r.offset != w.offset || r.size != w.size:
			say("%s has %d bytes at %d, in the code %d at %d", w.field, r.size, r.offset, w.size, w.offset)
		case w.access != "" && !allowed(w.access, r.access):
			say("%s is said to be accessed %q, in the code it is %s", w.field, r.access, w.access)
		}
	}
	for name := range rows {
		say("the code has no field %s", name)
	}
	return found
}

// allowed reports whether the document may use a word for what Go says.
func allowed(code, said string) bool {
	if code == "atomic" {
		return said == "atomic" || said == "CAS"
	}
	return code == said
}

// fieldsOf lists the fields of a structure that have a name.
func fieldsOf(v any) (fields []row, size uint64) {
	typ := reflect.TypeOf(v)
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Name == "_" {
			continue
		}
		fields = append(fields, row{f.Name, uint64(f.Offset), uint64(f.Type.Size()), accessOf(f.Type)})
	}
	return fields, uint64(typ.Size())
}

// accessOf says how the code can access a field of the type: "section" stands
// for structures with a table of their own.
func accessOf(typ reflect.Type) string {
	for typ.Kind() == reflect.Array {
		typ = typ.Elem()
	}
	switch {
	case typ.PkgPath() == "sync/atomic":
		return "atomic"
	case typ.Kind() == reflect.Struct:
		return "section"
	}
	return "plain"
}
