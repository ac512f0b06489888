package locks

import (
	"bytes"
	"context"
	"encoding/binary"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/errs"
)

func TestFile(t *testing.T) {
	path, a := lockFile(t)
	b, err := Open(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, fileSize, info.Size())
	require.Equal(t, fs.FileMode(0o600), info.Mode())

	unlock, err := a.Lock(t.Context())
	require.NoError(t, err)
	_, ok, err := b.TryLock()
	require.NoError(t, err)
	require.False(t, ok, "two openings in one process exclude each other")
	_, ok, err = a.TryLock()
	require.NoError(t, err)
	require.False(t, ok, "and so does one opening itself")
	unlock()
	unlock() // does nothing

	again, ok, err := b.TryLock()
	require.NoError(t, err)
	require.True(t, ok)
	unlock() // still nothing
	_, ok, err = a.TryLock()
	require.NoError(t, err)
	require.False(t, ok)
	again()

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = a.Lock(ended)
	require.ErrorIs(t, err, context.Canceled, "although it is free")
	require.NoError(t, b.Close())
	require.NoError(t, b.Close(), "again")
}

func TestFileContext(t *testing.T) {
	path, a := lockFile(t)
	b, err := Open(path)
	require.NoError(t, err)
	defer b.Close()
	unlock, err := a.Lock(t.Context())
	require.NoError(t, err)
	defer unlock()

	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	_, err = b.Lock(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, path)
}

func TestFileClose(t *testing.T) {
	path, a := lockFile(t)
	b, err := Open(path)
	require.NoError(t, err)
	unlock, err := b.Lock(t.Context())
	require.NoError(t, err)
	result := make(chan error)
	for range 3 {
		go func() {
			_, err := b.Lock(context.Background())
			result <- err
		}()
	}
	for b.mutex.word.waits.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	require.NoError(t, b.Close())
	for range 3 {
		require.ErrorIs(t, <-result, os.ErrClosed)
	}
	_, err = b.Lock(t.Context())
	require.ErrorIs(t, err, os.ErrClosed)
	_, _, err = b.TryLock()
	require.ErrorIs(t, err, os.ErrClosed)

	_, ok, err := a.TryLock()
	require.NoError(t, err)
	require.False(t, ok, "held across Close")
	require.Len(t, a.peer.All(), 2)
	unlock()
	require.Len(t, a.peer.All(), 1, "left with the last unlock")
	again, ok, err := a.TryLock()
	require.NoError(t, err)
	require.True(t, ok)
	again()
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	header := func(h uint64) []byte {
		return append(binary.NativeEndian.AppendUint64(nil, h), make([]byte, fileSize-8)...)
	}
	target := file("target", nil, 0o600)
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(target, link))
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))

	for name, tt := range map[string]struct {
		path string
		want error
	}{
		"symbolic link":       {link, fs.ErrPermission},
		"pipe":                {fifo, fs.ErrPermission},
		"device":              {"/dev/null", fs.ErrPermission},
		"group can write":     {file("group", nil, 0o660), fs.ErrPermission},
		"all can write":       {file("all", nil, 0o606), fs.ErrPermission},
		"no directory":        {filepath.Join(dir, "none", "lock"), fs.ErrNotExist},
		"text":                {file("text", []byte("keep me"), 0o600), errs.ErrCorrupt},
		"too long":            {file("long", make([]byte, fileSize+1), 0o600), errs.ErrCorrupt},
		"of the same size":    {file("same", bytes.Repeat([]byte("x"), fileSize), 0o600), errs.ErrCorrupt},
		"other version":       {file("version", header(fileHeader+1), 0o600), errs.ErrVersion},
		"other byte order":    {file("order", header(bits.ReverseBytes64(fileHeader)), 0o600), errs.ErrCorrupt},
		"cut off and nonzero": {file("cut", header(fileHeader)[:100], 0o600), errs.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := os.Lstat(tt.path)
			_, err := Open(tt.path)
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, tt.path)
			after, _ := os.Lstat(tt.path)
			if before != nil {
				require.Equal(t, before.Size(), after.Size(), "untouched")
			}
		})
	}
	_, err := Open(dir)
	require.Error(t, err, "a directory")
	text, err := os.ReadFile(filepath.Join(dir, "text"))
	require.NoError(t, err)
	require.Equal(t, "keep me", string(text))
}

func TestOpenRefusesOtherUsersFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := filepath.Join(t.TempDir(), "lock")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chown(path, 12345, -1))
	_, err := Open(path)
	require.ErrorIs(t, err, fs.ErrPermission)
}

// A creator that died half way leaves a file that the next one completes.
func TestOpenCompletes(t *testing.T) {
	for _, size := range []int64{0, 1, 4096, fileSize - 1, fileSize} {
		path := filepath.Join(t.TempDir(), "lock")
		require.NoError(t, os.WriteFile(path, make([]byte, size), 0o600))
		f, err := Open(path)
		require.NoError(t, err)
		unlock, err := f.Lock(t.Context())
		require.NoError(t, err)
		unlock()
		require.NoError(t, f.Close())
	}
}

// Many open a file at once that is not there yet.
func TestOpenTogether(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "lock")
		var wg sync.WaitGroup
		number, err := shared(path + ".number")
		require.NoError(t, err)
		for range 8 {
			wg.Go(func() {
				f, err := Open(path)
				if err != nil {
					t.Error(err)
					return
				}
				unlock, err := f.Lock(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				*number++ // plain: for the lock to protect
				unlock()
				if err = f.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 8, *number)
	}
}
