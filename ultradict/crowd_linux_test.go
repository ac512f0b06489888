package ultradict_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/ultradict"
)

func init() { roles["crowd"] = crowd }

// crowd opens many handles, and writes and reads through one of them.
func crowd(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	handles := make([]*ultradict.Dict, n)
	for i := range handles {
		if handles[i], err = ultradict.Open("test", ultradict.WithDir(args[0])); err != nil {
			return fmt.Errorf("handle %d: %w", i, err)
		}
	}
	if err := handles[n-1].Set(args[2], n); err != nil {
		return err
	}
	proctest.Say("open")
	proctest.Receive()
	for i := range handles {
		if v, err := ultradict.As[int](handles[i].Get(args[2])); v != n || err != nil {
			return fmt.Errorf("handle %d: %d, %w", i, v, err)
		}
	}
	proctest.Say("read")
	proctest.Receive()
	return nil
}

// TestCrowd has as many participants as there can be, in four processes: all of
// them work, one more gets ErrNoSpace, and when the processes are killed their
// places are free.
func TestCrowd(t *testing.T) {
	dir := memoryDir(t)
	d := open(t, dir)
	const processes, slots = 4, 2048
	var crowds []*proctest.Proc
	for i := range processes {
		n := slots / processes
		if i == 0 {
			n-- // and d
		}
		crowds = append(crowds, proctest.Start(t, "crowd", dir, strconv.Itoa(n), fmt.Sprint("of process ", i)))
	}
	for _, p := range crowds {
		require.Equal(t, "open", p.Line())
	}
	_, err := ultradict.Open("test", ultradict.WithDir(dir))
	require.ErrorIs(t, err, ultradict.ErrNoSpace)
	require.ErrorContains(t, err, "2048 participants are attached and no more fit")
	r, err := ultradict.Open("test", ultradict.WithDir(dir), ultradict.ReadOnly())
	require.NoError(t, err, "who only reads takes no place")
	n, err := r.Len()
	require.NoError(t, err)
	require.Equal(t, processes, n)
	require.NoError(t, r.Close())
	s, err := d.Status()
	require.NoError(t, err)
	require.Len(t, s.Participants, slots)
	for _, p := range crowds {
		p.Send("read")
	}
	for _, p := range crowds {
		require.Equal(t, "read", p.Line())
	}
	for _, p := range crowds {
		p.Kill()
	}
	for range 20 {
		fresh := open(t, dir)
		require.NoError(t, fresh.Set("k", 1))
	}
	p := proctest.Start(t, "crowd", dir, "2000", "again")
	require.Equal(t, "open", p.Line())
}

// Somebody deletes the directory, by hand, from under those who are attached:
// they go on, or say that it is gone, and a new one can be made at once.
func TestDirectoryDeleted(t *testing.T) {
	for what, target := range map[string]string{"of the instance": "test", "of all": "."} {
		t.Run(what, func(t *testing.T) {
			root := filepath.Join(memoryDir(t), "root")
			opts := []ultradict.Option{ultradict.WithStreamSize(4 << 10), ultradict.WithLockTimeout(200 * time.Millisecond)}
			a, b := open(t, root, opts...), open(t, root, opts...)
			r, err := ultradict.Open("test", ultradict.WithDir(root), ultradict.ReadOnly())
			require.NoError(t, err)
			defer r.Close()
			large := strings.Repeat("l", 3000)
			require.NoError(t, a.Set("large", large))
			for i := range 60 {
				require.NoError(t, a.Set(fmt.Sprint("k", i%20), fmt.Sprint(i, strings.Repeat("v", 50))))
			}
			_, err = b.Len()
			require.NoError(t, err)
			require.NoError(t, os.RemoveAll(filepath.Join(root, target)))

			gone := 0
			only := func(doing string, err error) bool {
				if err != nil {
					gone++
					assert.True(t, errors.Is(err, ultradict.ErrNotExist) || errors.Is(err, ultradict.ErrRemoved), "%s: %v", doing, err)
				}
				return err == nil
			}
			for _, d := range []*ultradict.Dict{a, b, r} {
				if v, err := d.Get("large"); only("large Get", err) {
					require.Equal(t, large, v)
				}
				v, err := d.Get("k1")
				if only("Get", err) {
					require.Equal(t, fmt.Sprint(41, strings.Repeat("v", 50)), v)
				}
				for _, err := range d.Entries() {
					if !only("Entries", err) {
						break
					}
				}
				_, err = d.Status()
				only("Status", err)
			}
			for i, d := range []*ultradict.Dict{a, b} {
				if only("Set", d.Set("after", i)) {
					v, err := ultradict.As[int](a.Get("after"))
					require.NoError(t, err)
					require.Equal(t, i, v)
				}
				require.False(t, only("large Set", d.Set("large", large)), "it has no place for files any more")
				for range 300 {
					if !only("Set that needs a rollover", d.Set("k", strings.Repeat("w", 100))) {
						break
					}
				}
			}
			_, err = ultradict.Open("test", ultradict.WithDir(root), ultradict.AttachOnly())
			require.ErrorIs(t, err, ultradict.ErrNotExist)
			if target == "." {
				_, err = os.Stat(root)
				require.ErrorIs(t, err, os.ErrNotExist)
			}
			fresh := open(t, root, opts...)
			n, err := fresh.Len()
			require.NoError(t, err)
			require.Zero(t, n, "it has nothing to do with the one before")
			require.NoError(t, fresh.Set("k1", "fresh"))
			if v, err := a.Get("k1"); only("Get", err) {
				require.NotEqual(t, "fresh", v)
			}
			for _, d := range []*ultradict.Dict{a, b, r} {
				require.NoError(t, d.Close())
			}
			v, err := fresh.Get("k1")
			require.NoError(t, err)
			require.Equal(t, "fresh", v)
			require.NoError(t, ultradict.Remove("test", ultradict.WithDir(root)))
			require.Positive(t, gone)
		})
	}
}
