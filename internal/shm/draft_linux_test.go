package shm

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

// Both ways of making files: unnamed, and named where that does not exist.
func bothWays(t *testing.T, fn func(t *testing.T, d *Dir, id ID)) {
	for _, named := range []bool{false, true} {
		t.Run(fmt.Sprintf("named=%v", named), func(t *testing.T) {
			_, d, id := reopened(t)
			d.named.Store(named)
			fn(t, d, id)
		})
	}
}

func TestDraft(t *testing.T) {
	bothWays(t, func(t *testing.T, d *Dir, id ID) {
		count, bytes := MappedKind(Body)
		f, err := d.Create(Body, 8, 9, 10000, id)
		require.NoError(t, err)
		name := Name{Body, 8, 9}
		require.Equal(t, name, f.Name())
		require.Len(t, f.Bytes(), 10000)
		require.Equal(t, make([]byte, 10000-HeaderSize), f.Bytes()[HeaderSize:])
		_, err = d.Open(name, id, false, false)
		require.ErrorIs(t, err, fs.ErrNotExist, "not before it is published")
		files, err := d.Files()
		require.NoError(t, err)
		require.Len(t, files, 1, "no draft is listed")

		for i := range f.Bytes() { // the header among them
			f.Bytes()[i] = 0xee
		}
		s, err := f.Publish()
		require.NoError(t, err)
		require.Nil(t, f.Bytes())
		_, err = f.Publish()
		require.ErrorIs(t, err, errs.ErrClosed)
		require.NoError(t, f.Discard(), "and the segment stays")

		other, err := d.Open(name, id, false, false)
		require.NoError(t, err)
		require.EqualValues(t, 0xee, other.Bytes()[HeaderSize])
		require.EqualValues(t, 0xee, other.Bytes()[9999])
		s.Bytes()[9999] = 1
		require.EqualValues(t, 1, other.Bytes()[9999])
		c, b := MappedKind(Body)
		require.Equal(t, count+2, c)
		require.Equal(t, bytes+20000, b)

		var st syscall.Stat_t
		require.NoError(t, syscall.Stat(filepath.Join(d.Path(), name.String()), &st))
		require.GreaterOrEqual(t, st.Blocks*512, int64(10000), "allocated in full")

		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		require.Nil(t, s.Bytes())
		require.NoError(t, other.Close())
		c, b = MappedKind(Body)
		require.Equal(t, count, c)
		require.Equal(t, bytes, b)
		require.ElementsMatch(t, []string{"control", name.String()}, entriesOf(t, d.Path()))
	})
}

func TestDiscard(t *testing.T) {
	bothWays(t, func(t *testing.T, d *Dir, id ID) {
		count, _ := Mapped()
		f, err := d.Create(Body, 8, 9, 10000, id)
		require.NoError(t, err)
		require.NoError(t, f.Discard())
		require.NoError(t, f.Discard())
		require.Nil(t, f.Bytes())
		_, err = f.Publish()
		require.ErrorIs(t, err, errs.ErrClosed)
		after, _ := Mapped()
		require.Equal(t, count, after)
		require.Equal(t, []string{"control"}, entriesOf(t, d.Path()))
	})
}

func TestPublishTaken(t *testing.T) {
	bothWays(t, func(t *testing.T, d *Dir, id ID) {
		newSegmentIn(t, d, Body, 8, 9, 100, id)
		f, err := d.Create(Body, 8, 9, 200, id)
		require.NoError(t, err)
		_, err = f.Publish()
		require.ErrorIs(t, err, fs.ErrExist)
		require.Len(t, f.Bytes(), 200, "still a draft")
		require.NoError(t, d.Remove(Name{Body, 8, 9}))
		s, err := f.Publish()
		require.NoError(t, err)
		require.NoError(t, s.Close())
	})
}

func TestCreateRefuses(t *testing.T) {
	_, d, id := reopened(t)
	for _, c := range []struct {
		kind Kind
		size int64
		id   ID
	}{
		{0, 100, id}, {9, 100, id}, {Body, 63, id}, {Body, 0, id}, {Body, -1, id}, {Body, math.MinInt64, id}, {Body, 100, ID{}},
	} {
		_, err := d.Create(c.kind, 1, 1, c.size, c.id)
		require.ErrorIs(t, err, fs.ErrInvalid)
	}
	_, err := d.Create(Body, 1, 1, math.MaxInt64, id)
	require.ErrorIs(t, err, errs.ErrNoSpace)
	require.Equal(t, []string{"control"}, entriesOf(t, d.Path()))
}

func TestMaxBytes(t *testing.T) {
	_, d, id := reopened(t) // 128 bytes of control
	d.MaxBytes = 1128
	_, err := d.Create(Body, 1, 1, 1001, id)
	require.ErrorIs(t, err, errs.ErrNoSpace)
	require.ErrorContains(t, err, "1128")
	_, err = d.Create(Body, 1, 1, math.MaxInt64, id)
	require.ErrorIs(t, err, errs.ErrNoSpace)
	newSegmentIn(t, d, Body, 1, 1, 1000, id)
	_, err = d.Create(Body, 1, 2, 64, id)
	require.ErrorIs(t, err, errs.ErrNoSpace)
	require.NoError(t, d.Remove(Name{Body, 1, 1}))
	newSegmentIn(t, d, Body, 1, 2, 64, id)
	plant(t, d, Name{Body, 1, 3}, nil, math.MaxInt64>>12)
	_, err = d.Create(Body, 1, 4, 64, id)
	require.ErrorIs(t, err, errs.ErrNoSpace)
}

// smallFS mounts a tmpfs of one MiB. It is unmounted after everything that the
// test opens later.
func smallFS(t *testing.T) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "small")
	require.NoError(t, os.Mkdir(at, 0o700))
	if err := syscall.Mount("tmpfs", at, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
		t.Skip("cannot mount:", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, 0); err != nil {
			_ = syscall.Unmount(at, syscall.MNT_DETACH) // never leave it behind
			t.Error("unmount:", err)
		}
	})
	return at
}

func TestFullFileSystem(t *testing.T) {
	r, err := OpenRoot(smallFS(t), RootOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	id := NewID()
	d, err := r.Make("dict", id)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })

	for _, named := range []bool{false, true} {
		d.named.Store(named)
		_, err = d.Create(Body, 1, 1, 2<<20, id)
		require.ErrorIs(t, err, errs.ErrNoSpace)
		require.ErrorContains(t, err, d.Path())
		require.ErrorContains(t, err, "2097152 bytes")
		require.Empty(t, entriesOf(t, d.Path()), "nothing is left of it")
	}

	// Up to the last page, and every byte of it can be written.
	n := uint32(0)
	for ; n < 100; n++ {
		f, err := d.Create(Body, 2, n, 64<<10, id)
		if err != nil {
			require.ErrorIs(t, err, errs.ErrNoSpace)
			break
		}
		s, err := f.Publish()
		require.NoError(t, err)
		for i := HeaderSize; i < len(s.Bytes()); i++ {
			s.Bytes()[i] = 1
		}
		require.NoError(t, s.Close())
	}
	require.NotZero(t, n)
	require.Less(t, n, uint32(100))
	require.NoError(t, d.Remove(Name{Body, 2, 0}))
	newSegmentIn(t, d, Body, 3, 0, 64<<10, id)
	sum, err := d.Bytes()
	require.NoError(t, err)
	require.EqualValues(t, n*64<<10, sum)
}

// The call that allocates fails as well, not only the look before it. This
// must not be tried on a file system without a small limit of its own.
func TestAllocateBeyondTheEnd(t *testing.T) {
	f, err := os.CreateTemp(smallFS(t), "")
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	require.LessOrEqual(t, sysFree(int(f.Fd())), int64(1<<20))
	require.True(t, isFull(sysAllocate(int(f.Fd()), 8<<20)))
	require.NoError(t, f.Truncate(0))
	require.True(t, isFull(writeZeros(int(f.Fd()), 0, 8<<20)))
}

// Signals that arrive all the time do not keep a large file from being made.
func TestAllocateUnderSignals(t *testing.T) {
	_, d, id := reopened(t)
	stop := make(chan struct{})
	stopped := make(chan struct{})
	ignoreSignal(t, syscall.SIGUSR1)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1)
			}
		}
	}()
	f, err := d.Create(Body, 1, 1, 64<<20, id)
	close(stop)
	<-stopped
	require.NoError(t, err)
	require.NoError(t, f.Discard())
}

func TestWriteZeros(t *testing.T) {
	f, err := os.CreateTemp(tempDir(t), "")
	require.NoError(t, err)
	defer f.Close()
	const size = 3<<20 + 7
	require.NoError(t, writeZeros(int(f.Fd()), 5, size))
	st, err := f.Stat()
	require.NoError(t, err)
	require.EqualValues(t, size, st.Size())
	require.NoError(t, writeZeros(int(f.Fd()), size, size))
}

func TestRemoveDrafts(t *testing.T) {
	_, d, id := reopened(t)
	d.named.Store(true)
	for creator := range uint32(3) {
		f, err := d.Create(Body, creator, 1, 100, id)
		require.NoError(t, err)
		defer f.seg.Close() // and forget it, as a killed creator does
	}
	require.NoError(t, os.WriteFile(filepath.Join(d.Path(), ".stranger"), nil, 0o600))
	require.NoError(t, d.RemoveDrafts(func(creator uint32) bool { return creator != 1 }))
	require.ElementsMatch(t, []string{".body-00000001-00000001", ".stranger", "control"}, entriesOf(t, d.Path()))
}
