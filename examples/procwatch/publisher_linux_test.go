package main

import (
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// openTest opens a publisher of a fake process table, in a directory of the
// test's own.
func openTest(t *testing.T, proc fstest.MapFS) *publisher {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("ULTRADICT_DIR", dir)
	p, err := openPublisher("test", proc)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, p.close())
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
	})
	return p
}

func TestScanPublishesWhatChanged(t *testing.T) {
	file := func(user string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(stat("name", "S", user, "0", "1", "1"))}
	}
	proc := fstest.MapFS{"1/stat": file("10"), "2/stat": file("20"), "3/stat": file("30")}
	p := openTest(t, proc)
	other, err := ultradict.OpenMap[int, Process]("test", ultradict.AttachOnly())
	require.NoError(t, err)
	defer other.Close()

	now := int64(1e9)
	scan := func(want counts) state {
		t.Helper()
		now += 100 * time.Millisecond.Nanoseconds()
		require.NoError(t, p.scan(now))
		require.Equal(t, want, p.counts)
		own, err := p.verify()
		require.NoError(t, err)
		theirs, processes, err := stateOf(other)
		require.NoError(t, err)
		require.Equal(t, own, theirs)
		require.Equal(t, p.last, processes)
		return own
	}

	first := scan(counts{scans: 1, stored: 3})
	require.Equal(t, 3, first.Entries)
	require.Equal(t, first, scan(counts{scans: 2, stored: 3}), "nothing has changed, nothing is published")

	proc["2/stat"] = file("25") // 50 ms of 100
	delete(proc, "3/stat")
	second := scan(counts{scans: 3, stored: 4, deleted: 1})
	require.Equal(t, 2, second.Entries)
	require.NotEqual(t, first.Hash, second.Hash)
	got, err := other.Get(2)
	require.NoError(t, err)
	require.Equal(t, 50, got.Percent)
	_, err = other.Get(3)
	require.ErrorIs(t, err, ultradict.ErrNotFound)

	scan(counts{scans: 4, stored: 5, deleted: 1}) // it is at 0 % again

	require.NoError(t, other.Set(9, Process{Name: "foreign"}))
	_, err = p.verify()
	require.ErrorContains(t, err, "not what was published")
}

func TestWatcherCountsEveryBeacon(t *testing.T) {
	p := openTest(t, fstest.MapFS{})
	w := newWatcher(p.beacons)
	send := func(from, to uint64, at int64) {
		t.Helper()
		for n := from; n <= to; n++ {
			require.NoError(t, p.beacons.Set(int(n%beaconRing), Beacon{Number: n, At: at}))
		}
	}
	check := func(seen, missed int) {
		t.Helper()
		require.NoError(t, w.look())
		require.EqualValues(t, seen, w.seen.count())
		require.EqualValues(t, missed, w.missed)
	}
	check(0, 0)
	send(1, 1, monotonic())
	check(1, 0)
	check(1, 0) // not twice
	send(2, 100, monotonic())
	check(100, 0)

	// Away for so long that the ring has gone around: the next 1,024 are there.
	send(101, 100+2*beaconRing+10, monotonic())
	require.NoError(t, w.look())
	require.EqualValues(t, 100+2*beaconRing+10, w.seen.count()+w.missed)
	require.EqualValues(t, 100+beaconRing, w.seen.count())
}

func TestWatcherAwake(t *testing.T) {
	w := newWatcher(nil)
	w.looked = 1_000_000
	w.note(Beacon{Number: 1, At: 999_000}, 1_000_000+awakeWithin.Nanoseconds())
	require.EqualValues(t, 1, w.awake.count())
	w.note(Beacon{Number: 2, At: 999_000}, 1_000_001+awakeWithin.Nanoseconds())
	require.EqualValues(t, 1, w.awake.count(), "it had been away")
	require.EqualValues(t, 2, w.seen.count())
	age := w.seen.quantile(1)
	require.GreaterOrEqual(t, age, 11_001*time.Nanosecond)
	require.LessOrEqual(t, age, 11_001*17/16*time.Nanosecond, "a class of the histogram")
}

func TestQueryFindsTheTop(t *testing.T) {
	p := openTest(t, fstest.MapFS{})
	for pid := 1; pid <= 20; pid++ {
		require.NoError(t, p.table.Set(pid, Process{Memory: int64(pid % 7), Percent: pid % 3, CPU: time.Duration(pid)}))
	}
	r := &reader{table: p.table, watch: newWatcher(p.beacons)}
	require.NoError(t, r.query())
	pids := func(rows []row) (all []int) {
		for _, r := range rows {
			all = append(all, r.PID)
		}
		return all
	}
	require.Equal(t, []int{6, 13, 20, 5, 12}, pids(r.answer.Memory), "most memory, then the lowest id")
	require.Equal(t, []int{20, 17, 14, 11, 8}, pids(r.answer.CPU), "busiest, then most CPU time")
	require.Len(t, r.pids, 20)
	require.NoError(t, r.readMany())
	require.EqualValues(t, burst, r.reads)

	require.NoError(t, p.table.Clear())
	require.NoError(t, r.readMany(), "processes may end")
	require.NoError(t, r.query())
	require.Empty(t, r.answer.Memory)

	r.answer.Revision = 1 << 62
	require.ErrorContains(t, r.query(), "went back")
}
