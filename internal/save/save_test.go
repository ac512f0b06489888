package save

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// node is a dictionary, as the tests describe one.
type node struct {
	kind    string
	entries []leaf
}

type leaf struct {
	key, value string
	deadline   int64
	dict       *node
}

var header = Header{
	Codec: "cbor", KeyKind: "string", Revision: 0x1234, Saved: 1700000000123456789,
	Instance: [16]byte{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf},
}

// tree has all that a save can have.
func tree() *node {
	deep := &node{kind: "int"}
	for i := range 3 {
		deep.entries = append(deep.entries, leaf{key: strings.Repeat(string(rune('0'+i)), 8), value: fmt.Sprint(i)})
	}
	return &node{kind: "string", entries: []leaf{
		{key: "color", value: "\x65green"},
		{key: "", value: "\x01"},
		{key: "sub", dict: &node{kind: "[2]int", entries: []leaf{
			{key: "deep", dict: deep, deadline: 1},
			{key: "x", value: "\x02", deadline: -5},
		}}},
		{key: "empty", dict: &node{kind: "string"}},
		{key: "soon", value: "\xf6", deadline: 1700000000999999999},
	}}
}

func write(t testing.TB, h Header, root *node) []byte {
	var b bytes.Buffer
	w, err := NewWriter(&b, h)
	require.NoError(t, err)
	queue := []*node{root}
	for i := 0; i < len(queue); i++ {
		for _, l := range queue[i].entries {
			e := Entry{Key: []byte(l.key), Value: []byte(l.value), Deadline: l.deadline}
			if l.dict != nil {
				e.KeyKind = l.dict.kind
				queue = append(queue, l.dict)
			}
			require.NoError(t, w.Put(&e))
			if l.dict != nil {
				require.EqualValues(t, len(queue)-1, e.Nested)
			}
		}
		more, err := w.Next()
		require.NoError(t, err)
		require.Equal(t, i+1 < len(queue), more)
	}
	require.NoError(t, w.Close())
	require.ErrorIs(t, w.Put(&Entry{}), errClosed)
	require.EqualValues(t, b.Len(), w.Offset())
	return b.Bytes()
}

// read reads a save to its end.
func read(r io.Reader) (Header, *node, error) {
	s, err := NewReader(r, "file")
	if err != nil {
		return Header{}, nil, err
	}
	dicts := []*node{{kind: s.Header().KeyKind}}
	for {
		var e Entry
		if err := s.Next(&e); err != nil {
			if again := s.Next(&e); again != err {
				return s.Header(), nil, fmt.Errorf("%w, and then %w", err, again)
			}
			return s.Header(), dicts[0], err
		}
		l := leaf{key: string(e.Key), value: string(e.Value), deadline: e.Deadline}
		if e.KeyKind != "" {
			l.dict = &node{kind: e.KeyKind}
			dicts = append(dicts, l.dict)
		}
		in := dicts[e.In]
		in.entries = append(in.entries, l)
	}
}

func requireWhole(t testing.TB, file []byte, h Header, want *node) {
	got, root, err := read(bytes.NewReader(file))
	require.Equal(t, io.EOF, err)
	require.Equal(t, h, got)
	require.Equal(t, want, root)
}

func requireDamage(t testing.TB, file []byte, msg ...any) *errs.SaveError {
	_, _, err := read(bytes.NewReader(file))
	var damage *errs.SaveError
	require.ErrorAs(t, err, &damage, msg...)
	require.Equal(t, "file", damage.Path, msg...)
	require.LessOrEqual(t, damage.Offset, int64(len(file)), msg...)
	require.ErrorIs(t, err, errs.ErrCorrupt, msg...)
	var corrupt *errs.CorruptError
	require.ErrorAs(t, err, &corrupt, msg...)
	require.Equal(t, errs.CorruptError{Segment: "file", Offset: damage.Offset, Reason: damage.Reason}, *corrupt)
	return damage
}

func TestRoundTrip(t *testing.T) {
	h := header
	requireWhole(t, write(t, h, tree()), h, tree())
	h.Partial = true
	requireWhole(t, write(t, h, &node{kind: h.KeyKind}), h, &node{kind: h.KeyKind})
}

// Readers that return little at a time, and items that lie across frames.
func TestPieces(t *testing.T) {
	root := &node{kind: "string"}
	for i, n := range []int{0, 1, 23, maxFrame - 40, maxFrame, 3*maxFrame + 7, 200} {
		for j := range 20 {
			root.entries = append(root.entries, leaf{key: fmt.Sprintf("%d.%d.%s", i, j, strings.Repeat("k", i*j)), value: strings.Repeat("v", n+j)})
		}
	}
	root.entries = append(root.entries, leaf{key: strings.Repeat("k", maxKey), dict: &node{kind: "int", entries: []leaf{{key: "a", value: "b"}}}})
	file := write(t, header, root)
	for _, slow := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
		_, got, err := read(slow(bytes.NewReader(file)))
		require.Equal(t, io.EOF, err)
		require.Equal(t, root, got)
	}
	frames := frameOffsets(file)
	require.Greater(t, len(frames), 60)
	for _, at := range frames[:len(frames)-3] {
		require.EqualValues(t, maxFrame, le.Uint32(file[at+atLength:]))
	}
}

// frameOffsets are where the frames of a sound file begin, and its size.
func frameOffsets(file []byte) []int {
	offsets := []int{headerSize}
	for at := headerSize; at < len(file); {
		at += frameHead + int(le.Uint32(file[at+atLength:]))
		offsets = append(offsets, at)
	}
	return offsets
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	file := write(t, header, tree())
	frames := frameOffsets(file)
	require.Len(t, frames, 3, "a frame, the last one, and the end")
	for bit := range 8 * len(file) {
		bad := bytes.Clone(file)
		bad[bit/8] ^= 1 << (bit % 8)
		damage := requireDamage(t, bad, "bit %d", bit)
		// The piece that it lies in is named.
		piece := 0
		for _, at := range frames[:2] {
			if bit/8 >= at {
				piece = at
			}
			if bit/8 >= at+frameHead {
				piece = at + frameHead
			}
		}
		require.EqualValues(t, piece, damage.Offset, "bit %d", bit)
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	file := write(t, header, tree())
	for n := range file {
		damage := requireDamage(t, file[:n], "%d bytes", n)
		require.EqualValues(t, n, damage.Offset)
	}
	root := tree() // of several frames; at every byte would take long
	for i := range 4 {
		root.entries = append(root.entries, leaf{key: fmt.Sprint("large", i), value: strings.Repeat("v", maxFrame/2)})
	}
	file = write(t, header, root)
	at := frameOffsets(file)
	for n := range file {
		if n%997 != 0 && !slices.ContainsFunc(at, func(o int) bool { return n >= o-2 && n <= o+frameHead+2 }) {
			continue
		}
		damage := requireDamage(t, file[:n], "%d bytes", n)
		require.EqualValues(t, n, damage.Offset)
	}
	for _, more := range [][]byte{{0}, file[:headerSize], file} {
		damage := requireDamage(t, append(bytes.Clone(file), more...))
		require.EqualValues(t, len(file), damage.Offset)
	}
}

// Pieces that are whole, in the wrong place.
func TestFramesInTheWrongPlace(t *testing.T) {
	root := &node{kind: "string"}
	for i := range 40 {
		root.entries = append(root.entries, leaf{key: fmt.Sprint(i), value: strings.Repeat("v", 10_000)})
	}
	file := write(t, header, root)
	at := frameOffsets(file)
	frame := func(file []byte, i int) []byte { return file[at[i]:at[i+1]] }
	last := len(at) - 2
	build := func(order ...int) []byte {
		b := bytes.Clone(file[:headerSize])
		for _, i := range order {
			b = append(b, frame(file, i)...)
		}
		return b
	}
	all := make([]int, last+1)
	for i := range all {
		all[i] = i
	}
	require.Equal(t, file, build(all...))
	for i := range last {
		damage := requireDamage(t, build(slices.Delete(slices.Clone(all), i, i+1)...), "without frame %d", i)
		require.EqualValues(t, at[i], damage.Offset)
		damage = requireDamage(t, build(slices.Insert(slices.Clone(all), i, i)...), "frame %d twice", i)
		require.EqualValues(t, at[i+1], damage.Offset)
		swapped := slices.Clone(all)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		damage = requireDamage(t, build(swapped...), "frame %d swapped", i)
		require.EqualValues(t, at[i], damage.Offset)
	}
	// The same contents, saved a nanosecond later.
	h := header
	h.Saved++
	other := write(t, h, root)
	require.Len(t, other, len(file))
	for i := range last + 1 {
		mixed := bytes.Clone(file)
		copy(mixed[at[i]:], frame(other, i))
		damage := requireDamage(t, mixed, "frame %d of another save", i)
		require.EqualValues(t, at[i], damage.Offset)
	}
}

// forge makes a save of any payload, with checksums that are right.
func forge(payload []byte, totals Totals) []byte {
	var b bytes.Buffer
	w, _ := NewWriter(&b, header)
	w.append(payload)
	w.flush()
	w.totals.Entries, w.totals.Dicts = totals.Entries, cmp.Or(totals.Dicts, 1)
	w.now = w.totals.Dicts - 1
	_ = w.Close()
	return b.Bytes()
}

func TestForgedItems(t *testing.T) {
	for _, c := range []struct {
		what    string
		payload []byte
		totals  Totals
	}{
		{"no such item", []byte{0}, Totals{}},
		{"unknown flag", []byte{0x21, 0, 0}, Totals{Entries: 1}},
		{"flag of a dictionary", []byte{0x13, 1}, Totals{Dicts: 2}},
		{"ends within a number", []byte{1, 0x80}, Totals{Entries: 1}},
		{"ends within a key", []byte{1, 5, 'a'}, Totals{Entries: 1}},
		{"ends within a deadline", []byte{0x11, 0, 1, 2, 3}, Totals{Entries: 1}},
		{"ends within a value", []byte{1, 0, 5, 'a'}, Totals{Entries: 1}},
		{"ends before a value", []byte{1, 0}, Totals{Entries: 1}},
		{"long key", append([]byte{1, 0x80, 0x80, 4}, make([]byte, 1<<16)...), Totals{Entries: 1}},
		{"long value", []byte{1, 0, 0x81, 0x80, 0x80, 0x80, 4}, Totals{Entries: 1}},
		{"number of 65 bits", []byte{1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2}, Totals{Entries: 1}},
		{"dictionary that was not met", []byte{3, 1}, Totals{Dicts: 2}},
		{"dictionary 0 again", []byte{3, 0}, Totals{}},
		{"number of another", []byte{2, 0, 2, 1, 's'}, Totals{Entries: 1, Dicts: 2}},
		{"holds itself", []byte{2, 0, 0, 1, 's'}, Totals{Entries: 1, Dicts: 1}},
		{"no kind", []byte{2, 0, 1, 0}, Totals{Entries: 1, Dicts: 2}},
		{"long kind", append([]byte{2, 0, 1, 201, 1}, make([]byte, 201)...), Totals{Entries: 1, Dicts: 2}},
		{"entries miscounted", []byte{1, 0, 1, 1}, Totals{Entries: 2}},
		{"dictionary left out", []byte{2, 0, 1, 1, 's'}, Totals{Entries: 1, Dicts: 2}},
	} {
		t.Run(c.what, func(t *testing.T) { requireDamage(t, forge(c.payload, c.totals)) })
	}
	_, _, err := read(bytes.NewReader(forge([]byte{1, 0, 1, 1, 2, 0, 1, 1, 's', 3, 1}, Totals{Entries: 2, Dicts: 2})))
	require.Equal(t, io.EOF, err)
}

// A value that is said to be a gigabyte long costs what is there of it.
func TestAllocationsAreBoundedByTheFile(t *testing.T) {
	payload := append([]byte{1, 0, 0x80, 0x80, 0x80, 0x80, 4}, make([]byte, 100_000)...)
	file := forge(payload, Totals{Entries: 1})
	requireDamage(t, file)
	s, err := NewReader(bytes.NewReader(file), "file")
	require.NoError(t, err)
	var e Entry
	require.Error(t, s.Next(&e))
	require.LessOrEqual(t, cap(s.value), 4*len(payload))
}

func TestVersions(t *testing.T) {
	b := header.encode()
	le.PutUint32(b[atVersion:], 2)
	le.PutUint32(b[atChecksum:], headerSum(b))
	_, _, err := read(bytes.NewReader(b))
	require.ErrorIs(t, err, errs.ErrVersion)
	require.ErrorContains(t, err, "version 2")
	requireDamage(t, []byte("PK\x03\x04"+strings.Repeat("x", 1000)))
	requireDamage(t, nil)
}

func TestErrorsOfOthers(t *testing.T) {
	broken := errors.New("disk on fire")
	file := write(t, header, tree())
	for _, n := range []int{0, 100, headerSize, headerSize + 3, headerSize + 30, len(file) - 1, len(file)} {
		_, _, err := read(io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken)
		require.NotErrorIs(t, err, errs.ErrCorrupt)
		require.ErrorContains(t, err, "file")
	}
	for n := range 3 {
		w, err := NewWriter(&failing{after: n, err: broken}, header)
		for i := 0; err == nil && i < 200; i++ {
			err = w.Put(&Entry{Key: []byte{byte(i)}, Value: make([]byte, 1000)})
		}
		require.ErrorIs(t, err, broken)
		if w != nil {
			require.ErrorIs(t, w.Close(), broken)
		}
	}
}

// failing fails after some writes.
type failing struct {
	after int
	err   error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, f.err
	}
	return len(b), nil
}

func TestWriterRefuses(t *testing.T) {
	for _, h := range []Header{
		{KeyKind: "string"},
		{Codec: "cbor"},
		{Codec: strings.Repeat("x", codecSize+1), KeyKind: "string"},
		{Codec: "cbor", KeyKind: strings.Repeat("x", keyKindSize+1)},
	} {
		_, err := NewWriter(io.Discard, h)
		require.Error(t, err)
	}
	w, err := NewWriter(io.Discard, header)
	require.NoError(t, err)
	require.Error(t, w.Put(&Entry{Key: make([]byte, maxKey+1)}))
	require.NoError(t, w.Put(&Entry{KeyKind: "int"}))
	require.ErrorContains(t, w.Close(), "dictionary 0 of 2")
}

// What is written costs no memory of its own.
func TestWritingAllocatesNothing(t *testing.T) {
	w, err := NewWriter(io.Discard, header)
	require.NoError(t, err)
	e := Entry{Key: []byte("key"), Value: []byte("some value")}
	require.Zero(t, testing.AllocsPerRun(10_000, func() { _ = w.Put(&e) }))
}

func FuzzReader(f *testing.F) {
	for _, root := range []*node{tree(), {kind: "string"}} {
		f.Add(write(f, header, root))
	}
	f.Add(forge([]byte{2, 0, 1, 1, 's', 3, 1}, Totals{Entries: 1, Dicts: 2}))
	f.Fuzz(func(t *testing.T, file []byte) {
		h, root, err := read(bytes.NewReader(mended(file)))
		if err != io.EOF {
			require.Error(t, err)
			return
		}
		requireWhole(t, write(t, h, root), h, root)
	})
}

// mended gives a file the checksums that it should have, so that fuzzing gets behind
// them.
func mended(file []byte) []byte {
	b := bytes.Clone(file)
	if len(b) < headerSize {
		return b
	}
	copy(b, magic)
	le.PutUint32(b[atVersion:], version)
	if b[atCodec] == 0 {
		b[atCodec] = 'c'
	}
	if b[atKeyKind] == 0 {
		b[atKeyKind] = 's'
	}
	h := Header{}
	h.decode(b)
	copy(b, h.encode())
	begin := le.Uint32(b[atChecksum:])
	var totals Totals
	for at := headerSize; len(b)-at >= frameHead; totals.Frames++ {
		head := b[at : at+frameHead]
		n := min(int(le.Uint32(head[atLength:])), len(b)-at-frameHead)
		if n < 0 {
			break
		}
		payload := b[at+frameHead : at+frameHead+n]
		if n == endSize && le.Uint32(head[atKind:]) == kindEnd {
			le.PutUint64(payload[atFrames:], totals.Frames)
			le.PutUint64(payload[atBytes:], totals.Bytes)
			le.PutUint32(payload[atTotal:], totals.total)
		}
		le.PutUint64(head[atSequence:], totals.Frames)
		le.PutUint32(head[atSum:], sum(begin, payload))
		le.PutUint32(head[atCheck:], sum(begin, head[atCheck+4:]))
		totals.Bytes += uint64(n)
		totals.total = sum(totals.total, head[atSum:atSequence])
		at += frameHead + n
	}
	return b
}

func TestMendedSavesAreWhole(t *testing.T) {
	file := write(t, header, tree())
	require.Equal(t, file, mended(file))
}

func BenchmarkPut(b *testing.B) {
	w, err := NewWriter(io.Discard, header)
	require.NoError(b, err)
	e := Entry{Key: []byte("key-000000000"), Value: make([]byte, 100)}
	b.SetBytes(int64(len(e.Key) + len(e.Value)))
	for b.Loop() {
		_ = w.Put(&e)
	}
}

func BenchmarkNext(b *testing.B) {
	var file bytes.Buffer
	w, err := NewWriter(&file, header)
	require.NoError(b, err)
	e := Entry{Key: []byte("key-000000000"), Value: make([]byte, 100)}
	for range 100_000 {
		_ = w.Put(&e)
	}
	require.NoError(b, w.Close())
	b.SetBytes(int64(len(e.Key) + len(e.Value)))
	var s *Reader
	for b.Loop() {
		if s == nil || s.Next(&e) != nil {
			s, _ = NewReader(bytes.NewReader(file.Bytes()), "file")
		}
	}
}
