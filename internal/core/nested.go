package core

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
)

// Nested dictionaries, see docs/decisions/0015-nested-dictionaries.md. A key holds the
// number of a dictionary, whose entries stand in the same stream and layers. A further
// dictionary, which no handle has, lists the living ones:
//
//	root          {"jobs": ▶ 16, "n": 5}
//	16            {"done": ▶ 17, "open": 3}
//	17            {}
//	Dictionaries  {0: 1 below, 16: hangs from 0 at "jobs", 1 below, 17: from 16 at "done"}
//
// Whoever hangs one up or frees it changes both in one record, a structural one. A
// dictionary never moves, and its number is higher than that of the one it hangs from.

// Dictionaries is the hidden dictionary that lists the living nested ones, and
// FirstNested the lowest number that a nested one may have; part of the format.
const (
	Dictionaries uint64 = 1
	FirstNested  uint64 = 16
)

// Numbers that no dictionary has, for handles of nested ones that are of no use.
const (
	ClosedDict  uint64 = math.MaxUint64 - 1 // it is closed
	ForeignDict uint64 = math.MaxUint64 - 2 // its keys are strings, and those of the dictionary are not
)

// StringKeys is the kind of keys of a dictionary that others can hang from.
const StringKeys = "string"

// node is what Dictionaries says of a dictionary. That of the root only counts.
type node struct {
	parent   uint64 // from which it hangs
	children uint64 // dictionaries that hang from it
	kind     string // of its keys
	key      string // of the parent, under which it hangs; encoded
}

func (n *node) encode() []byte {
	b := binary.AppendUvarint(nil, n.parent)
	b = binary.AppendUvarint(b, n.children)
	b = binary.AppendUvarint(b, uint64(len(n.kind)))
	return append(append(b, n.kind...), n.key...)
}

// parseNode decodes what is said of dictionary id. Since a dictionary hangs from one with
// a lower number, or from the root, whoever follows parents, however damaged they are,
// gets there.
func parseNode(id uint64, raw string) (n node, ok bool) {
	b := bytesOf(raw)
	var length uint64
	for _, field := range []*uint64{&n.parent, &n.children, &length} {
		v, size := binary.Uvarint(b)
		if size <= 0 {
			return node{}, false
		}
		*field, b = v, b[size:]
	}
	if length > uint64(len(b)) {
		return node{}, false
	}
	n.kind, n.key = view(b[:length]), view(b[length:])
	return n, n.parent == 0 || FirstNested <= n.parent && n.parent < id
}

const nodeKeySize = 8

// nodeKey is the key of a dictionary in Dictionaries. It lives as long as *room.
func nodeKey(id uint64, room *[nodeKeySize]byte) replica.Key {
	binary.LittleEndian.PutUint64(room[:], id)
	return replica.Key{Dict: Dictionaries, Str: view(room[:])}
}

// nodeAt is what is known of a dictionary in a state as of position p; listed is false
// where it does not exist.
func (d *Dict) nodeAt(s *replica.State, id, p uint64) (n node, listed bool, err error) {
	var room [nodeKeySize]byte
	v, err := d.stored(s, nodeKey(id, &room), p)
	switch {
	case errors.Is(err, errs.ErrNotFound):
		return node{}, false, nil
	case err != nil:
		return node{}, false, err
	}
	if n, listed = parseNode(id, v.Raw()); !listed || v.IsExternal() {
		return node{}, false, d.wrap("read", &errs.CorruptError{Segment: "layer", Reason: fmt.Sprintf("what is said of dictionary %d", id)})
	}
	return n, true, nil
}

func (v *View) node(id uint64) (n node, listed bool, err error) {
	n, listed, err = v.d.nodeAt(v.state, id, v.position)
	if err == errBehind {
		err = v.lost()
	}
	return n, listed, err
}

// goneDict is the error of whoever uses a nested dictionary that is not listed.
func (d *Dict) goneDict(id uint64) error {
	switch id {
	case ClosedDict:
		return fmt.Errorf("use a nested dictionary of %q: its handle is closed: %w", d.name, errs.ErrClosed)
	case ForeignDict:
		return fmt.Errorf("use a nested dictionary of %q: its keys are no strings, open it by Nested: %w", d.name, errs.ErrInvalidOption)
	}
	return fmt.Errorf("use a nested dictionary of %q: it was deleted or overwritten: %w", d.name, errs.ErrRemoved)
}

// Living returns the error of whoever uses a dictionary that does not exist any more.
func (d *Dict) Living(id uint64) error {
	if id < FirstNested {
		return nil
	}
	s, err := d.Sync()
	for err == nil {
		_, listed, e := d.nodeAt(s, id, s.Applied())
		switch {
		case e == errBehind:
			s, err = d.state()
		case e != nil:
			return e
		case !listed:
			return d.goneDict(id)
		default:
			return nil
		}
	}
	return err
}

// Living is [Dict.Living] as of the view.
func (v *View) Living(id uint64) error {
	if id < FirstNested {
		return nil
	}
	_, listed, err := v.node(id)
	if err == nil && !listed {
		err = v.d.goneDict(id)
	}
	return err
}

// Kind is the kind of a dictionary's keys as of the view.
func (v *View) Kind(id uint64) (string, error) {
	if id == 0 {
		return v.d.cfg.KeyKind, nil
	}
	n, listed, err := v.node(id)
	if err == nil && !listed {
		err = v.d.goneDict(id)
	}
	return n.kind, err
}

// Kind is the kind of a nested dictionary's keys.
func (d *Dict) Kind(id uint64) (string, error) {
	v, err := d.View()
	if err != nil {
		return "", err
	}
	defer v.Close()
	return v.Kind(id)
}

// Nested is the number of the dictionary that hangs from another at the end of a path;
// [errs.ErrNotFound] where there is none.
func (v *View) Nested(from uint64, path []string, kind string) (uint64, error) {
	for i, name := range path {
		ver, err := v.Version(replica.Key{Dict: from, Str: name})
		if err != nil {
			return 0, err
		}
		if from, err = v.d.nestedIn(ver, path[:i+1]); err != nil {
			return 0, err
		}
		is, err := v.Kind(from)
		if err != nil {
			return 0, err
		}
		if err := v.d.kinds(is, path[:i+1], len(path), kind); err != nil {
			return 0, err
		}
	}
	return from, nil
}

// nestedIn is the number of the dictionary that a version is.
func (d *Dict) nestedIn(v *replica.Version, path []string) (uint64, error) {
	if !v.IsNested() {
		return 0, d.noDictionary(path)
	}
	id, ok := record.ParseNested([]byte(v.Raw()))
	if !ok {
		return 0, d.wrap("read", &errs.CorruptError{Segment: "layer", Reason: "malformed number of a dictionary"})
	}
	return id, nil
}

func (d *Dict) noDictionary(path []string) error {
	return fmt.Errorf("path %q of %q: %w", path, d.name,
		&errs.TypeError{Key: path[len(path)-1], Want: "a nested dictionary", Reason: "it is another value"})
}

// kinds checks the kind of the keys of a dictionary on a path of so many steps: below
// the last, others hang by strings.
func (d *Dict) kinds(is string, path []string, steps int, kind string) error {
	if len(path) < steps {
		kind = StringKeys
	}
	if is != kind {
		return fmt.Errorf("path %q of %q: its keys are of kind %q, not %q: %w", path, d.name, is, kind, errs.ErrInvalidOption)
	}
	return nil
}
