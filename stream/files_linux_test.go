package stream

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// files provides chunks in files of a directory, one each. A number has the
// generation of the process that made it, which no other process has.
type files struct {
	dir        string
	generation uint64
	made       atomic.Uint64
}

func (f *files) path(segment uint64) string {
	return filepath.Join(f.dir, fmt.Sprintf("segment-%x", segment))
}

func (f *files) Map(segment uint64) (Memory, error) {
	return mapFile(f.path(segment), MinChunk)
}

func (f *files) Create() (uint64, Memory, error) {
	segment := Gained | f.generation<<32 | f.made.Add(1)
	memory, err := createFile(f.path(segment), MinChunk)
	return segment, memory, err
}

func (f *files) Remove(segment uint64) {
	if err := os.Remove(f.path(segment)); err != nil {
		panic(err) // somebody removed what is ours to remove
	}
}

// createFile links a file when it has its size, as mapping needs it.
func createFile(path string, size int) (Memory, error) {
	if err := os.WriteFile(path+".new", make([]byte, size), 0o600); err != nil {
		return Memory{}, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return Memory{}, err
	}
	return mapFile(path, size)
}

func mapFile(path string, size int) (Memory, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return Memory{}, err
	}
	defer f.Close()
	b, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return Memory{}, err
	}
	owner := new(int)
	runtime.AddCleanup(owner, func(b []byte) { syscall.Munmap(b) }, b)
	return Memory{Bytes: b, Owner: owner}, nil
}

// control is what the processes of a test share besides the chunks.
type control struct {
	Header
	base    atomic.Uint64 // an end of a record in [floor, head] where readers may begin
	stop    atomic.Uint64
	written atomic.Uint64 // records, of all writers
}

var fileConfig = Config{Chunk: MinChunk, Chunks: 2, Limit: 6}

// createRing makes the files of a ring at its smallest.
func createRing(t *testing.T, dir string) (*Stream, *control) {
	f := &files{dir: dir}
	_, err := createFile(filepath.Join(dir, "control"), int(unsafe.Sizeof(control{})))
	require.NoError(t, err)
	for segment := range uint64(fileConfig.Chunks) {
		_, err := createFile(f.path(segment+1), MinChunk)
		require.NoError(t, err)
	}
	s, c, err := openRing(dir, 0)
	require.NoError(t, err)
	s.Init([]uint64{1, 2})
	c.base.Store(s.First())
	return s, c
}

func openRing(dir string, generation uint64) (*Stream, *control, error) {
	memory, err := mapFile(filepath.Join(dir, "control"), int(unsafe.Sizeof(control{})))
	if err != nil {
		return nil, nil, err
	}
	c := (*control)(unsafe.Pointer(&memory.Bytes[0]))
	cfg := fileConfig
	cfg.Segments = &files{dir: dir, generation: generation}
	s, err := New(&c.Header, memory.Owner, cfg)
	return s, c, err
}

// content is what a record at a position contains, whoever writes it.
func content(position uint64) []byte {
	return pattern(position, int(position*0x9e3779b97f4a7c15>>40)%(MinChunk/4-8+1))
}

// sweep removes what dead writers left behind, and returns how many files.
func sweep(t *testing.T, s *Stream, dir string) (n int) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		var segment uint64
		if _, err := fmt.Sscanf(e.Name(), "segment-%x", &segment); err != nil {
			continue
		}
		if !s.Uses(segment) || filepath.Ext(e.Name()) == ".new" {
			require.NotZero(t, segment&Gained)
			require.NoError(t, os.Remove(filepath.Join(dir, e.Name())))
			n++
		}
	}
	return n
}

func parseArgs(args []string) (dir string, generation uint64, err error) {
	if len(args) != 2 {
		return "", 0, errors.New("want a directory and a generation")
	}
	generation, err = strconv.ParseUint(args[1], 10, 31)
	return args[0], generation, err
}
