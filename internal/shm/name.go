package shm

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ultradict/go/internal/errs"
)

// Kind says what a segment is for. It stands in the header and, as a word, in
// the file's name.
type Kind uint32

// The kinds of segments.
const (
	Control Kind = 1 // part of the format
	Stream  Kind = 2 // part of the format
	Layer   Kind = 3 // part of the format
	Body    Kind = 4 // part of the format
)

// kindWords are the words of file names; part of the format.
var kindWords = [...]string{Control: "control", Stream: "stream", Layer: "layer", Body: "body"}

func (k Kind) valid() bool { return k >= Control && k <= Body }

// String returns the word that stands for the kind in file names.
func (k Kind) String() string {
	if !k.valid() {
		return "kind(" + strconv.FormatUint(uint64(k), 10) + ")"
	}
	return kindWords[k]
}

// ID is the random identity of one instance of a dictionary. Every segment of
// the instance carries it. The zero ID is nobody's.
type ID [16]byte

// NewID returns a fresh random ID.
func NewID() (id ID) {
	_, _ = rand.Read(id[:]) // never fails, by its contract
	return id
}

// ParseID is the inverse of [ID.String].
func ParseID(s string) (id ID, err error) {
	if len(s) != 2*len(id) || strings.ToLower(s) != s {
		return ID{}, fmt.Errorf("parse instance id %q: not 32 lower-case hex digits", s)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("parse instance id %q: %w", s, err)
	}
	return id, nil
}

// String returns the ID as 32 lower-case hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is the zero ID.
func (id ID) IsZero() bool { return id == ID{} }

// Name names a segment within its instance's directory: what it is, which
// participant made it, and that participant's own count. Participants' ids are
// never reused, so neither are names; and a sweep can tell from the name alone
// whose leftover a file is. There is one control segment, so its Creator and
// Seq are zero in a Name.
type Name struct {
	Kind         Kind
	Creator, Seq uint32
}

// NameOf returns the name whose [Name.ID64] is id64.
func NameOf(kind Kind, id64 uint64) Name {
	return Name{Kind: kind, Creator: uint32(id64 >> 32), Seq: uint32(id64)}
}

// ID64 returns creator<<32 | seq, the form in which shared words name segments.
func (n Name) ID64() uint64 { return uint64(n.Creator)<<32 | uint64(n.Seq) }

// String returns the file name; part of the format.
func (n Name) String() string {
	if n.Kind == Control {
		return "control"
	}
	return fmt.Sprintf("%s-%08x-%08x", n.Kind, n.Creator, n.Seq)
}

// ParseName is the inverse of [Name.String]. It accepts exactly what String
// returns for a valid kind.
func ParseName(s string) (Name, error) {
	if s == "control" {
		return Name{Kind: Control}, nil
	}
	word, rest, _ := strings.Cut(s, "-")
	creator, seq, _ := strings.Cut(rest, "-")
	for kind := Stream; kind <= Body; kind++ {
		if kindWords[kind] != word || len(creator) != 8 || len(seq) != 8 {
			continue
		}
		c, cerr := strconv.ParseUint(creator, 16, 32)
		q, qerr := strconv.ParseUint(seq, 16, 32)
		if n := (Name{kind, uint32(c), uint32(q)}); cerr == nil && qerr == nil && n.String() == s {
			return n, nil
		}
	}
	return Name{}, fmt.Errorf("parse segment name %q: not one of ours", s)
}

// maxName leaves room for the dots and the ID of an unpublished directory
// within the 255 bytes of a file name.
const maxName = 200

// CheckName returns nil if name can be the name of a dictionary, otherwise an
// error that matches [errs.ErrInvalidName] and gives the reason.
func CheckName(name string) error {
	var why string
	switch {
	case name == "":
		why = "it is empty"
	case len(name) > maxName:
		why = fmt.Sprintf("it is longer than %d bytes", maxName)
		name = name[:32] + "…"
	case name[0] == '.':
		why = "it begins with a dot"
	case strings.Contains(name, "/"):
		why = "it contains a slash"
	case !utf8.ValidString(name):
		why = "it is not valid UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl): // NUL among them
		why = "it contains a control character"
	default:
		return nil
	}
	return fmt.Errorf("%w: %q: %s", errs.ErrInvalidName, name, why)
}

// dotted returns the name of an instance's directory while it is made and
// while it is removed.
func dotted(name string, id ID) string { return "." + name + "." + id.String() }

// isDotted reports whether dotted can have returned entry. A root may be a
// directory that holds other things too: nothing else is ever swept.
func isDotted(entry string) bool {
	i := strings.LastIndexByte(entry, '.')
	if i < 2 || entry[0] != '.' {
		return false
	}
	_, err := ParseID(entry[i+1:])
	return err == nil && CheckName(entry[1:i]) == nil
}
