package record_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/record"
)

func ops() []record.Op {
	return []record.Op{
		{Kind: record.Put, Key: []byte("a"), Value: []byte{1}},
		{Kind: record.Put, Key: []byte{}, Value: []byte{}},
		{Kind: record.Put, Dict: 1 << 40, Key: []byte("key"), Value: bytes.Repeat([]byte("v"), 300)},
		{Kind: record.Delete, Key: []byte("gone")},
		{Kind: record.Delete, Dict: 7, Key: []byte("gone")},
		{Kind: record.Delete, Key: []byte("old"), Expired: true},
		{Kind: record.Put, Key: []byte("n"), Value: record.AppendNested(nil, 77), Nested: true},
		{Kind: record.Put, Dict: 77, Key: []byte("t"), Value: []byte{1}, Deadline: 1 << 62},
		{Kind: record.Put, Key: []byte("bt"), InBody: true, Place: record.Place{Offset: 4096, Length: 10, Sum: 1}, Deadline: 1},
		{Kind: record.Clear},
		{Kind: record.Clear, Dict: 9},
		{Kind: record.Put, Key: []byte("big"), InBody: true, Place: record.Place{Offset: 4096, Length: 1 << 33, Sum: 0xdeadbeef}},
	}
}

func TestRoundTrip(t *testing.T) {
	var b []byte
	for _, op := range ops() {
		b = record.Append(b, &op)
	}
	for _, want := range ops() {
		var got record.Op
		var err error
		b, err = record.Next(b, &got)
		require.NoError(t, err)
		require.Equal(t, want.Kind, got.Kind)
		require.Equal(t, want.Dict, got.Dict)
		require.Equal(t, string(want.Key), string(got.Key))
		require.Equal(t, string(want.Value), string(got.Value))
		require.Equal(t, want.Place, got.Place)
		require.Equal(t, want.InBody, got.InBody)
		require.Equal(t, want.Nested, got.Nested)
		require.Equal(t, want.Expired, got.Expired)
		require.Equal(t, want.Deadline, got.Deadline)
	}
	require.Empty(t, b)
}

func TestTruncatedAndForeignBytesAreRefused(t *testing.T) {
	for _, op := range ops() {
		whole := record.Append(nil, &op)
		for n := range whole {
			var got record.Op
			_, err := record.Next(whole[:n], &got)
			require.ErrorIs(t, err, record.ErrMalformed, "%d of %d bytes of %+v", n, len(whole), op)
		}
	}
	for _, b := range [][]byte{{0}, {4}, {0x41, 0, 0}, {0x42, 0}, {0x43}, {0x83}, {0x61, 0, 0, 0, 0, 0, 0, 0}, {0xc1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0},
		{0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0}, {0x22, 0}, {0x11, 0, 0, 0}, {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}} {
		var got record.Op
		_, err := record.Next(b, &got)
		require.ErrorIs(t, err, record.ErrMalformed, "%x", b)
	}
}

func TestBodyHoldsSmallValuesInTheTableAndLargeOnesBehindIt(t *testing.T) {
	in := []record.Op{
		{Kind: record.Put, Key: []byte("small"), Value: []byte("s")},
		{Kind: record.Put, Key: []byte("large"), Value: bytes.Repeat([]byte("L"), 100_001)},
		{Kind: record.Delete, Key: []byte("x")},
		{Kind: record.Put, Key: []byte("large2"), Value: bytes.Repeat([]byte("M"), 1000)},
	}
	body := record.Layout(in)
	mem := make([]byte, body.Size())
	body.Fill(mem)
	ref, err := record.ParseRef(record.AppendRef(nil, body.Ref(77)))
	require.NoError(t, err)
	require.Equal(t, uint64(77), ref.Body)
	table := mem[record.BodyStart : record.BodyStart+ref.Table]
	require.Equal(t, ref.Sum, record.Sum(table))
	for _, want := range in {
		var op record.Op
		table, err = record.Next(table, &op)
		require.NoError(t, err)
		require.Equal(t, string(want.Key), string(op.Key))
		value := op.Value
		if op.InBody {
			value = mem[op.Place.Offset : op.Place.Offset+op.Place.Length]
			require.Equal(t, op.Place.Sum, record.Sum(value))
		}
		require.Equal(t, string(want.Value), string(value))
	}
	require.Empty(t, table)
}

func TestRefThatContradictsItselfIsRefused(t *testing.T) {
	for _, ref := range []record.Ref{{Size: 10}, {Size: 200, Table: 100}, {Size: 1 << 60, Table: 1 << 63}} {
		_, err := record.ParseRef(record.AppendRef(nil, ref))
		require.ErrorIs(t, err, record.ErrMalformed)
	}
	_, err := record.ParseRef(make([]byte, record.RefSize-1))
	require.ErrorIs(t, err, record.ErrMalformed)
}

func FuzzNext(f *testing.F) {
	for _, op := range ops() {
		f.Add(record.Append(nil, &op))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			var op, again record.Op
			rest, err := record.Next(b, &op)
			if err != nil {
				return
			}
			left, err := record.Next(record.Append(nil, &op), &again)
			require.NoError(t, err)
			require.Empty(t, left)
			require.Equal(t, op.Kind, again.Kind)
			require.Equal(t, string(op.Key), string(again.Key))
			require.Equal(t, string(op.Value), string(again.Value))
			b = rest
		}
	})
}

// FuzzRef: a reference is refused, or says the same again and names a table
// inside its file.
func FuzzRef(f *testing.F) {
	f.Add(record.AppendRef(nil, record.Layout(ops()).Ref(1<<32|7)))
	f.Add(record.AppendRef(nil, record.Ref{Size: 1<<64 - 1, Table: 1<<64 - 1}))
	f.Add(make([]byte, record.RefSize+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		ref, err := record.ParseRef(b)
		if err != nil {
			require.ErrorIs(t, err, record.ErrMalformed)
			return
		}
		require.LessOrEqual(t, ref.Table, ref.Size-record.BodyStart)
		require.Equal(t, b[:28], record.AppendRef(nil, ref)[:28])
	})
}

// FuzzBody: whatever the operations, a body holds all of them where its table
// says, and nothing of it overlaps.
func FuzzBody(f *testing.F) {
	f.Add([]byte("key"), []byte("value"), uint16(600), uint16(0), uint64(0))
	f.Add([]byte{}, []byte{}, uint16(0), uint16(5000), uint64(1<<63))
	f.Fuzz(func(t *testing.T, key, value []byte, first, second uint16, dict uint64) {
		in := []record.Op{
			{Kind: record.Put, Key: key, Value: bytes.Repeat([]byte("1"), int(first)), Dict: dict},
			{Kind: record.Clear, Dict: dict},
			{Kind: record.Put, Key: value, Value: value},
			{Kind: record.Delete, Key: key, Dict: dict},
			{Kind: record.Put, Key: key, Value: bytes.Repeat([]byte("2"), int(second))},
		}
		body := record.Layout(in)
		mem := make([]byte, body.Size())
		body.Fill(mem)
		ref, err := record.ParseRef(record.AppendRef(nil, body.Ref(1)))
		require.NoError(t, err)
		free := record.BodyStart + ref.Table
		table := mem[record.BodyStart:free]
		for _, want := range in {
			var op record.Op
			table, err = record.Next(table, &op)
			require.NoError(t, err)
			got := op.Value
			if op.InBody {
				require.GreaterOrEqual(t, op.Place.Offset, free)
				free = op.Place.Offset + op.Place.Length
				require.LessOrEqual(t, free, ref.Size)
				got = mem[op.Place.Offset:free]
			}
			require.Equal(t, string(want.Value), string(got))
			require.Equal(t, string(want.Key), string(op.Key))
			require.Equal(t, want.Dict, op.Dict)
		}
		require.Empty(t, table)
	})
}
