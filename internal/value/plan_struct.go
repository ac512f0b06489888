package value

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// tag is what the tag of a struct field says, "cbor" before "json", as the library
// reads it.
type tag struct {
	name  string // "" for the field's own
	skip  bool   // it is not stored
	omit  bool   // it is left out where it is empty, or zero
	asInt bool   // the name is a number, and written as one
}

func tagOf(f reflect.StructField) tag {
	text := f.Tag.Get("cbor")
	if text == "" {
		text = f.Tag.Get("json")
	}
	name, opts, _ := strings.Cut(text, ",")
	return tag{name, text == "-", option(opts, "omitempty") || option(opts, "omitzero"), option(opts, "keyasint")}
}

func option(opts, name string) bool {
	for o := range strings.SplitSeq(opts, ",") {
		if o == name {
			return true
		}
	}
	return false
}

// stored reports whether a field is, by itself or by what it embeds.
func stored(f reflect.StructField) bool {
	return !tagOf(f).skip && (f.IsExported() || embedsStruct(f))
}

// structure reads the fields of a struct.
func (b planner) structure(n *node) {
	n.form = formStruct
	t := n.t
	if blank, ok := t.FieldByName("_"); ok {
		_, opts, _ := strings.Cut(blank.Tag.Get("cbor"), ",")
		n.listed = option(opts, "toarray")
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := tagOf(f)
		if !stored(f) {
			n.own |= hasInexact // it is lost
			continue
		}
		child := b.node(f.Type)
		switch promoted := tag.name == "" && embedsStruct(f); {
		case promoted:
			n.own |= hasInexact // a field of it may be hidden by another
			if f.Type.Kind() == reflect.Pointer && !f.IsExported() {
				n.unpaired = fmt.Sprintf("embedded field %s is a pointer to an unexported struct, which cannot be made again", f.Name)
			}
			if e := b.node(pointedTo(f.Type)); e.form != formStruct && e.refused == "" {
				n.refused = fmt.Sprintf("nothing of the embedded field %s would be stored, for want of a name: give it one by a tag", f.Name)
			}
		case !f.IsExported():
			n.refused = fmt.Sprintf("embedded field %s is unexported but has a name of its own", f.Name)
		}
		if tag.omit {
			n.own |= hasInexact // −0.0, and what calls itself zero
		}
		n.fields = append(n.fields, field{index: i, node: child})
	}
	if len(n.fields) == 0 && t.NumField() > 0 {
		n.refused = fmt.Sprintf("nothing of a %v could be stored: it has no exported fields", t)
	}
	n.shown = b.shown(n)
}

// pointedTo is t, or what it is a pointer to.
func pointedTo(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// embedsStruct reports whether the fields of f's type are promoted.
func embedsStruct(f reflect.StructField) bool {
	return f.Anonymous && pointedTo(f.Type).Kind() == reflect.Struct
}

// shown is a field that is written under a name, its own or one that is promoted.
type shown struct {
	head  string // the name or key as Append writes it
	name  string
	key   int64 // in place of the name, if asInt
	asInt bool
	path  []int // to it, from the struct
	node  *node
}

// shown returns the fields that are written for a struct, in that order. They are its
// own and those of the structs that it embeds, of which one nearer to it hides others
// of the same name. Where two are equally near, Go codecs write neither; here it is
// refused.
func (b planner) shown(n *node) []shown {
	type embedded struct {
		t    reflect.Type
		path []int
	}
	var all []shown
	visited := map[reflect.Type]bool{}
	for level := []embedded{{t: n.t}}; len(level) > 0; {
		var next []embedded
		for i, e := range level {
			if slices.ContainsFunc(level[:i], func(o embedded) bool { return o.t == e.t }) {
				n.refused = fmt.Sprintf("it embeds %v twice, of which neither would be stored", e.t)
			}
			if visited[e.t] {
				continue // what is nearer hides it
			}
			visited[e.t] = true
			for i := range e.t.NumField() {
				f := e.t.Field(i)
				if !stored(f) {
					continue
				}
				tag := tagOf(f)
				path := append(slices.Clone(e.path), i)
				if tag.name == "" && embedsStruct(f) {
					next = append(next, embedded{pointedTo(f.Type), path})
					continue
				}
				s := shown{name: cmp.Or(tag.name, f.Name), asInt: tag.asInt, path: path, node: b.node(f.Type)}
				if s.asInt {
					key, err := strconv.Atoi(s.name)
					if err != nil {
						n.refused = fmt.Sprintf("the field name %q is no number, but tagged keyasint", s.name)
					}
					s.key, s.name = int64(key), strconv.Itoa(key)
				}
				if !utf8.ValidString(s.name) {
					n.refused = fmt.Sprintf("the field name %q is not valid UTF-8", s.name)
				}
				if i := slices.IndexFunc(all, func(o shown) bool { return o.name == s.name && o.asInt == s.asInt }); i < 0 {
					all = append(all, s)
				} else if len(all[i].path) == len(path) {
					n.refused = fmt.Sprintf("two fields have the name %q", s.name)
				}
			}
		}
		level = next
	}
	slices.SortFunc(all, func(a, b shown) int { return slices.Compare(a.path, b.path) })
	for i := range all {
		s := &all[i]
		if s.asInt {
			s.head = string(AppendInt(nil, s.key))
		} else {
			s.head = string(append(appendHead(nil, majorText, uint64(len(s.name))), s.name...))
		}
	}
	return all
}

// find returns the field that a map key is the name of. Fields arrive in the order in
// which they were written, so the search begins at the one expected.
func (n *node) find(key []byte, expected int) (int, bool) {
	if expected < len(n.shown) && n.shown[expected].head == string(key) {
		return expected, true
	}
	h := readHead(key)
	kind, bits, isInt := h.number()
	isInt = isInt && kind == Int
	if h.major != majorText && !isInt {
		return 0, false
	}
	for i := range n.shown {
		at := expected + i
		if at >= len(n.shown) {
			at -= len(n.shown)
		}
		s := &n.shown[at]
		if s.asInt == isInt && (isInt && s.key == int64(bits) || !isInt && s.name == string(key[h.size:])) {
			return at, true
		}
	}
	return 0, false
}
