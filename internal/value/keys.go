package value

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Keys encodes and decodes the keys of one static type. Equal keys, and only
// those, have equal bytes, and bytes.Compare of two encodings is the order of
// the keys: of integers by value, of strings by byte, false before true, of
// arrays and structs by their first part that differs.
//
// The encoding is part of the format:
//
//	string alone        its bytes
//	int kinds           8 bytes, big-endian, the sign bit flipped
//	uint kinds          8 bytes, big-endian
//	bool                one byte, 0 or 1
//	array, struct       its parts one after the other, strings in them with
//	                    each 00 written as 00 FF, and 00 00 at the end
//
// A Keys is immutable and may be used from any number of goroutines. The zero
// value is of no use: call [NewKeys].
type Keys[K comparable] struct {
	t     reflect.Type
	kind  string
	form  form   // formString, formInt, formUint, formBool; formStruct for what has parts
	bits  uint8  // size of an integer K
	parts []part // of what has parts
	fixed int    // encoded bytes of all parts but the strings
	text  bool   // there are strings among the parts
}

// NewKeys returns the encoding for K, or an [*Unencodable] that says which
// part of K cannot be a key.
func NewKeys[K comparable]() (*Keys[K], error) {
	t := reflect.TypeFor[K]()
	b := keyPlanner{}
	if err := b.add(t, 0, t.String()); err != nil {
		return nil, err
	}
	if b.fixed > MaxKeyLen {
		return nil, refuse("a key of type %v has more than %d bytes encoded", t, MaxKeyLen)
	}
	k := &Keys[K]{t: t, kind: b.kind.String(), form: formStruct, parts: b.parts, fixed: b.fixed}
	if len(k.kind) > MaxKindLen {
		return nil, refuse("the description of the key type %v, %s…, has more than %d bytes", t, k.kind[:40], MaxKindLen)
	}
	switch t.Kind() {
	case reflect.Array, reflect.Struct:
		for _, p := range b.parts {
			k.text = k.text || p.form == formString
		}
	default:
		k.form, k.bits = b.parts[0].form, b.parts[0].bits
	}
	return k, nil
}

// Kind describes the encoding: "string", "int", "uint", "bool", "[2]int",
// "struct{Host string; Port uint}". All signed kinds of integers are "int",
// all unsigned ones "uint". Two types of the same kind have the same bytes for
// the same key. It has at most [MaxKindLen] bytes and is part of the format.
func (k *Keys[K]) Kind() string { return k.kind }

// IsString reports whether K is a kind of string, whose encoding is its bytes.
func (k *Keys[K]) IsString() bool { return k.form == formString }

// Check returns the error that Append would return for key, without encoding
// it: an [*Unencodable] for a string that is not valid UTF-8 or a key longer
// than [MaxKeyLen].
func (k *Keys[K]) Check(key K) error {
	switch {
	case k.form == formString:
		return checkKeyString(*asString(&key), 0)
	case k.text:
		return k.checkParts(&key)
	}
	return nil
}

// Append appends the encoding of key to dst. The error is that of Check, and
// then dst is returned as it was. It does not allocate where dst has room.
func (k *Keys[K]) Append(dst []byte, key K) ([]byte, error) {
	if err := k.Check(key); err != nil {
		return dst, err
	}
	return k.append(dst, &key), nil
}

// Decode returns the key that enc encodes. Strings in the key may share the
// memory of enc, so that must stay as it is.
//
// Bytes that no Append makes answer an error that is errs.ErrCorrupt; an
// integer beyond the range of K a *errs.TypeError.
func (k *Keys[K]) Decode(enc string) (K, error) {
	var key K
	if err := k.decode(enc, &key); err != nil {
		var none K
		return none, err
	}
	return key, nil
}

// DecodeBytes is [Keys.Decode] of a copy of raw.
func (k *Keys[K]) DecodeBytes(raw []byte) (K, error) {
	if len(raw) > MaxKeyLen {
		var none K
		return none, damaged("a key of %d bytes", len(raw))
	}
	return k.Decode(string(raw))
}

// checkKeyString checks one string of a key whose other parts have n bytes.
func checkKeyString(s string, n int) error {
	if n+len(s) > MaxKeyLen {
		return refuse("the key has %d bytes encoded, more than %d", n+len(s), MaxKeyLen)
	}
	if !utf8.ValidString(s) {
		return refuse("the key %s is not valid UTF-8", quote(s))
	}
	return nil
}

// checkStoredString checks a string that came from outside.
func checkStoredString(s string) error {
	if !utf8.ValidString(s) {
		return damaged("the key %s is not valid UTF-8", quote(s))
	}
	return nil
}

const signBit = 1 << 63

// appendPart appends the string s as a part among others.
func appendPart(dst []byte, s string) []byte {
	for {
		zero := strings.IndexByte(s, 0)
		if zero < 0 {
			break
		}
		dst = append(append(dst, s[:zero+1]...), 0xff)
		s = s[zero+1:]
	}
	return append(append(dst, s...), 0, 0)
}

// cutPart returns the string part that enc begins with, and what follows it.
func cutPart(enc string) (s, rest string, err error) {
	var unescaped []byte
	rest = enc
	for {
		zero := strings.IndexByte(rest, 0)
		if zero < 0 || zero+1 == len(rest) {
			return "", "", damaged("a key ends within a string")
		}
		switch rest[zero+1] {
		case 0:
			if unescaped == nil {
				return rest[:zero], rest[zero+2:], nil // nothing to undo: use enc itself
			}
			return string(append(unescaped, rest[:zero]...)), rest[zero+2:], nil
		case 0xff:
			unescaped = append(append(unescaped, rest[:zero]...), 0)
			rest = rest[zero+2:]
		default:
			return "", "", damaged("a key has the bytes 00 %02x in a string", rest[zero+1])
		}
	}
}

// fitsKey checks an integer against the size of its type.
func fitsKey(f form, u uint64, bits uint8) error {
	shift := 64 - bits
	if f == formInt {
		if i := int64(u); i<<shift>>shift != i {
			return misfit(fmt.Sprintf("int%d", bits), "the key is %d", i)
		}
		return nil
	}
	if u<<shift>>shift != u {
		return misfit(fmt.Sprintf("uint%d", bits), "the key is %d", u)
	}
	return nil
}
