package value

import (
	"encoding/binary"
	"reflect"
	"unsafe"
)

// KeyBuf is the room that [Keys.View] needs for a key that is not a string.
// Longer keys are allocated.
type KeyBuf [64]byte

// View returns the encoding of *key for a look-up, without a check and, up to
// the size of a [KeyBuf], without allocating: of a string kind it is the string
// itself, otherwise it stands in *buf.
//
// The result is hidden from escape analysis, so that neither a key nor a
// buffer on the stack moves to the heap for it. It must therefore not outlive
// the two, must not be stored anywhere but in local variables, and *buf must
// not change while it is in use. What a look-up shall keep needs
// strings.Clone, or [Keys.Append].
//
// A key that Check refuses has a view too; it is merely never found.
func (k *Keys[K]) View(key *K, buf *KeyBuf) string {
	p := noescape(unsafe.Pointer(key))
	if k.form == formString {
		return *(*string)(p)
	}
	room := (*KeyBuf)(noescape(unsafe.Pointer(buf)))
	var enc []byte
	switch k.form {
	case formInt:
		binary.BigEndian.PutUint64(room[:], uint64(loadInt(p, k.t.Kind()))^signBit)
		enc = room[:8]
	case formUint:
		binary.BigEndian.PutUint64(room[:], loadUint(p, k.t.Kind()))
		enc = room[:8]
	default:
		enc = k.append(room[:0], (*K)(p))
	}
	return unsafe.String(unsafe.SliceData(enc), len(enc))
}

// noescape returns p such that the compiler does not know it for p.
func noescape(p unsafe.Pointer) unsafe.Pointer {
	x := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&x))
}

// asString returns a key of a string kind as a string.
func asString[K comparable](key *K) *string { return (*string)(unsafe.Pointer(key)) }

// append appends the encoding of *key, which Check passed or which is only
// looked up.
func (k *Keys[K]) append(dst []byte, key *K) []byte {
	p := unsafe.Pointer(key)
	switch k.form {
	case formString:
		return append(dst, *(*string)(p)...)
	case formInt:
		return binary.BigEndian.AppendUint64(dst, uint64(loadInt(p, k.t.Kind()))^signBit)
	case formUint:
		return binary.BigEndian.AppendUint64(dst, loadUint(p, k.t.Kind()))
	}
	for i := range k.parts {
		part := &k.parts[i]
		for j := range part.count {
			dst = part.append(dst, unsafe.Add(p, part.offset+uintptr(j)*part.stride))
		}
	}
	return dst
}

func (p *part) append(dst []byte, at unsafe.Pointer) []byte {
	switch p.form {
	case formString:
		return appendPart(dst, *(*string)(at))
	case formInt:
		return binary.BigEndian.AppendUint64(dst, uint64(loadInt(at, intKinds[p.bits/16]))^signBit)
	case formUint:
		return binary.BigEndian.AppendUint64(dst, loadUint(at, uintKinds[p.bits/16]))
	default:
		var b byte
		if *(*bool)(at) {
			b = 1
		}
		return append(dst, b)
	}
}

// The kinds of integers by size: 8, 16, 32 and 64 bits.
var (
	intKinds  = [5]reflect.Kind{0: reflect.Int8, 1: reflect.Int16, 2: reflect.Int32, 4: reflect.Int64}
	uintKinds = [5]reflect.Kind{0: reflect.Uint8, 1: reflect.Uint16, 2: reflect.Uint32, 4: reflect.Uint64}
)

// checkParts checks the strings among the parts of *key.
func (k *Keys[K]) checkParts(key *K) error {
	n := k.fixed
	for i := range k.parts {
		part := &k.parts[i]
		if part.form != formString {
			continue
		}
		for j := range part.count {
			s := *(*string)(unsafe.Add(unsafe.Pointer(key), part.offset+uintptr(j)*part.stride))
			if err := checkKeyString(s, n); err != nil {
				return err
			}
			n += len(s)
			for _, b := range []byte(s) {
				if b == 0 {
					n++ // written as two
				}
			}
		}
	}
	if n > MaxKeyLen {
		return refuse("the key has %d bytes encoded, more than %d", n, MaxKeyLen)
	}
	return nil
}

// decode sets *key, which is zero, to what enc encodes.
func (k *Keys[K]) decode(enc string, key *K) error {
	if len(enc) > MaxKeyLen {
		return damaged("a key of %d bytes", len(enc))
	}
	p := unsafe.Pointer(key)
	if k.form == formString {
		if err := checkStoredString(enc); err != nil {
			return err
		}
		*(*string)(p) = enc
		return nil
	}
	for i := range k.parts {
		part := &k.parts[i]
		for j := range part.count {
			rest, err := part.decode(enc, unsafe.Add(p, part.offset+uintptr(j)*part.stride))
			if err != nil {
				return err
			}
			enc = rest
		}
	}
	if enc != "" {
		return damaged("%d bytes behind the key", len(enc))
	}
	return nil
}

// decode stores the scalar that enc begins with, and returns what follows.
func (p *part) decode(enc string, at unsafe.Pointer) (rest string, err error) {
	if p.form == formString {
		s, rest, err := cutPart(enc)
		if err == nil {
			err = checkStoredString(s)
		}
		if err == nil {
			*(*string)(at) = s
		}
		return rest, err
	}
	size := p.encodedSize()
	if len(enc) < size {
		return "", damaged("a key ends %d bytes early", size-len(enc))
	}
	if p.form == formBool {
		if enc[0] > 1 {
			return "", damaged("a boolean key of %d", enc[0])
		}
		*(*bool)(at) = enc[0] == 1
		return enc[1:], nil
	}
	var word [8]byte
	copy(word[:], enc)
	u := binary.BigEndian.Uint64(word[:])
	kind := uintKinds[p.bits/16]
	if p.form == formInt {
		u, kind = u^signBit, intKinds[p.bits/16]
	}
	if err := fitsKey(p.form, u, p.bits); err != nil {
		return "", err
	}
	storeBits(at, u, kind)
	return enc[8:], nil
}
