package snapshot

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Main(m, map[string]func([]string) error{"publisher": publisher, "builder": builder})
}

func mapFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func makeFile(t *testing.T, size int64) (path string, mapping []byte) {
	path = filepath.Join(t.TempDir(), "shared")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, size))
	mapping, err := mapFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(mapping)) })
	return path, mapping
}

// publisher publishes one list after another until it is killed.
func publisher(args []string) error {
	mapping, err := mapFile(args[0])
	if err != nil {
		return err
	}
	d := (*Directory)(unsafe.Pointer(&mapping[0]))
	for first := true; ; first = false {
		list, err := d.Read()
		if err != nil {
			return err
		}
		if err := d.Publish(list.Sequence, layersFor(list.Sequence>>sequenceShift+1)); err != nil {
			return err
		}
		if first {
			proctest.Say("publishing")
		}
	}
}

// Publishers are killed at any instruction; a reader in another process sees
// whole lists in order, and the next publisher goes on where they were.
func TestPublishersKilled(t *testing.T) {
	path, mapping := makeFile(t, DirectorySize)
	d := (*Directory)(unsafe.Pointer(&mapping[0]))
	var last uint64
	for range 20 {
		p := proctest.Start(t, "publisher", path)
		require.Equal(t, "publishing", p.Line())
		for start := time.Now(); time.Since(start) < 20*time.Millisecond; {
			last = readInOrder(t, d, last)
		}
		p.Kill()
		at := readInOrder(t, d, last)
		require.Equal(t, at, readInOrder(t, d, at), "a dead publisher publishes")
		last = at
	}
	require.Greater(t, last, uint64(20))
}

func readInOrder(t *testing.T, d *Directory, last uint64) uint64 {
	list, err := d.Read()
	require.NoError(t, err)
	n := list.Sequence >> sequenceShift
	require.GreaterOrEqual(t, n, last)
	if n > 0 && !equalListed(list.Layers, layersFor(n)) {
		require.Fail(t, "a list that nobody published", "%d: %v", n, list.Layers)
	}
	return n
}

// builder fills a mapped file with a layer, over and over, each one larger.
func builder(args []string) error {
	mapping, err := mapFile(args[0])
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		b := NewBuilder(0, uint64(n))
		b.SetHeader(Header{Live: uint64(n)})
		for i := range n {
			if err := b.Add(Entry{Key: strconv.Itoa(i), Value: []byte(strconv.Itoa(i))}); err != nil {
				return err
			}
		}
		if b.Size() > int64(len(mapping)) {
			n = 0
			continue
		}
		if err := b.Build(mapping[:b.Size()], nil); err != nil {
			return err
		}
		if n == 1 {
			proctest.Say("building")
		}
	}
}

// A layer that another process is writing at the same time, as it never
// should: what is found is right, what is not found cannot be told from an
// error, and nothing breaks.
func TestReadWhileWritten(t *testing.T) {
	path, mapping := makeFile(t, 1<<16)
	p := proctest.Start(t, "builder", path)
	require.Equal(t, "building", p.Line())
	opened, found := 0, 0
	for start := time.Now(); time.Since(start) < 300*time.Millisecond; {
		l, err := Open(mapping, "layer", nil)
		if err != nil {
			continue
		}
		opened++
		for i := range 50 {
			key := strconv.Itoa(i)
			if e, ok, err := l.Find(0, key, nil); ok && err == nil {
				require.Equal(t, key, string(e.Value))
				found++
			}
		}
		for e, err := range l.All() {
			if err == nil {
				require.Equal(t, e.Key, string(e.Value))
			}
		}
	}
	p.Kill()
	t.Logf("opened %d times, found %d", opened, found)
}
