package ultradict_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() {
	roles["typed"] = typedRole
	roles["dynamic"] = dynamicRole
}

// keysOf stores something under each key and looks at it in every way there is.
func keysOf[K comparable](t *testing.T, name string, keys ...K) {
	t.Run(name, func(t *testing.T) {
		dir := memoryDir(t)
		a, b := openMap[K, int](t, dir, ultradict.WithStreamSize(4<<10)), openMap[K, int](t, dir)
		want := map[K]int{}
		for i, k := range keys {
			has, err := b.Has(k)
			require.NoError(t, err)
			require.False(t, has)
			require.NoError(t, a.Set(k, i))
			want[k] = i
		}
		require.Len(t, want, len(keys), "they differ")
		check := func(m *ultradict.Map[K, int]) {
			t.Helper()
			for k, i := range want {
				n, err := m.Get(k)
				require.NoError(t, err)
				require.Equal(t, i, n)
				e, err := m.GetEntry(k)
				require.NoError(t, err)
				require.Equal(t, k, e.Key)
			}
			require.Equal(t, want, maps.Collect(m.All()))
		}
		check(a)
		check(b)
		for range 300 { // through layers
			require.NoError(t, a.Set(keys[0], 0))
		}
		check(a)
		check(openMap[K, int](t, dir))
		events := map[K]int{}
		for e, err := range b.Watch(t.Context(), ultradict.WithContents()) {
			require.NoError(t, err)
			if e.Kind == ultradict.EventSynced {
				break
			}
			events[e.Key] = e.Value
		}
		require.Equal(t, want, events)
		require.NoError(t, b.Update(t.Context(), func(tx *ultradict.Tx[K, int]) error {
			for _, k := range keys {
				n, err := tx.Get(k)
				require.NoError(t, err)
				require.NoError(t, tx.Set(k, n+1))
			}
			return nil
		}))
		for i, k := range keys {
			n, err := a.Add(k, 1)
			require.NoError(t, err)
			require.EqualValues(t, i+2, n)
			existed, err := a.Delete(k)
			require.NoError(t, err)
			require.True(t, existed)
		}
		n, err := b.Len()
		require.NoError(t, err)
		require.Zero(t, n)
		requireHealthy(t, dir)
	})
}

// inOrder is keysOf for keys that are given in ascending order.
func inOrder[K cmp.Ordered](t *testing.T, name string, keys ...K) {
	keysOf(t, name, keys...)
	m := openMap[K, int](t, t.TempDir())
	for i, k := range keys {
		require.NoError(t, m.Set(k, i))
	}
	first, last := keys[0], keys[len(keys)-1]
	var got []K
	for e, err := range ultradict.Range(m, first, last, 0) {
		require.NoError(t, err)
		got = append(got, e.Key)
	}
	require.Equal(t, keys[:len(keys)-1], got, name)
}

type (
	hostID   string
	grade    int8
	endpoint struct {
		Host hostID
		Port uint16
	}
	route struct {
		From, To endpoint
		Up       bool
		Levels   [2]grade
	}
)

func TestKeysOfEveryType(t *testing.T) {
	inOrder(t, "string", "", "\x00", "a", "a\x00", "a\x00b", "aa", "b", "ä", "€", "\U0010ffff")
	inOrder[hostID](t, "named string", "a", "b")
	inOrder(t, "int", math.MinInt, -1<<30, -256, -1, 0, 1, 255, 1<<30, math.MaxInt)
	inOrder[int8](t, "int8", -128, -1, 0, 1, 127)
	inOrder[int16](t, "int16", math.MinInt16, -1, 0, math.MaxInt16)
	inOrder[int32](t, "int32", math.MinInt32, -1, 0, math.MaxInt32)
	inOrder[int64](t, "int64", math.MinInt64, -1, 0, math.MaxInt64)
	inOrder[uint](t, "uint", 0, 1, math.MaxUint)
	inOrder[uint8](t, "uint8", 0, 255)
	inOrder[uint16](t, "uint16", 0, math.MaxUint16)
	inOrder[uint32](t, "uint32", 0, math.MaxUint32)
	inOrder[uint64](t, "uint64", 0, 1<<63, math.MaxUint64)
	inOrder[grade](t, "named int8", -128, 127)
	inOrder(t, "duration", -time.Hour, 0, time.Nanosecond)
	keysOf(t, "bool", false, true)
	keysOf(t, "array of bytes", [16]byte{}, [16]byte{1}, [16]byte{15: 1})
	keysOf(t, "array of strings", [2]string{}, [2]string{"a"}, [2]string{"", "a"}, [2]string{"a\x00", ""}, [2]string{"a", "\x00"})
	keysOf(t, "array of arrays", [2][2]int8{}, [2][2]int8{{-1}}, [2][2]int8{{}, {0, 127}})
	keysOf(t, "struct", endpoint{}, endpoint{"h", 0}, endpoint{"", 1}, endpoint{"h", 65535})
	keysOf(t, "nested struct", route{}, route{Up: true}, route{From: endpoint{"a", 1}}, route{To: endpoint{"a", 1}}, route{Levels: [2]grade{-1, 0}}, route{Levels: [2]grade{0, -1}})
	keysOf(t, "empty struct", struct{}{})
	keysOf(t, "empty array", [0]int{})
}

// A key that another process stored and that is none for this handle's type.
func TestKeysBeyondTheType(t *testing.T) {
	dir := t.TempDir()
	wide, narrow := openMap[int64, string](t, dir), openMap[int8, string](t, dir)
	require.NoError(t, wide.Set(-5, "fits"))
	v, err := narrow.Get(-5)
	require.NoError(t, err)
	require.Equal(t, "fits", v)
	require.NoError(t, wide.Set(300, "does not"))
	misfit := func(err error) {
		t.Helper()
		var te *ultradict.TypeError
		require.ErrorAs(t, err, &te)
		require.ErrorContains(t, err, "300")
		require.Equal(t, "int8", te.Want)
	}
	var last error
	for e, err := range narrow.Entries() {
		require.NotEqual(t, "does not", e.Value)
		last = err
	}
	misfit(last)
	misfit(narrow.View(func(v *ultradict.View[int8, string]) error {
		for range v.All() {
		}
		return nil
	}))
	misfit(narrow.Update(t.Context(), func(tx *ultradict.Tx[int8, string]) error {
		for range tx.All() {
		}
		return nil
	}))
	for _, err := range ultradict.Range(narrow, math.MinInt8, math.MaxInt8, 0) {
		last = err
	}
	misfit(last)
	for _, err := range narrow.Watch(t.Context(), ultradict.WithContents()) {
		last = err
	}
	misfit(last)
	v, err = narrow.Get(-5)
	require.NoError(t, err, "others can be read all the same")
	require.Equal(t, "fits", v)
}

// misread stores something, and reads it in every way as a V, which it is not.
func misread[V any](t *testing.T, stored ...any) {
	t.Helper()
	for _, s := range stored {
		dir := memoryDir(t)
		d, m := open(t, dir), openMap[string, V](t, dir)
		require.NoError(t, d.Set("k", s))
		everyRead(t, m, "k", func(err error, call string) {
			t.Helper()
			var te *ultradict.TypeError
			require.ErrorAs(t, err, &te, "%T as %v: %s", s, reflect.TypeFor[V](), call)
			require.Equal(t, "k", te.Key, call)
			require.Equal(t, reflect.TypeFor[V]().String(), te.Want, call)
			require.NotEmpty(t, te.Reason, call)
		})
	}
}

// What is stored and is no V is an error that names the key, whoever asks, and never a
// zero.
func TestValuesOfAnotherType(t *testing.T) {
	long := strings.Repeat("long", 300_000) // in a body
	misread[int](t, nil, "1", 1.0, true, uint64(math.MaxUint64), []any{1}, map[string]any{}, []byte{1}, long)
	misread[int8](t, 128, -129)
	misread[uint8](t, 256, -1)
	misread[float64](t, int64(1<<53+1), nil, "1")
	misread[float32](t, 0.1)
	misread[bool](t, 0, nil, "true")
	misread[string](t, 1, nil, []byte("b"))
	misread[[]byte](t, "text", 1)
	misread[time.Time](t, "2026-01-02T03:04:05Z", 0)
	misread[[]int](t, map[string]any{}, []any{nil}, []any{1.5}, long)
	misread[[2]int](t, []int{1}, []int{1, 2, 3}, nil)
	misread[map[string]int](t, []any{}, map[string]any{"a": nil}, map[string]any{"a": "b"})
	misread[map[int]int](t, map[string]int{"1": 1})
	misread[server](t, nil, 1, []any{}, map[string]any{"Addr": nil}, map[string]any{"Port": 70_000}, map[string]any{"Addr": long, "Port": "80"},
		map[string]any{"up": map[string]any{"Port": -1}}, map[string]any{"Since": "now"}, map[string]any{"ID": nil}, map[string]any{"labels": map[string]any{"a": 1}})
	misread[*server](t, 1, map[string]any{"Port": nil})
	misread[netip.Addr](t, nil, "127.0.0.1", []byte{1})
	misread[big.Int](t, nil, 1.5)
	misread[map[string]any](t, 1, "a")
	misread[[]any](t, map[string]any{})
}

type base struct{ ID int32 }

type Health struct {
	Checks []string
	Last   *time.Time
}

// server has everything that a struct may have.
type server struct {
	base
	*Health
	Addr   string
	Port   uint16
	Weight float32
	Labels map[string]string `json:"labels,omitempty"`
	ByCode map[int8][]bool   `cbor:"byCode"`
	Since  time.Time
	Key    []byte
	Sum    [4]byte
	Matrix [2][]int
	Backup *server `cbor:"up,omitempty" json:"backup"`
	Any    any
	Mood   grade
	Hidden string `json:"-"`
	secret int
}

var (
	moment  = time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC)
	servers = map[string]server{
		"full": {
			base: base{-7}, Health: &Health{[]string{"a", ""}, &moment}, Addr: "10.0.0.1", Port: 65535, Weight: 0.1,
			Labels: map[string]string{"a": "b", "": ""}, Since: moment, Key: []byte{0, 255}, Sum: [4]byte{1, 2, 3, 4},
			Matrix: [2][]int{{1, -2}, nil}, Backup: &server{Addr: "backup", Key: []byte{}}, Any: map[string]any{"n": int64(1), "l": []any{uint64(math.MaxUint64), nil}}, Mood: -128,
		},
		"empty":   {},
		"empties": {Labels: nil, Key: []byte{}, Matrix: [2][]int{{}, {}}, Health: &Health{}},
	}
	// dynamicServers is what a handle of dynamic values sees of them.
	dynamicServers = map[string]any{
		"full": map[string]any{
			"ID": int64(-7), "Checks": []any{"a", ""}, "Last": moment, "Addr": "10.0.0.1", "Port": int64(65535), "Weight": float64(float32(0.1)),
			"labels": map[string]any{"a": "b", "": ""}, "byCode": nil, "Since": moment, "Key": []byte{0, 255}, "Sum": []byte{1, 2, 3, 4},
			"Matrix": []any{[]any{int64(1), int64(-2)}, nil}, "Any": map[string]any{"n": int64(1), "l": []any{uint64(math.MaxUint64), nil}}, "Mood": int64(-128),
			"up": map[string]any{
				"ID": int64(0), "Addr": "backup", "Port": int64(0), "Weight": 0.0, "byCode": nil, "Since": nil, "Key": []byte{}, "Sum": []byte{0, 0, 0, 0},
				"Matrix": []any{nil, nil}, "Any": nil, "Mood": int64(0),
			},
		},
		"empty": map[string]any{
			"ID": int64(0), "Addr": "", "Port": int64(0), "Weight": 0.0, "byCode": nil, "Since": nil, "Key": nil, "Sum": []byte{0, 0, 0, 0},
			"Matrix": []any{nil, nil}, "Any": nil, "Mood": int64(0),
		},
		"empties": map[string]any{
			"ID": int64(0), "Checks": nil, "Last": nil, "Addr": "", "Port": int64(0), "Weight": 0.0, "byCode": nil, "Since": nil, "Key": []byte{}, "Sum": []byte{0, 0, 0, 0},
			"Matrix": []any{[]any{}, []any{}}, "Any": nil, "Mood": int64(0),
		},
	}
	// written is what a dynamic handle writes, and what it is as a server.
	written = map[string]any{
		"few fields":   map[string]any{"Addr": "x"},
		"more fields":  map[string]any{"Addr": "x", "addr": 5, "Unknown": map[string]any{"deep": []any{nil}}, "secret": 1, "Hidden": 2, "backup": 3},
		"other types":  map[string]any{"ID": uint8(3), "Port": uint64(80), "Weight": 1, "Key": []int{1, 2}, "Sum": []byte{9, 8, 7, 6}, "Matrix": [2]any{nil, []int16{1}}},
		"nils":         map[string]any{"up": nil, "labels": nil, "Since": nil, "Last": nil, "Key": nil, "Any": nil, "byCode": nil, "Checks": nil},
		"from structs": struct{ Addr, Other string }{"y", "z"},
		"time zone":    map[string]any{"Since": moment.In(time.FixedZone("", 3600))},
	}
	writtenServers = map[string]server{
		"few fields":   {Addr: "x"},
		"more fields":  {Addr: "x"},
		"other types":  {base: base{3}, Port: 80, Weight: 1, Key: []byte{1, 2}, Sum: [4]byte{9, 8, 7, 6}, Matrix: [2][]int{nil, {1}}},
		"nils":         {Health: &Health{}},
		"from structs": {Addr: "y"},
		"time zone":    {Since: moment},
	}
)

// The same dictionary, typed in one process and dynamic in another: both agree about
// what is there, in both directions.
func TestTypedAndDynamicProcesses(t *testing.T) {
	dir := memoryDir(t)
	typed, dynamic := proctest.Start(t, "typed", dir), proctest.Start(t, "dynamic", dir)
	for _, p := range []*proctest.Proc{typed, dynamic} { // each writes
		require.Equal(t, "written", p.Line())
	}
	for _, p := range []*proctest.Proc{typed, dynamic} { // and reads what the other wrote
		p.Send("read")
		require.Equal(t, "as expected", p.Line())
		require.NoError(t, p.Wait())
	}
	requireHealthy(t, dir)
}

func typedRole(args []string) error {
	m, err := ultradict.OpenMap[string, server]("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	for k, s := range servers {
		s.secret, s.Hidden = 5, "not stored"
		if err := m.Set(k, s); err != nil {
			return err
		}
	}
	proctest.Say("written")
	proctest.Receive()
	err = agrees(m, servers)
	return errors.Join(err, agrees(m, writtenServers), m.Close(), said(err))
}

func dynamicRole(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	for k, v := range written {
		if err := d.Set(k, v); err != nil {
			return err
		}
	}
	proctest.Say("written")
	proctest.Receive()
	err = agrees(d, dynamicServers)
	return errors.Join(err, d.Close(), said(err))
}

func said(err error) error {
	if err == nil {
		proctest.Say("as expected")
	}
	return nil
}

// agrees compares what a map has with what is wanted, read in every way.
func agrees[V any](m *ultradict.Map[string, V], want map[string]V) error {
	differ := func(how, k string, got V) error {
		if reflect.DeepEqual(got, want[k]) {
			return nil
		}
		return fmt.Errorf("%s of %q:\n%#v, not\n%#v", how, k, got, want[k])
	}
	for k := range want {
		for range 2 {
			v, err := m.Get(k)
			if err = cmp.Or(err, differ("Get", k, v)); err != nil {
				return err
			}
		}
		e, err := m.GetEntry(k)
		if err = cmp.Or(err, differ("GetEntry", k, e.Value)); err != nil {
			return err
		}
	}
	seen := 0
	for e, err := range m.Entries() {
		if err != nil {
			return err
		}
		if _, ok := want[e.Key]; ok {
			if err := differ("Entries", e.Key, e.Value); err != nil {
				return err
			}
			seen++
		}
	}
	if seen != len(want) {
		return fmt.Errorf("%d of %d entries", seen, len(want))
	}
	return nil
}

// What a typed handle gives to somebody is his own, or not at all changed by him: pointers,
// maps and slices in it are never those of the replica or of what was given to Set.
func TestTypedValuesAreNotShared(t *testing.T) {
	m := openMap[string, *server](t, t.TempDir())
	mine := &server{Key: []byte("key"), Labels: map[string]string{"a": "b"}, Backup: &server{Addr: "x"}}
	require.NoError(t, m.Set("k", mine))
	spoil := func(s *server) {
		s.Key[0], s.Labels["a"], s.Backup.Addr, s.Port = 'X', "spoiled", "spoiled", 9
	}
	spoil(mine)
	for range 2 {
		e, err := m.GetEntry("k")
		require.NoError(t, err)
		spoil(e.Value)
		for _, v := range m.All() {
			spoil(v)
		}
		require.NoError(t, m.Update(t.Context(), func(tx *ultradict.Tx[string, *server]) error {
			v, err := tx.Get("k")
			require.NoError(t, err)
			spoil(v)
			return nil
		}))
		v, err := m.Get("k")
		require.NoError(t, err)
		require.Equal(t, &server{Key: []byte("key"), Labels: map[string]string{"a": "b"}, Backup: &server{Addr: "x"}}, v)
	}
	require.NoError(t, m.Set("nil", nil))
	v, err := m.Get("nil")
	require.NoError(t, err)
	require.Nil(t, v)
}
