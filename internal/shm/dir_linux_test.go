package shm

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// plant writes a file into an instance behind the package's back.
func plant(t testing.TB, d *Dir, name Name, content []byte, size int64) string {
	t.Helper()
	path := filepath.Join(d.Path(), name.String())
	require.NoError(t, os.RemoveAll(path))
	require.NoError(t, os.WriteFile(path, content, 0o600))
	if size >= 0 {
		require.NoError(t, os.Truncate(path, size))
	}
	return path
}

// reopened is an instance whose Dir has the path that it says.
func reopened(t testing.TB) (*Root, *Dir, ID) {
	t.Helper()
	r, _, id := tempInstance(t)
	d, err := r.Open("dict")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return r, d, id
}

func TestOpenSegment(t *testing.T) {
	_, d, id := reopened(t)
	name := Name{Stream, 3, 4}
	made := newSegmentIn(t, d, Stream, 3, 4, 5000, id)
	require.Equal(t, name, made.Name())
	require.True(t, made.Writable())
	require.Nil(t, made.File())

	rw, err := d.Open(name, id, true, true)
	require.NoError(t, err)
	defer rw.Close()
	ro, err := d.Open(name, ID{}, false, false)
	require.NoError(t, err)
	defer ro.Close()
	require.Len(t, ro.Bytes(), 5000)
	require.Equal(t, id, ro.Instance())
	require.EqualValues(t, 3, ro.Header().Creator)
	require.EqualValues(t, 5000, ro.Header().Size)
	require.False(t, ro.Writable())
	require.Nil(t, ro.File())
	rw.Bytes()[4999] = 9
	require.EqualValues(t, 9, ro.Bytes()[4999])
	require.EqualValues(t, 9, made.Bytes()[4999])

	st, err := rw.File().Stat()
	require.NoError(t, err)
	require.EqualValues(t, 5000, st.Size())
	flags, _, e := syscall.Syscall(syscall.SYS_FCNTL, rw.File().Fd(), syscall.F_GETFD, 0)
	require.Zero(t, e)
	require.NotZero(t, flags&syscall.FD_CLOEXEC)

	_, err = d.Open(Name{Stream, 3, 5}, id, false, false)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = d.Open(name, NewID(), false, false)
	require.ErrorIs(t, err, errs.ErrCorrupt)
	_, err = d.Open(Name{Kind: 9}, id, false, false)
	require.ErrorIs(t, err, fs.ErrInvalid)

	control, err := d.Open(Name{Control, 7, 7}, ID{}, false, false)
	require.NoError(t, err, "there is one control segment, whoever made it")
	require.Equal(t, Name{Kind: Control}, control.Name())
	require.NoError(t, control.Close())
}

func TestOpenHostileFiles(t *testing.T) {
	_, d, id := reopened(t)
	name := Name{Stream, 1, 1}
	path := filepath.Join(d.Path(), name.String())
	good := newHeader(Stream, 1, 1, id, 4096)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	require.NoError(t, os.WriteFile(elsewhere, good.bytes(), 0o600))
	require.NoError(t, os.Truncate(elsewhere, 4096))
	sameDir := filepath.Join(filepath.Dir(d.Path()), "twin")

	corrupt, permission := errs.ErrCorrupt, fs.ErrPermission
	for _, c := range []struct {
		what  string
		plant func()
		want  error // nil = accepted
	}{
		{"as it should be", func() { plant(t, d, name, good.bytes(), 4096) }, nil},
		{"empty", func() { plant(t, d, name, nil, -1) }, corrupt},
		{"one byte", func() { plant(t, d, name, []byte("U"), -1) }, corrupt},
		{"63 bytes", func() { plant(t, d, name, good.bytes()[:63], -1) }, corrupt},
		{"cut behind the header", func() { plant(t, d, name, good.bytes(), 64) }, corrupt},
		{"one byte short", func() { plant(t, d, name, good.bytes(), 4095) }, corrupt},
		{"one byte long", func() { plant(t, d, name, good.bytes(), 4097) }, corrupt},
		{"all zero", func() { plant(t, d, name, nil, 4096) }, corrupt},
		{"sparse and huge", func() { plant(t, d, name, good.bytes(), 1<<40) }, corrupt},
		{"another kind's name", func() {
			h := newHeader(Layer, 1, 1, id, 4096)
			plant(t, d, name, h.bytes(), 4096)
		}, corrupt},
		{"another number's name", func() {
			h := newHeader(Stream, 1, 2, id, 4096)
			plant(t, d, name, h.bytes(), 4096)
		}, corrupt},
		{"another instance's", func() {
			h := newHeader(Stream, 1, 1, NewID(), 4096)
			plant(t, d, name, h.bytes(), 4096)
		}, corrupt},
		{"symbolic link", func() { require.NoError(t, os.Symlink(elsewhere, path)) }, corrupt},
		{"dangling link", func() { require.NoError(t, os.Symlink("/nonexistent", path)) }, corrupt},
		{"link to itself", func() { require.NoError(t, os.Symlink(path, path)) }, corrupt},
		{"hard link", func() {
			plant(t, d, name, good.bytes(), 4096)
			require.NoError(t, os.Link(path, sameDir))
		}, corrupt},
		{"FIFO", func() { require.NoError(t, syscall.Mkfifo(path, 0o600)) }, corrupt},
		{"directory", func() { require.NoError(t, os.Mkdir(path, 0o700)) }, corrupt},
		{"socket", func() {
			l, err := net.Listen("unix", path)
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
		}, corrupt},
		{"everybody may write it", func() {
			require.NoError(t, os.Chmod(plant(t, d, name, good.bytes(), 4096), 0o606))
		}, permission},
		{"the group may write it", func() {
			require.NoError(t, os.Chmod(plant(t, d, name, good.bytes(), 4096), 0o660))
		}, permission},
		{"somebody else's", func() {
			if os.Geteuid() != 0 {
				t.Skip("only root can give files away")
			}
			require.NoError(t, os.Chown(plant(t, d, name, good.bytes(), 4096), 40001, -1))
		}, permission},
	} {
		t.Run(c.what, func(t *testing.T) {
			before, _ := Mapped()
			require.NoError(t, os.RemoveAll(path))
			require.NoError(t, os.RemoveAll(sameDir))
			c.plant()
			for _, writable := range []bool{false, true} {
				s, err := d.Open(name, id, writable, true)
				if c.want == nil {
					require.NoError(t, err)
					require.NoError(t, s.Close())
					continue
				}
				require.ErrorIs(t, err, c.want)
				require.Nil(t, s)
				require.ErrorContains(t, err, name.String())
			}
			after, _ := Mapped()
			require.Equal(t, before, after)
		})
	}
}

// A file as large as it says, and larger than any address space.
func TestOpenTooLarge(t *testing.T) {
	_, d, id := reopened(t)
	h := newHeader(Stream, 1, 1, id, 1<<50)
	name := Name{Stream, 1, 1}
	path := plant(t, d, name, h.bytes(), -1)
	if err := os.Truncate(path, 1<<50); err != nil {
		t.Skip("no such file here:", err)
	}
	_, err := d.Open(name, id, false, false)
	if !errors.Is(err, errors.ErrUnsupported) { // 32 bits
		require.ErrorIs(t, err, syscall.ENOMEM)
		require.ErrorContains(t, err, "vm.max_map_count")
	}
	sum, err := d.Bytes()
	require.NoError(t, err)
	require.Equal(t, int64(1<<50+128), sum)
}

func TestOpenWithoutDescriptors(t *testing.T) {
	_, d, id := reopened(t)
	var old syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
	low := old
	low.Cur = 3
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	_, err := d.Open(Name{Kind: Control}, id, false, false)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	require.ErrorIs(t, err, syscall.EMFILE)
	require.ErrorContains(t, err, "ulimit -n")
}

func TestFiles(t *testing.T) {
	_, d, id := reopened(t)
	newSegmentIn(t, d, Stream, 1, 2, 1000, id)
	newSegmentIn(t, d, Body, 1, 3, 3000, id)
	draft, err := d.Create(Layer, 1, 4, 1<<16, id)
	require.NoError(t, err)
	defer draft.Discard()
	require.NoError(t, os.WriteFile(filepath.Join(d.Path(), "stranger"), make([]byte, 10), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(d.Path(), "layer-00000001-00000001"), 0o700))

	files, err := d.Files()
	require.NoError(t, err)
	require.Len(t, files, 3)
	for i, want := range []FileInfo{
		{Name: Name{Body, 1, 3}, Size: 3000},
		{Name: Name{Kind: Control}, Size: 128},
		{Name: Name{Stream, 1, 2}, Size: 1000},
	} {
		require.Equal(t, want.Name, files[i].Name)
		require.Equal(t, want.Size, files[i].Size)
		require.False(t, files[i].ModTime.IsZero())
	}
	sum, err := d.Bytes()
	require.NoError(t, err)
	require.EqualValues(t, 128+1000+3000+10, sum)

	require.NoError(t, d.Remove(Name{Body, 1, 3}))
	require.NoError(t, d.Remove(Name{Body, 1, 3}), "missing is fine")
	require.Error(t, d.Remove(Name{Layer, 1, 1}), "a directory is not")
	files, err = d.Files()
	require.NoError(t, err)
	require.Len(t, files, 2)

	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
	_, err = d.Files()
	require.ErrorIs(t, err, errs.ErrClosed)
	_, err = d.Open(Name{Kind: Control}, id, false, false)
	require.ErrorIs(t, err, errs.ErrClosed)
	require.ErrorIs(t, d.Remove(Name{Kind: Control}), errs.ErrClosed)
	_, err = d.Create(Body, 1, 9, 100, id)
	require.ErrorIs(t, err, errs.ErrClosed)
	_, err = draft.Publish()
	require.ErrorIs(t, err, errs.ErrClosed)
}

// Whatever stands in a file, opening it answers with a segment or with an
// error that says what is wrong.
func FuzzOpen(f *testing.F) {
	_, d, id := reopened(f)
	name := Name{Stream, 1, 1}
	good := newHeader(Stream, 1, 1, id, 100)
	f.Add(append([]byte(nil), good.bytes()...), uint16(100), false)
	f.Add(good.bytes()[:63], uint16(63), true)
	f.Add([]byte(nil), uint16(0), true)
	f.Fuzz(func(t *testing.T, content []byte, size uint16, reseal bool) {
		if reseal && len(content) >= HeaderSize {
			// Past the checksum, to the checks behind it.
			var h Header
			copy(h.bytes(), content)
			h.Magic, h.Version, h.Order = magic, Version, orderMark
			h.Checksum = h.sum()
			copy(content, h.bytes())
		}
		plant(t, d, name, content, int64(size))
		s, err := d.Open(name, id, true, false)
		if err != nil {
			requireTyped(t, err)
			return
		}
		if len(s.Bytes()) != int(size) || binary.NativeEndian.Uint64(s.Bytes()[40:]) != uint64(size) {
			t.Fatalf("mapped %d bytes of %d", len(s.Bytes()), size)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
