package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/save"
	"github.com/ultradict/go/internal/savefile"
	"github.com/ultradict/go/snapshot"
)

// source is a save that is being restored. It is read twice: at first only to verify
// it, so that nothing is built from a file that is damaged.
type source struct {
	path  string
	open  func() (*os.File, error)
	codec string // what the save must have
	o     *SaveOptions
	now   int64 // the time, for entries that expire
	goOn  func() error

	header  save.Header
	entries int // that are wanted, as of the last pass
	bytes   int // of their keys and values
	size    int64
	passed  int64 // bytes of the passes before
}

// verify reads the whole save and says what is wrong with it.
func (s *source) verify() error {
	return s.pass(func(key, value []byte) error { return nil })
}

// each verifies the save once more and calls put for each entry that is wanted. Key and
// value are good for the call only. Before it returns nil nothing of it counts.
func (s *source) each(put func(key, value []byte) error) error { return s.pass(put) }

func (s *source) pass(put func(key, value []byte) error) error {
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

func (s *source) entry(e *save.Entry, at int64, put func(key, value []byte) error) error {
	if e.In == 0 && e.KeyKind == "" && e.Deadline != 0 && e.Deadline <= s.now {
		return nil // its time is up
	}
	if e.KeyKind != "" || e.In != 0 || e.Deadline != 0 {
		return fmt.Errorf("save %s holds dictionaries, or entries that expire: %w", s.path, errs.ErrVersion)
	}
	if s.o.CheckKey != nil {
		if err := s.o.CheckKey(e.Key); err != nil {
			return &errs.SaveError{Path: s.path, Offset: at, Reason: fmt.Sprintf("a key is no key of the kind %q: %v", s.o.KeyKind, err)}
		}
	}
	if !s.o.wants(view(e.Key)) {
		return nil
	}
	s.entries++
	s.bytes += len(e.Key) + len(e.Value)
	return put(e.Key, e.Value)
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
	ops, err := d.restoring(ctx, dict, path, &o)
	many := len(ops) > overlaySlots
	if err == nil && len(ops) > 0 {
		_, err = d.Write(ctx, ops, nil)
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
func (d *Dict) restoring(ctx context.Context, dict uint64, path string, o *SaveOptions) ([]record.Op, error) {
	s := &source{
		path: path, open: func() (*os.File, error) { return savefile.Open(path) },
		codec: text(d.id.codec[:]), o: o, now: now(), goOn: d.saveable(ctx),
	}
	if err := s.verify(); err != nil {
		return nil, err
	}
	ops := make([]record.Op, 0, s.entries+1)
	if !o.partial() && !s.header.Partial {
		ops = append(ops, record.Op{Kind: record.Clear, Dict: dict})
	}
	kept := make(arena, 0, s.bytes)
	found := map[string]bool{} // of those that were asked for
	err := s.each(func(key, value []byte) error {
		ops = append(ops, record.Op{Kind: record.Put, Dict: dict, Key: kept.keep(key), Value: kept.keep(value)})
		if o.partial() {
			found[view(ops[len(ops)-1].Key)] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if o.partial() && !s.header.Partial {
		return d.absent(dict, ops, found, o)
	}
	return ops, nil
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
	kept := make(arena, 0, s.bytes)
	err = s.each(func(key, value []byte) error {
		return builder.Add(snapshot.Entry{Key: view(kept.keep(key)), Value: kept.keep(value), Revision: end, Created: end})
	})
	if err == nil && builder.Len() > 0 {
		builder.SetHeader(snapshot.Header{Live: uint64(builder.Len())})
		err = d.listSave(b, builder, end, s.goOn)
	}
	if err == nil {
		d.control.work.saving.begun.Store(s.header.Saved)
		d.control.work.saving.saved.Store(end)
	}
	return err
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
