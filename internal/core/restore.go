package core

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ultradict/go/internal/clock"
	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/save"
	"github.com/ultradict/go/internal/savefile"
	"github.com/ultradict/go/internal/value"
	"github.com/ultradict/go/snapshot"
)

// source is a save that is being restored. It is read twice: at first only to verify
// it, so that nothing is built from a file that is damaged.
type source struct {
	path  string
	open  func() (*os.File, error)
	codec string // what the save must have
	o     *SaveOptions
	wall  int64 // see clock.Wall
	goOn  func() error

	header  save.Header
	kinds   []string        // of the keys of the dictionaries, by their numbers
	without map[uint64]bool // those that are not wanted
	entries int             // that are wanted, as of the last pass
	bytes   int             // of their keys and values
	size    int64
	passed  int64 // bytes of the passes before
}

// verify reads the whole save and says what is wrong with it.
func (s *source) verify() error {
	return s.pass(func(*save.Entry) error { return nil })
}

// each verifies the save once more and calls put for each entry that is wanted, with its
// deadline as the machine's monotonic clock has it. Key and value are good for the call
// only. Before it returns nil nothing of it counts.
func (s *source) each(put func(e *save.Entry) error) error { return s.pass(put) }

func (s *source) pass(put func(e *save.Entry) error) error {
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	s.size = info.Size()
	r, err := save.NewReader(f, s.path)
	if err != nil {
		return err
	}
	if err := s.agree(r.Header()); err != nil {
		return err
	}
	s.entries, s.bytes = 0, 0
	s.kinds, s.without = []string{s.o.KeyKind}, map[uint64]bool{}
	looked := int64(0)
	var e save.Entry
	for n := 1; ; n++ {
		err := r.Next(&e)
		if err == io.EOF {
			break
		}
		if err == nil {
			err = s.entry(&e, r.At(), put)
		}
		if err == nil && (n%lookEntries == 0 || r.Offset()-looked >= lookBytes) {
			looked = r.Offset()
			err = s.look(looked)
		}
		if err != nil {
			return err
		}
	}
	s.passed += r.Offset()
	return s.look(0)
}

// agree checks that the save is one of such a dictionary.
func (s *source) agree(h save.Header) error {
	s.header = h
	if h.Codec != s.codec {
		return &errs.SaveMismatchError{Path: s.path, What: "codec", Saved: h.Codec, Want: s.codec}
	}
	if h.KeyKind != s.o.KeyKind {
		return &errs.SaveMismatchError{Path: s.path, What: "key kind", Saved: h.KeyKind, Want: s.o.KeyKind}
	}
	return nil
}

func (s *source) entry(e *save.Entry, at int64, put func(e *save.Entry) error) error {
	wanted := !s.without[e.In] && (e.In > 0 || s.o.wants(view(e.Key)))
	kind := s.kinds[e.In]
	if e.KeyKind != "" {
		s.kinds = append(s.kinds, e.KeyKind)
		if !wanted {
			s.without[e.Nested] = true
		}
		if kind != StringKeys || e.Deadline != 0 {
			return &errs.SaveError{Path: s.path, Offset: at, Reason: fmt.Sprintf("a dictionary that expires, or hangs from one with keys of the kind %q", kind)}
		}
	}
	check := s.o.CheckKey
	if e.In > 0 {
		if check = nil; kind == StringKeys {
			check = checkString
		}
	}
	if check != nil {
		if err := check(e.Key); err != nil {
			return &errs.SaveError{Path: s.path, Offset: at, Reason: fmt.Sprintf("a key is no key of the kind %q: %v", kind, err)}
		}
	}
	if !wanted {
		return nil
	}
	if e.Deadline != 0 {
		if e.Deadline -= s.wall; e.Deadline <= clock.Now() {
			return nil // its time is up
		}
	}
	s.entries++
	s.bytes += len(e.Key) + len(e.Value) + deadlineSize
	return put(e)
}

// checkString says what is wrong with a string key.
func checkString(enc []byte) error {
	keys, err := value.NewKeys[string]()
	if err == nil {
		_, err = keys.DecodeBytes(enc)
	}
	return err
}

func (s *source) look(offset int64) error {
	if err := s.goOn(); err != nil {
		return err
	}
	if s.o.Progress != nil {
		done := s.passed + offset
		return s.o.Progress(done, max(done, 2*s.size))
	}
	return nil
}

// arena keeps many small pieces of bytes as few large ones.
type arena []byte

// room makes room for n bytes in one piece.
func (a *arena) room(n int) {
	if n > cap(*a)-len(*a) {
		*a = make([]byte, 0, max(n, min(2*cap(*a), 1<<20), 4<<10))
	}
}

func (a *arena) keep(b []byte) []byte {
	a.room(len(b))
	at := len(*a)
	*a = append(*a, b...)
	return (*a)[at:len(*a):len(*a)]
}

// Restore makes a dictionary, or what is selected of it, what it is in a file, by one
// commit.
func (d *Dict) Restore(ctx context.Context, dict uint64, path string, o SaveOptions) error {
	if err := d.writable(); err != nil {
		return err
	}
	ops, births, err := d.restoring(ctx, dict, path, &o)
	many := len(ops) > overlaySlots
	if err == nil && len(ops) > 0 {
		_, err = d.write(ctx, ops, births, nil)
	}
	if err != nil {
		return d.unrestored(err)
	}
	if many {
		// One record of the stream, which everybody who comes would have to apply. What
		// becomes of this is nobody's concern: the next rollover does it otherwise.
		_ = d.foldUpTo(ctx, d.str.Head())
		d.start(&d.merger)
		d.start(&d.tidier)
	}
	return nil
}

// unrestored wraps an error. What is wrong with the file is none of the dictionary's
// damage.
func (d *Dict) unrestored(err error) error {
	var damage *errs.SaveError
	if errors.As(err, &damage) {
		return fmt.Errorf("restore %q: %w", d.name, err)
	}
	return d.wrap("restore", err)
}

// restoring returns the operations by which a dictionary becomes what it is in a file.
func (d *Dict) restoring(ctx context.Context, dict uint64, path string, o *SaveOptions) ([]record.Op, map[uint64]birth, error) {
	s := &source{
		path: path, open: func() (*os.File, error) { return savefile.Open(path) },
		codec: text(d.id.codec[:]), o: o, wall: clock.Wall(), goOn: d.saveable(ctx),
	}
	if err := s.verify(); err != nil {
		return nil, nil, err
	}
	ops := make([]record.Op, 0, s.entries+1)
	if !o.partial() && !s.header.Partial {
		ops = append(ops, record.Op{Kind: record.Clear, Dict: dict})
	}
	kept := make(arena, 0, s.bytes)
	found := map[string]bool{} // of those that were asked for
	births := map[uint64]birth{}
	ids := map[uint64]uint64{0: dict} // by the numbers of the save
	err := s.each(func(e *save.Entry) error {
		op := record.Op{Kind: record.Put, Dict: ids[e.In], Key: kept.keep(e.Key), Deadline: e.Deadline}
		if e.KeyKind == "" {
			op.Value = kept.keep(e.Value)
		} else {
			id, err := d.number()
			if err != nil {
				return err
			}
			ids[e.Nested] = id
			births[id] = birth{op.Dict, view(op.Key), e.KeyKind}
			op.Nested, op.Value = true, record.AppendNested(nil, id)
		}
		ops = append(ops, op)
		if o.partial() && e.In == 0 {
			found[view(op.Key)] = true
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if o.partial() && !s.header.Partial {
		ops, err = d.absent(dict, ops, found, o)
	}
	return ops, births, err
}

// absent adds the deletion of what was asked for and is not in the save, which has
// everything.
func (d *Dict) absent(dict uint64, ops []record.Op, found map[string]bool, o *SaveOptions) ([]record.Op, error) {
	drop := func(key string) {
		if !found[key] {
			found[key] = true
			ops = append(ops, record.Op{Kind: record.Delete, Dict: dict, Key: []byte(strings.Clone(key))})
		}
	}
	for _, key := range o.Keys {
		drop(key)
	}
	if len(o.Prefixes) == 0 {
		return ops, nil
	}
	v, err := d.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	err = v.Each(dict, func(key string, _ *replica.Version) bool {
		if o.wants(key) {
			drop(key)
		}
		return true
	})
	return ops, err
}

// settleSave puts a save into an instance that nobody sees yet, as a layer, so that it costs
// those who open it no more than any other.
func (d *Dict) settleSave(s *source) error {
	ctx := context.Background()
	end, err := d.Write(ctx, []record.Op{{Kind: record.Clear}}, nil) // a position, for the layer to end at
	if err != nil {
		return err
	}
	b, err := d.openBase()
	if err != nil {
		return err
	}
	builder := snapshot.NewBuilder(b.position, end)
	l := &settler{d: d, builder: builder, kept: make(arena, 0, s.bytes), end: end, live: map[uint64]uint64{}, nodes: map[uint64]*node{0: {}}}
	if err = s.each(l.add); err == nil {
		err = l.finish()
	}
	if err == nil && builder.Len() > 0 {
		err = d.listSave(b, builder, end, s.goOn)
	}
	if err == nil {
		d.control.work.saving.begun.Store(s.header.Saved)
		d.control.work.saving.saved.Store(end)
	}
	return err
}

// settler puts the entries of a save into a layer.
type settler struct {
	d       *Dict
	builder *snapshot.Builder
	kept    arena
	end     uint64            // revision of everything
	live    map[uint64]uint64 // entries of each dictionary
	nodes   map[uint64]*node  // of the dictionaries, the root's as well
	timed   bool
}

// settled is the number that dictionary n of a save gets in an instance of its own.
func settled(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	return FirstNested - 1 + n
}

func (l *settler) add(e *save.Entry) error {
	entry := snapshot.Entry{Dict: settled(e.In), Key: view(l.kept.keep(e.Key)), Revision: l.end, Created: l.end}
	l.kept.room(deadlineSize + len(e.Value))
	switch at := len(l.kept); {
	case e.KeyKind != "":
		id := settled(e.Nested)
		l.nodes[entry.Dict].children++
		l.nodes[id] = &node{parent: entry.Dict, kind: e.KeyKind, key: entry.Key}
		entry.Marks, entry.Value = markNested, record.AppendNested(nil, id)
	case e.Deadline != 0:
		l.timed = true
		l.kept = binary.LittleEndian.AppendUint64(l.kept, uint64(e.Deadline))
		l.kept = append(l.kept, e.Value...)
		entry.Marks, entry.Value = markExpiring, l.kept[at:len(l.kept):len(l.kept)]
	default:
		entry.Value = l.kept.keep(e.Value)
	}
	l.live[entry.Dict]++
	return l.builder.Add(entry)
}

// finish adds what is said of the dictionaries, and raises the flags that tell of them.
func (l *settler) finish() error {
	work := &l.d.control.work
	if len(l.nodes) > 1 {
		for id, n := range l.nodes {
			var key [nodeKeySize]byte
			k := nodeKey(id, &key)
			l.live[Dictionaries]++
			if err := l.builder.Add(snapshot.Entry{Dict: Dictionaries, Key: k.Str, Value: n.encode(), Revision: l.end, Created: l.end}); err != nil {
				return err
			}
		}
		work.numbers.Store(uint64(len(l.nodes) - 1))
		work.structure.Store(l.end)
	}
	if l.timed {
		work.timed.Store(1)
	}
	for dict, n := range l.live {
		l.builder.SetHeader(snapshot.Header{Dict: dict, Live: n})
	}
	return nil
}

// listSave publishes the layer.
func (d *Dict) listSave(b *base, builder *snapshot.Builder, end uint64, goOn func() error) error {
	name, listed, err := d.buildLayer(builder, goOn)
	if err != nil {
		return err
	}
	listed.From, listed.To, listed.Live = b.position, end, uint64(builder.Len())
	if err := d.push(b.list, listed, name); err != nil {
		d.discard(name)
		return err
	}
	return nil
}

// CheckSave verifies a save, and returns what it says of itself.
func CheckSave(path string) (save.Header, save.Totals, int64, error) {
	f, err := savefile.Open(path)
	if err != nil {
		return save.Header{}, save.Totals{}, 0, err
	}
	defer f.Close()
	r, err := save.NewReader(f, path)
	if err != nil {
		return save.Header{}, save.Totals{}, 0, err
	}
	var e save.Entry
	for err == nil {
		err = r.Next(&e)
	}
	if err != io.EOF {
		return save.Header{}, save.Totals{}, 0, err
	}
	return r.Header(), r.Totals(), r.Offset(), nil
}
