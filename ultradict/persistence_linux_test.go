package ultradict_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() {
	roles["bank"], roles["saver"], roles["persister"], roles["awakener"], roles["closer"] = bank, saver, persister, awakener, closer
}

// saved is the option with a directory of the test's own, and that directory.
func saved(t testing.TB, every time.Duration) (ultradict.Option, string) {
	dir := filepath.Join(t.TempDir(), "saves")
	return ultradict.WithPersistence(dir, every), dir
}

// reboot removes everything in memory, as a reboot does.
func reboot(t testing.TB, dir string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
}

func saves(t testing.TB, dir string) []string {
	names, err := filepath.Glob(filepath.Join(dir, "*.save"))
	require.NoError(t, err)
	slices.Reverse(names)
	return names
}

// session opens the dictionary, does something, and closes it.
func session(t testing.TB, dir string, do func(d *ultradict.Dict), opts ...ultradict.Option) {
	d, err := ultradict.Open("test", append(opts, ultradict.WithDir(dir))...)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	do(d)
}

func TestRebootRestores(t *testing.T) {
	dir := memoryDir(t)
	opt, files := saved(t, time.Hour)
	want := map[string]any{}
	for life := range 4 {
		session(t, dir, func(d *ultradict.Dict) {
			require.Equal(t, want, held(t, d), "life %d", life)
			for i := range 200 {
				k := fmt.Sprint(life, i%50)
				want[k] = strings.Repeat("x", i)
				require.NoError(t, d.Set(k, want[k]))
			}
			want["large"] = strings.Repeat("large", 100_000+life)
			require.NoError(t, d.Set("large", want["large"]))
			_, err := d.Delete(fmt.Sprint(life, 0))
			require.NoError(t, err)
			delete(want, fmt.Sprint(life, 0))
		}, opt, ultradict.WithStreamSize(4<<10))
		requireHealthy(t, dir)
		reboot(t, dir)
		require.Len(t, saves(t, files), min(2, life+1))
	}
	// Closing without a change saves nothing.
	before := saves(t, files)
	session(t, dir, func(d *ultradict.Dict) {
		require.Equal(t, want, held(t, d))
		st, err := d.Status()
		require.NoError(t, err)
		require.Zero(t, st.Saves)
		require.Zero(t, st.Unsaved)
		require.WithinDuration(t, time.Now(), st.LastSave, time.Hour)
	}, opt)
	require.Equal(t, before, saves(t, files))
	session(t, dir, func(d *ultradict.Dict) { require.Equal(t, want, held(t, d)) }, opt)
	requireHealthy(t, dir)
	// Nothing is left in memory of what it was made of.
	reboot(t, dir)
	session(t, dir, func(d *ultradict.Dict) { require.NoError(t, d.Clear()) }, opt)
	require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir)))
	onlyFiles(t, dir)
	session(t, dir, func(d *ultradict.Dict) { require.Empty(t, held(t, d)) }, opt)
}

// What is in memory is never older than a save, so saves count only after a reboot.
func TestMemoryGoesBeforeSaves(t *testing.T) {
	dir := memoryDir(t)
	opt, _ := saved(t, time.Hour)
	session(t, dir, func(d *ultradict.Dict) { require.NoError(t, d.Set("x", 1)) }, opt)
	session(t, dir, func(d *ultradict.Dict) { require.NoError(t, d.Set("x", 2)) }) // without: it is not saved
	session(t, dir, func(d *ultradict.Dict) { require.Equal(t, map[string]any{"x": int64(2)}, held(t, d)) }, opt)
	reboot(t, dir)
	session(t, dir, func(d *ultradict.Dict) { require.Equal(t, map[string]any{"x": int64(2)}, held(t, d)) }, opt)
}

func TestSavesNowAndThen(t *testing.T) {
	dir := memoryDir(t)
	opt, files := saved(t, 20*time.Millisecond)
	d := open(t, dir, opt)
	for i := range 5 {
		require.NoError(t, d.Set("n", i))
		require.Eventually(t, func() bool {
			st, err := d.Status()
			require.NoError(t, err)
			return st.Unsaved == 0 && st.SaverPID == os.Getpid() && st.Saves >= i
		}, 10*time.Second, 5*time.Millisecond)
		other, err := ultradict.Open("copy", ultradict.WithDir(dir))
		require.NoError(t, err)
		require.NoError(t, other.Restore(t.Context(), saves(t, files)[0]))
		require.Equal(t, map[string]any{"n": int64(i)}, held(t, other))
		require.NoError(t, other.Close())
	}
	require.LessOrEqual(t, len(saves(t, files)), 2)
	before := saves(t, files)
	pause()
	require.Equal(t, before, saves(t, files), "nothing was committed")
}

// logged is a logger, and what it was told.
func logged() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}

func damage(t testing.TB, file string, at int) {
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	b[(at+len(b))%len(b)] ^= 0x10
	require.NoError(t, os.WriteFile(file, b, 0o600))
}

func TestDamagedSavesGiveWay(t *testing.T) {
	dir := memoryDir(t)
	opt, files := saved(t, time.Hour)
	for i := range 3 {
		session(t, dir, func(d *ultradict.Dict) { require.NoError(t, d.Set("n", i)) }, opt)
	}
	reboot(t, dir)
	all := saves(t, files)
	require.Len(t, all, 2)
	damage(t, all[0], -30)
	log, told := logged()
	session(t, dir, func(d *ultradict.Dict) {
		require.Equal(t, map[string]any{"n": int64(1)}, held(t, d))
		require.NoError(t, d.Set("n", 10))
	}, opt, ultradict.WithLogger(log))
	require.Contains(t, told.String(), "level=WARN")
	require.Contains(t, told.String(), all[0])
	require.FileExists(t, all[0]+".damaged")
	require.NoFileExists(t, all[0])
	session(t, dir, func(d *ultradict.Dict) { require.Equal(t, map[string]any{"n": int64(10)}, held(t, d)) }, opt)
	reboot(t, dir)
	session(t, dir, func(d *ultradict.Dict) { require.Equal(t, map[string]any{"n": int64(10)}, held(t, d)) }, opt)

	// All of them: Open fails, and goes on failing, until somebody has decided.
	reboot(t, dir)
	for _, file := range saves(t, files) {
		damage(t, file, 100)
	}
	before := saves(t, files)
	for range 2 {
		_, err := ultradict.Open("test", ultradict.WithDir(dir), opt)
		var damage *ultradict.SaveError
		require.ErrorAs(t, err, &damage)
		require.ErrorContains(t, err, "begin with nothing")
		require.Equal(t, before, saves(t, files))
		onlyFiles(t, dir)
	}
	for _, file := range before {
		require.NoError(t, os.Remove(file))
	}
	session(t, dir, func(d *ultradict.Dict) { require.Empty(t, held(t, d)) }, opt)
	requireHealthy(t, dir)
}

func TestSavesThatDoNotFit(t *testing.T) {
	dir := memoryDir(t)
	opt, files := saved(t, time.Hour)
	session(t, dir, func(d *ultradict.Dict) {
		for i := range 40 {
			require.NoError(t, d.Set(fmt.Sprint(i), strings.Repeat("v", 100_000)))
		}
	}, opt)
	reboot(t, dir)
	before := saves(t, files)
	_, err := ultradict.OpenMap[int, string]("test", ultradict.WithDir(dir), opt)
	var mismatch *ultradict.SaveMismatchError
	require.ErrorAs(t, err, &mismatch)
	require.Equal(t, "key kind", mismatch.What)
	onlyFiles(t, dir)
	require.Equal(t, before, saves(t, files))
	// A limit keeps nothing from coming back. The dictionary is full then.
	session(t, dir, func(d *ultradict.Dict) {
		require.Len(t, held(t, d), 40)
		require.ErrorIs(t, d.Set("more", strings.Repeat("v", 100_000)), ultradict.ErrNoSpace)
		for i := range 39 {
			_, err := d.Delete(fmt.Sprint(i))
			require.NoError(t, err)
		}
		require.NoError(t, d.Set("more", 1))
	}, opt, ultradict.WithMaxBytes(1<<20), ultradict.WithStreamSize(64<<10))
	requireHealthy(t, dir)
	reboot(t, dir)
	// The one before, with everything, is the other one that is kept.
	require.Len(t, saves(t, files), 2)
	require.NoError(t, os.Remove(saves(t, files)[0]))
	_, err = ultradict.Open("test", ultradict.WithDir(dir), opt, ultradict.CreateOnly())
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = ultradict.Open("test", ultradict.WithDir(dir), opt, ultradict.ReadOnly())
	require.ErrorIs(t, err, fs.ErrNotExist)
	onlyFiles(t, dir)
	session(t, dir, func(d *ultradict.Dict) {
		require.Len(t, held(t, d), 40)
		reader := open(t, dir, opt, ultradict.ReadOnly()) // takes no part
		require.Len(t, held(t, reader), 40)
	}, opt, ultradict.AttachOnly())
	_, err = ultradict.Open("other", ultradict.WithDir(dir), opt, ultradict.AttachOnly())
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, bad := range []ultradict.Option{ultradict.WithPersistence("", time.Second), ultradict.WithPersistence(files, 0), ultradict.WithPersistence(files, -1)} {
		_, err = ultradict.Open("test", ultradict.WithDir(dir), bad)
		require.ErrorIs(t, err, ultradict.ErrInvalidOption)
	}
	_, err = ultradict.Open("new", ultradict.WithDir(dir), ultradict.WithPersistence(filepath.Join(files, "a", "b"), time.Second))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.Chmod(files, 0o777))
	for _, name := range []string{"test", "new"} {
		_, err = ultradict.Open(name, ultradict.WithDir(dir), opt)
		require.ErrorIs(t, err, fs.ErrPermission)
	}
	_, err = ultradict.Open("new", ultradict.WithDir(dir), ultradict.AttachOnly())
	require.ErrorIs(t, err, fs.ErrNotExist, "nothing was created")
}

// Somebody who knows nothing of the saves has created the name after a reboot. Its
// history does not replace the other one.
func TestTwoHistories(t *testing.T) {
	dir := memoryDir(t)
	opt, files := saved(t, time.Hour)
	session(t, dir, func(d *ultradict.Dict) { require.NoError(t, d.Set("old", 1)) }, opt)
	reboot(t, dir)
	session(t, dir, func(d *ultradict.Dict) { require.NoError(t, d.Set("new", 1)) })
	before := saves(t, files)
	_, err := ultradict.Open("test", ultradict.WithDir(dir), opt)
	require.ErrorIs(t, err, ultradict.ErrInvalidOption)
	require.ErrorContains(t, err, before[0])
	require.Equal(t, before, saves(t, files))
	// Either of the two can be chosen.
	session(t, dir, func(d *ultradict.Dict) { require.Equal(t, map[string]any{"new": int64(1)}, held(t, d)) })
	require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir)))
	session(t, dir, func(d *ultradict.Dict) { require.Equal(t, map[string]any{"old": int64(1)}, held(t, d)) }, opt)
	reboot(t, dir)
	session(t, dir, func(d *ultradict.Dict) { require.NoError(t, d.Set("new", 2)) })
	require.NoError(t, os.Rename(files, files+".away"))
	session(t, dir, func(d *ultradict.Dict) { require.Equal(t, map[string]any{"new": int64(2)}, held(t, d)) }, opt)
	reboot(t, dir)
	session(t, dir, func(d *ultradict.Dict) { require.Equal(t, map[string]any{"new": int64(2)}, held(t, d)) }, opt)
}

// Handles of one dictionary save to one directory; when none of them is left, it may be
// another one.
func TestTwoDirectories(t *testing.T) {
	dir := memoryDir(t)
	opt, _ := saved(t, 20*time.Millisecond)
	second, files := saved(t, 20*time.Millisecond)
	session(t, dir, func(d *ultradict.Dict) {
		require.NoError(t, d.Set("x", 1))
		require.Eventually(t, func() bool { st, err := d.Status(); return err == nil && st.SaverPID != 0 }, 10*time.Second, time.Millisecond)
		_, err := ultradict.Open("test", ultradict.WithDir(dir), second)
		require.ErrorIs(t, err, ultradict.ErrInvalidOption)
	}, opt)
	session(t, dir, func(d *ultradict.Dict) {}, second)
	require.Len(t, saves(t, files), 1, "though nothing was committed: there was none")
	reboot(t, dir)
	session(t, dir, func(d *ultradict.Dict) { require.Equal(t, map[string]any{"x": int64(1)}, held(t, d)) }, second)
}

func TestRemoveAndSaves(t *testing.T) {
	dir := memoryDir(t)
	opt, files := saved(t, 10*time.Millisecond)
	require.ErrorIs(t, ultradict.Remove("test", ultradict.WithDir(dir), opt), fs.ErrNotExist)
	require.NoDirExists(t, files)
	d := open(t, dir, opt)
	require.NoError(t, d.Set("x", 1))
	require.Eventually(t, func() bool { return len(saves(t, files)) > 0 }, 10*time.Second, time.Millisecond)
	// Without the option they stay, and come back.
	require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir)))
	session(t, dir, func(d *ultradict.Dict) { require.Equal(t, map[string]any{"x": int64(1)}, held(t, d)) }, opt)
	// With it everything goes, though somebody is at work on the next one.
	busy := open(t, dir, opt)
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for i := 0; ; i++ {
			if err := busy.Set("x", i); errors.Is(err, ultradict.ErrRemoved) {
				return
			} else if err != nil {
				t.Errorf("set: %v", err)
			}
		}
	})
	pause()
	require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir), opt))
	close(stop)
	done.Wait()
	require.Empty(t, saves(t, files))
	pause()
	require.NoError(t, busy.Close())
	onlyFiles(t, files)
	session(t, dir, func(d *ultradict.Dict) {
		require.Empty(t, held(t, d))
		require.NoError(t, d.Set("y", 1))
	}, opt)
	// Also where there is nothing in memory.
	reboot(t, dir)
	require.NoError(t, ultradict.Remove("test", ultradict.WithDir(dir), opt))
	require.ErrorIs(t, ultradict.Remove("test", ultradict.WithDir(dir), opt), fs.ErrNotExist)
	onlyFiles(t, files)
	require.NoError(t, os.RemoveAll(dir))
	require.ErrorIs(t, ultradict.Remove("test", ultradict.WithDir(dir), opt), fs.ErrNotExist)
}

// All that start after a reboot open the same name at once: one restores, nobody finds
// it empty.
func TestManyOpenAfterAReboot(t *testing.T) {
	dir := memoryDir(t)
	_, files := saved(t, time.Hour)
	opt := ultradict.WithPersistence(files, time.Hour)
	session(t, dir, func(d *ultradict.Dict) {
		for i := range 20_000 {
			require.NoError(t, d.Set(fmt.Sprint(i), i))
		}
	}, opt)
	rounds := 5
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		reboot(t, dir)
		var procs []*proctest.Proc
		for range 6 {
			procs = append(procs, proctest.Start(t, "awakener", dir, files, "20000"))
		}
		restored := 0
		for _, p := range procs {
			require.Equal(t, "ready", p.Line())
		}
		for _, p := range procs {
			p.Send("go")
		}
		for _, p := range procs {
			if p.Line() == "restored" {
				restored++
			}
			require.NoError(t, p.Wait())
		}
		require.Equal(t, 1, restored)
		requireHealthy(t, dir)
	}
}

// awakener opens the dictionary, which has so many entries.
func awakener(args []string) error {
	want, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	log, told := logged()
	proctest.Say("ready")
	proctest.Receive()
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]), ultradict.WithPersistence(args[1], time.Hour), ultradict.WithLogger(log))
	if err != nil {
		return err
	}
	n, err := d.Len()
	if err != nil || n != want {
		return fmt.Errorf("it has %d entries: %w", n, err)
	}
	what := "attached"
	if strings.Contains(told.String(), "msg=restored") {
		what = "restored"
	}
	proctest.Say("%s", what)
	return d.Close()
}

// A process that is killed while it restores leaves the name as it was: not there.
func TestDeathWhileRestoring(t *testing.T) {
	dir := memoryDir(t)
	_, files := saved(t, time.Hour)
	opt := ultradict.WithPersistence(files, time.Hour)
	session(t, dir, func(d *ultradict.Dict) {
		for i := range 50_000 {
			require.NoError(t, d.Set(fmt.Sprint(i), i))
		}
	}, opt)
	for i := range 12 {
		reboot(t, dir)
		p := proctest.Start(t, "awakener", dir, files, "50000")
		require.Equal(t, "ready", p.Line())
		p.Send("go")
		time.Sleep(time.Duration(i) * 6 * time.Millisecond)
		p.Kill()
		session(t, dir, func(d *ultradict.Dict) { require.Len(t, held(t, d), 50_000) }, opt)
		requireHealthy(t, dir)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1, "what it left is gone")
	}
}

// Processes that write and leave at the same moment, with nobody staying, have saved
// everything between them.
func TestAllLeaveAtOnce(t *testing.T) {
	dir := memoryDir(t)
	_, files := saved(t, time.Hour)
	opt := ultradict.WithPersistence(files, time.Hour)
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	want := map[string]any{}
	for round := range rounds {
		var procs []*proctest.Proc
		for i := range 4 {
			p := proctest.Start(t, "closer", dir, files, fmt.Sprint(round, ".", i))
			require.Equal(t, "ready", p.Line())
			procs = append(procs, p)
			for j := range 10 {
				want[fmt.Sprint(round, ".", i, ".", j)] = int64(j)
			}
		}
		for _, p := range procs {
			p.Send("go")
		}
		for _, p := range procs {
			require.NoError(t, p.Wait())
		}
		reboot(t, dir)
		session(t, dir, func(d *ultradict.Dict) { require.Equal(t, want, held(t, d), "round %d", round) }, opt)
	}
}

func closer(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]), ultradict.WithPersistence(args[1], time.Hour))
	if err != nil {
		return err
	}
	proctest.Say("ready")
	proctest.Receive()
	for j := range 10 {
		if err := d.Set(fmt.Sprint(args[2], ".", j), j); err != nil {
			return err
		}
	}
	return d.Close()
}

// The one that saves dies or is stopped: another one goes on.
func TestAnotherSaverTakesOver(t *testing.T) {
	dir := memoryDir(t)
	_, files := saved(t, time.Hour)
	opt := ultradict.WithPersistence(files, 20*time.Millisecond)
	p := proctest.Start(t, "persister", dir, files)
	require.Equal(t, "saved", p.Line())
	d := open(t, dir, opt)
	st, err := d.Status()
	require.NoError(t, err)
	require.Equal(t, p.PID(), st.SaverPID)
	p.Kill()
	takes := func(pid int) {
		t.Helper()
		require.Eventually(t, func() bool {
			st, err := d.Status()
			require.NoError(t, err)
			return st.SaverPID == pid
		}, 10*time.Second, time.Millisecond)
		st, err := d.Status()
		require.NoError(t, err)
		require.NoError(t, d.Set("after", pid))
		require.Eventually(t, func() bool {
			now, err := d.Status()
			require.NoError(t, err)
			return now.Saves > st.Saves && now.Unsaved == 0
		}, 20*time.Second, time.Millisecond)
	}
	takes(os.Getpid())
	session(t, dir, func(*ultradict.Dict) {}, opt) // comes and goes, and was never the one
	takes(os.Getpid())

	// One that is stopped keeps nobody from it, and does no harm when it goes on.
	dir, files = memoryDir(t), filepath.Join(t.TempDir(), "saves")
	p = proctest.Start(t, "persister", dir, files, "quiet")
	require.Equal(t, "saved", p.Line())
	d = open(t, dir, ultradict.WithPersistence(files, 20*time.Millisecond))
	pause() // until it has nothing to publish: it would keep the lock of the saves
	p.Stop()
	takes(os.Getpid())
	p.Cont()
	takes(os.Getpid())
	p.Kill()
	reboot(t, dir)
	session(t, dir, func(d *ultradict.Dict) {
		v, err := d.Get("after")
		require.NoError(t, err)
		require.EqualValues(t, os.Getpid(), v)
	}, ultradict.WithPersistence(files, time.Hour))
}

// persister writes and is saved every 10 ms. It says when it was; with a further argument
// it writes no more then.
func persister(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]), ultradict.WithPersistence(args[1], 10*time.Millisecond))
	if err != nil {
		return err
	}
	told := false
	for i := 0; ; i++ {
		if err := moveMoney(d, i); err != nil {
			return err
		}
		if i%50 != 0 {
			continue
		}
		st, err := d.Status()
		if err != nil {
			return err
		}
		if !told && st.Saves > 0 && st.SaverPID == os.Getpid() {
			proctest.Say("saved")
			told = true
			if len(args) > 2 {
				select {} // it saves what others write
			}
		}
	}
}

// accounts are keys whose values add up to nothing, at every moment.
const accounts = 40

// moveMoney moves something from one account to another, and counts.
func moveMoney(d *ultradict.Dict, i int) error {
	return d.Update(context.Background(), func(tx *ultradict.Tx[string, any]) error {
		for _, move := range []struct {
			key string
			by  int
		}{
			{fmt.Sprint("account", i*7%accounts), i + 1}, {fmt.Sprint("account", (i*13+5)%accounts), -i - 1}, {"transfers", 1},
		} {
			n, err := ultradict.As[int](tx.Get(move.key))
			if err != nil && !errors.Is(err, ultradict.ErrNotFound) {
				return err
			}
			if err := tx.Set(move.key, n+move.by); err != nil {
				return err
			}
		}
		return nil
	})
}

// requireBalanced checks that what a dictionary holds is what some number of transfers
// makes, and returns that number.
func requireBalanced(t testing.TB, d *ultradict.Dict) int {
	t.Helper()
	sum := 0
	all := held(t, d)
	for k, v := range all {
		if strings.HasPrefix(k, "account") {
			sum += int(v.(int64))
		}
	}
	require.Zero(t, sum)
	n, _ := all["transfers"].(int64)
	return int(n)
}

// Three processes write while it is saved: each file is of one moment.
func TestSaveWhileOthersWrite(t *testing.T) {
	dir, files := memoryDir(t), t.TempDir()
	d := open(t, dir, ultradict.WithStreamSize(4<<10))
	for i := range 3 {
		require.Equal(t, "ready", proctest.Start(t, "bank", dir, fmt.Sprint(i)).Line())
	}
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	copied, err := ultradict.Open("copy", ultradict.WithDir(dir))
	require.NoError(t, err)
	defer copied.Close()
	last := 0
	for i := range rounds {
		file := filepath.Join(files, fmt.Sprint(i))
		require.NoError(t, d.Save(t.Context(), file))
		require.NoError(t, copied.Restore(t.Context(), file))
		n := requireBalanced(t, copied)
		require.GreaterOrEqual(t, n, last)
		last = n
	}
	t.Logf("%d saves, of %d transfers", rounds, last)
	require.NotZero(t, last)
	// And back into what they write to: the invariant holds ever after.
	for i := range 10 {
		require.NoError(t, d.Restore(t.Context(), filepath.Join(files, fmt.Sprint(i))))
		require.NoError(t, d.View(func(v *ultradict.View[string, any]) error {
			sum := 0
			for k, x := range v.All() {
				if strings.HasPrefix(k, "account") {
					sum += int(x.(int64))
				}
			}
			require.Zero(t, sum)
			return nil
		}))
	}
	requireHealthy(t, dir)
}

// bank makes transfers until the test ends.
func bank(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := n; ; i += 3 {
		if err := moveMoney(d, i); err != nil {
			return err
		}
		if i == n {
			proctest.Say("ready")
		}
	}
}

// A process that saves to one path again and again is killed at any moment: what has the
// name is always whole, and what it left goes with the next save.
func TestKilledWhileSaving(t *testing.T) {
	kills := 30
	if testing.Short() {
		kills = 15
	}
	dir, files := memoryDir(t), t.TempDir()
	d := open(t, dir)
	for i := range 3000 {
		require.NoError(t, moveMoney(d, i))
		require.NoError(t, d.Set(fmt.Sprint("filler", i), strings.Repeat("x", 300)))
	}
	file := filepath.Join(files, "f")
	require.NoError(t, d.Save(t.Context(), file))
	copied, err := ultradict.Open("copy", ultradict.WithDir(dir))
	require.NoError(t, err)
	defer copied.Close()
	last, left := 0, 0
	for i := range kills {
		p := proctest.Start(t, "saver", dir, file)
		require.Equal(t, "ready", p.Line())
		time.Sleep(time.Duration(i*i%37) * time.Millisecond)
		p.Kill()
		_, err := ultradict.CheckSave(file)
		require.NoError(t, err, "kill %d", i)
		require.NoError(t, copied.Restore(t.Context(), file))
		n := requireBalanced(t, copied)
		require.GreaterOrEqual(t, n, last, "kill %d", i)
		last = n
		names, err := os.ReadDir(files)
		require.NoError(t, err)
		require.LessOrEqual(t, len(names), 2, "of one that was killed at most")
		left += len(names) - 1
	}
	t.Logf("%d kills, of which %d left half a file; %d transfers", kills, left, last)
	require.NoError(t, d.Save(t.Context(), file))
	onlyFiles(t, files, "f")
	requireHealthy(t, dir)
}

// saver makes a transfer and saves, for ever.
func saver(args []string) error {
	d, err := ultradict.Open("test", ultradict.WithDir(args[0]))
	if err != nil {
		return err
	}
	proctest.Say("ready")
	for i := 0; ; i++ {
		if err := moveMoney(d, i); err != nil {
			return err
		}
		if err := d.Save(context.Background(), args[1]); err != nil {
			return err
		}
	}
}

// The one that saves by itself is killed at any moment, and the machine rebooted: the
// newest save that is whole is restored, and it is of one moment.
func TestKilledWhilePersisting(t *testing.T) {
	kills := 30
	if testing.Short() {
		kills = 15
	}
	dir := memoryDir(t)
	files := filepath.Join(t.TempDir(), "saves")
	last := 0
	for i := range kills {
		p := proctest.Start(t, "persister", dir, files)
		require.Equal(t, "saved", p.Line())
		time.Sleep(time.Duration(i*i%37) * time.Millisecond)
		p.Kill()
		for _, file := range saves(t, files) {
			_, err := ultradict.CheckSave(file)
			require.NoError(t, err, "kill %d", i)
		}
		reboot(t, dir)
		session(t, dir, func(d *ultradict.Dict) {
			n := requireBalanced(t, d)
			require.Greater(t, n, last, "kill %d", i)
			last = n
		}, ultradict.WithPersistence(files, time.Hour))
		entries, err := os.ReadDir(files)
		require.NoError(t, err)
		require.LessOrEqual(t, len(entries), 5, "two saves, one more, a lock, half a file")
		reboot(t, dir)
	}
	t.Logf("%d kills, %d transfers came through", kills, last)
}
