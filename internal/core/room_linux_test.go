package core

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/record"
)

// smallTmpfs mounts a tmpfs of the given size and returns where it is and how
// many bytes of it are in use.
func smallTmpfs(t *testing.T, size string) (dir string, used func() int64) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=0700"); err != nil {
		t.Skipf("mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir, func() int64 {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil {
			return 0
		}
		return int64(st.Blocks-st.Bfree) * int64(st.Bsize)
	}
}

// What a ring that has grown gives back is not kept by mappings.
func TestShrinkGivesMemoryBack(t *testing.T) {
	dir, used := smallTmpfs(t, "256M")
	cfg := testConfig(dir)
	cfg.StreamSize = 1 << 20
	a := openDict(t, cfg)
	require.NoError(t, a.folding.take(context.Background()))
	for i := 0; a.str.Size() < 12*a.str.Capacity(); i++ {
		writeOp(t, a, putOp(fmt.Sprint("k", i%50), strings.Repeat("v", 1000)))
	}
	a.folding.give()
	for a.unfolded(a.str.Head()) >= a.due {
		rolloverNow(t, a)
	}
	a.shrink()
	require.Eventually(t, func() bool {
		a.tick()
		runtime.GC()
		bytes, err := a.dir.Bytes()
		require.NoError(t, err)
		return used()-bytes < 2<<20
	}, 30*time.Second, 50*time.Millisecond)
}

// Many who find the dictionary full do not each make a copy of it.
func TestReclaimByMany(t *testing.T) {
	dir, used := smallTmpfs(t, "512M")
	cfg := testConfig(dir)
	cfg.StreamSize = 64 << 10
	cfg.MaxBytes = 4 << 20
	var handles []*Dict
	for range 8 {
		handles = append(handles, openDict(t, cfg))
	}
	value := strings.Repeat("v", 100)
	for i := 0; ; i++ {
		if _, err := handles[0].Write(context.Background(), []record.Op{putOp(fmt.Sprint("k", i), value)}, nil); err != nil {
			require.ErrorIs(t, err, errs.ErrNoSpace)
			break
		}
	}
	for i := range 200 {
		_, err := handles[i%8].Write(context.Background(), []record.Op{deleteOp(fmt.Sprint("k", i*50))}, nil)
		require.NoError(t, err)
	}
	before := used() // with what was superseded and is still mapped
	var peak atomic.Int64
	over := make(chan struct{})
	var watcher, writers sync.WaitGroup
	watcher.Go(func() {
		for {
			peak.Store(max(peak.Load(), used()))
			select {
			case <-over:
				return
			case <-time.After(100 * time.Microsecond):
			}
		}
	})
	for _, d := range handles {
		writers.Go(func() {
			_, _ = d.Write(context.Background(), []record.Op{putOp("more", value)}, nil)
		})
	}
	writers.Wait()
	close(over)
	watcher.Wait()
	// One copy more at a time, and another before the collector has found the first.
	require.Less(t, peak.Load()-before, 2*cfg.MaxBytes)
}

// A writer that finds the ring full may be overtaken by a folder that leaves
// nothing to fold: it has room then, and waits for nobody.
func TestMakeRoomOvertaken(t *testing.T) {
	d := openDict(t, testConfig(t.TempDir()))
	ctx := context.Background()
	_, err := d.Write(ctx, []record.Op{putOp("k", "v")}, nil)
	require.NoError(t, err)
	require.True(t, d.foldUpTo(ctx, d.str.Head()))
	require.NoError(t, d.makeRoom(ctx, time.Now().Add(5*time.Second)))
	require.ErrorIs(t, d.makeRoom(ctx, time.Now()), errs.ErrNoSpace, "but not for ever")
}

// A measurement that began before room was made, and ends later, raises the flag
// again: whoever has made room believes its own.
func TestAdmitBesideStaleMeasurements(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.MaxBytes = 64 << 20
	d := openDict(t, cfg)
	stop := make(chan struct{})
	var stale sync.WaitGroup
	stale.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				d.control.work.full.Store(1)
			}
		}
	})
	for range 100 {
		_, err := d.Write(context.Background(), []record.Op{putOp("k", "v")}, nil)
		require.NoError(t, err)
	}
	close(stop)
	stale.Wait()
}

// Who waits for another's reclaim is not kept longer than it wants.
func TestReclaimObeysContext(t *testing.T) {
	a := openDict(t, testConfig(t.TempDir()))
	require.NoError(t, a.reclaiming.take(context.Background()))
	defer a.reclaiming.give()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.False(t, a.reclaim(ctx, func() bool { return true }))
	require.ErrorIs(t, a.foldNowTaken(ctx), context.Canceled)
}

// foldNowTaken folds while somebody else does.
func (d *Dict) foldNowTaken(ctx context.Context) error {
	if err := d.folding.take(context.Background()); err != nil {
		return err
	}
	defer d.folding.give()
	return d.foldNow(ctx, d.str.Floor())
}
