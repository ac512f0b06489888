package core

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/shm"
)

// sections are where the parts of the control segment begin and end.
var sections = [][2]uintptr{
	{0, shm.HeaderSize},
	{unsafe.Offsetof(control{}.identity), unsafe.Offsetof(control{}.lock)},
	{unsafe.Offsetof(control{}.lock), unsafe.Offsetof(control{}.work)},
	{unsafe.Offsetof(control{}.work), unsafe.Offsetof(control{}.peers)},
	{unsafe.Offsetof(control{}.peers), unsafe.Offsetof(control{}.stream)},
	{unsafe.Offsetof(control{}.stream), unsafe.Offsetof(control{}.snapshot)},
	{unsafe.Offsetof(control{}.snapshot), unsafe.Sizeof(control{})},
}

// typedError requires that err is one that damage may cause.
func typedError(t *testing.T, err error) {
	t.Helper()
	switch {
	case err == nil, errors.Is(err, errs.ErrCorrupt), errors.Is(err, errs.ErrVersion), errors.Is(err, errs.ErrRemoved),
		errors.Is(err, errs.ErrNoSpace), errors.Is(err, errs.ErrNotFound), errors.Is(err, errs.ErrNotExist),
		errors.Is(err, errs.ErrInvalidOption), errors.Is(err, &errs.LockError{}):
	default:
		t.Fatalf("untyped error: %T %v", err, err)
	}
}

// reseal makes the checksums of header and identity right again.
func reseal(mem []byte) {
	binary.NativeEndian.PutUint32(mem[20:], 0)
	binary.NativeEndian.PutUint32(mem[20:], crc32.Checksum(mem[:shm.HeaderSize], castagnoli))
	seal(mem)
}

// soundFiles are those of a small dictionary with layers, records and bodies.
func soundFiles(t testing.TB, dir string) map[string][]byte {
	d, err := Open("test", testConfig(dir))
	require.NoError(t, err)
	big := strings.Repeat("b", 600)
	for _, ops := range [][]record.Op{
		{putOp("a", "1"), putOp("b", big)}, {putOp("c", "3")}, nil, {clearOp(), putOp("d", "4"), putOp("e", big)}, {deleteOp("c")}, nil, {putOp("f", big)}, {putOp("g", "7")},
	} {
		if ops == nil {
			rolloverNow(t, d)
			continue
		}
		writeOp(t, d, ops...)
	}
	require.NoError(t, d.Close())
	files := map[string][]byte{}
	names, err := filepath.Glob(filepath.Join(dir, "test", "*"))
	require.NoError(t, err)
	for _, name := range names {
		files[filepath.Base(name)], err = os.ReadFile(name)
		require.NoError(t, err)
	}
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "test")))
	return files
}

// FuzzControl attaches to a control segment of which any section holds
// arbitrary bytes, reads everything and writes a little: every error is typed.
func FuzzControl(f *testing.F) {
	files := soundFiles(f, f.TempDir())
	base := memoryDir(f) // one for all runs: a worker may be killed in any of them
	for i, s := range sections {
		part := files["control"][s[0]:min(s[1], s[0]+512)]
		f.Add(uint8(i), uint16(0), part, true)
		f.Add(uint8(i), uint16(8), part[:16], false)
		f.Add(uint8(i), uint16(0), []byte("\xff\xff\xff\xff\xff\xff\xff\xff"), true)
		f.Add(uint8(i), uint16(64), []byte("\x01\x00\x00\x80\xff\xff\xff\x7f"), true)
	}
	f.Fuzz(func(t *testing.T, section uint8, offset uint16, data []byte, sealed bool) {
		dir := filepath.Join(base, "root")
		require.NoError(t, os.RemoveAll(dir))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "test"), 0o700))
		for name, content := range files {
			if name == "control" {
				content = append([]byte(nil), content...)
				s := sections[int(section)%len(sections)]
				part := content[s[0]:s[1]]
				copy(part[int(offset)%len(part):], data)
				if sealed {
					reseal(content)
				}
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, "test", name), content, 0o600))
		}
		cfg := testConfig(dir)
		cfg.Access, cfg.LockTimeout = Attach, 2*time.Millisecond
		reading := cfg
		reading.ReadOnly = true
		for _, cfg := range []Config{reading, cfg} {
			d, err := Open("test", cfg)
			typedError(t, err)
			if err != nil {
				continue
			}
			use(t, d)
			typedError(t, d.Close())
		}
		_, err := List(cfg)
		typedError(t, err)
		typedError(t, Remove("test", cfg))
	})
}

// use asks a handle for everything, and writes.
func use(t *testing.T, d *Dict) {
	for _, k := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		v, err := d.Get(at(k), reader)
		typedError(t, err)
		if err == nil {
			_, err = d.Raw(v)
			typedError(t, err)
		}
	}
	_, err := d.Len(0)
	typedError(t, err)
	_, err = d.Status()
	typedError(t, err)
	for i := range 3 {
		if d.lock == nil {
			return
		}
		_, err := d.Write(t.Context(), []record.Op{putOp("h", strings.Repeat("h", 200*i))}, nil)
		typedError(t, err)
	}
	if _, err := d.sweep(); !missed(err) {
		typedError(t, err)
	}
}

// FuzzPlace reads values from wherever in a body a layer could say they stand.
func FuzzPlace(f *testing.F) {
	d := openDict(f, testConfig(f.TempDir()))
	value := strings.Repeat("v", 5000)
	writeOp(f, d, putOp("k", value))
	v, err := d.Get(at("k"), reader)
	require.NoError(f, err)
	require.True(f, v.IsExternal())
	good, ok := parsePlace(v.Raw())
	require.True(f, ok)
	f.Add([]byte(good.encode()), true)
	f.Add([]byte(good.encode())[:27], false)
	f.Add([]byte(place{good.body, record.Place{Offset: 1<<64 - 1, Length: 2}}.encode()), true)
	f.Add([]byte(place{good.body, record.Place{Offset: 128, Length: 1<<64 - 128}}.encode()), true)
	f.Add([]byte(place{1 << 63, good.Place}.encode()), false)
	f.Fuzz(func(t *testing.T, raw []byte, here bool) {
		if here && len(raw) == placeSize {
			binary.LittleEndian.PutUint64(raw, good.body)
		}
		got, err := d.readValue(string(raw))
		if errors.Is(err, errBodyGone) {
			return // the caller says what that means
		}
		typedError(t, err)
		if p, ok := parsePlace(string(raw)); err == nil && (!ok || record.Sum([]byte(got)) != p.Sum || uint64(len(got)) != p.Length) {
			t.Fatalf("%d bytes for %+v", len(got), p)
		}
	})
}
