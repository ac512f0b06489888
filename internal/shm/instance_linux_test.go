package shm

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
)

func TestLifeOfAnInstance(t *testing.T) {
	r := tempRoot(t)
	id := NewID()
	_, err := r.Open("dict")
	require.ErrorIs(t, err, fs.ErrNotExist)

	d, err := r.Make("dict", id)
	require.NoError(t, err)
	defer d.Close()
	_, err = r.Make("dict", id)
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = r.Open("dict")
	require.ErrorIs(t, err, fs.ErrNotExist, "not before it is published")
	seg := newSegmentIn(t, d, Control, 1, 0, 100, id)

	require.NoError(t, r.Publish(d, "dict"))
	require.ErrorIs(t, r.Publish(d, "dict"), fs.ErrInvalid, "once only")
	live, err := r.Open("dict")
	require.NoError(t, err)
	defer live.Close()
	require.ErrorIs(t, r.Publish(live, "other"), fs.ErrInvalid, "only what was made here")
	again, err := live.Open(Name{Kind: Control}, id, true, false)
	require.NoError(t, err)
	defer again.Close()

	require.NoError(t, r.Retire(live, "dict", id))
	require.Empty(t, entriesOf(t, r.Path()))
	require.NoError(t, r.Retire(live, "dict", id), "done is done")
	_, err = r.Open("dict")
	require.ErrorIs(t, err, fs.ErrNotExist)

	// What is mapped stays; what is asked of the directory fails cleanly.
	seg.Bytes()[99] = 7
	require.EqualValues(t, 7, again.Bytes()[99])
	_, err = live.Open(Name{Kind: Control}, id, true, false)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = live.Files()
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = live.Bytes()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, live.RemoveDrafts(func(uint32) bool { return true }), fs.ErrNotExist)
	require.NoError(t, live.Remove(Name{Kind: Control}))
	f, err := live.Create(Stream, 1, 1, 100, id)
	if err == nil { // a file without a name can be made, but never named
		_, err = f.Publish()
		require.NoError(t, f.Discard())
	}
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestNamesAreChecked(t *testing.T) {
	r, d, id := tempInstance(t)
	for _, bad := range []string{"", ".", "..", "a/b", ".x." + id.String(), "../" + filepath.Base(r.Path())} {
		_, err := r.Open(bad)
		require.ErrorIs(t, err, errs.ErrInvalidName)
		_, err = r.Make(bad, id)
		require.ErrorIs(t, err, errs.ErrInvalidName)
		require.ErrorIs(t, r.Publish(d, bad), errs.ErrInvalidName)
		require.ErrorIs(t, r.Retire(d, bad, id), errs.ErrInvalidName)
	}
}

func TestPublishOverSomething(t *testing.T) {
	r := tempRoot(t)
	at := func(name string) string { return filepath.Join(r.Path(), name) }
	require.NoError(t, os.Mkdir(at("empty"), 0o700))
	require.NoError(t, os.Mkdir(at("full"), 0o700))
	require.NoError(t, os.WriteFile(at("full/x"), nil, 0o600))
	require.NoError(t, os.WriteFile(at("file"), nil, 0o600))
	require.NoError(t, os.Symlink("empty", at("link")))
	for name, taken := range map[string]bool{"full": true, "file": true, "link": true, "empty": false} {
		d, err := r.Make(name, NewID())
		require.NoError(t, err)
		defer d.Close()
		err = r.Publish(d, name)
		if taken {
			require.ErrorIs(t, err, fs.ErrExist, name)
		} else {
			require.NoError(t, err, name)
		}
	}

	// Swept away by somebody who did not hold the lock, or did when we did not.
	d, err := r.Make("swept", NewID())
	require.NoError(t, err)
	defer d.Close()
	require.NoError(t, r.Sweep())
	require.ErrorIs(t, r.Publish(d, "swept"), fs.ErrNotExist)
}

func TestOpenRefusesInstances(t *testing.T) {
	r, _, _ := tempInstance(t)
	at := func(name string) string { return filepath.Join(r.Path(), name) }
	require.NoError(t, os.Symlink("dict", at("link")))
	require.NoError(t, os.WriteFile(at("file"), nil, 0o600))
	require.NoError(t, syscall.Mkfifo(at("fifo"), 0o600))
	require.NoError(t, os.Mkdir(at("world"), 0o700))
	require.NoError(t, os.Chmod(at("world"), 0o777))
	require.NoError(t, os.Mkdir(at("group"), 0o700))
	require.NoError(t, os.Chmod(at("group"), 0o770))
	for _, name := range []string{"link", "file", "fifo", "world", "group"} {
		_, err := r.Open(name)
		require.ErrorIs(t, err, fs.ErrPermission, name)
	}
}

// Another instance under the name, or none, is not the one to retire.
func TestRetireTheRightOne(t *testing.T) {
	r, d, id := tempInstance(t)
	require.NoError(t, r.Retire(d, "dict", id))
	next, err := r.Make("dict", NewID())
	require.NoError(t, err)
	defer next.Close()
	newSegmentIn(t, next, Control, 1, 0, 100, NewID())
	require.NoError(t, r.Publish(next, "dict"))

	require.NoError(t, r.Retire(d, "dict", id))
	names, err := r.List()
	require.NoError(t, err)
	require.Equal(t, []string{"dict"}, names)
}

// A remover died after its rename: the next one finishes, even if the name has
// been given anew.
func TestRetireFinishes(t *testing.T) {
	r, d, id := tempInstance(t)
	require.NoError(t, os.Rename(filepath.Join(r.Path(), "dict"), filepath.Join(r.Path(), dotted("dict", id))))
	next, err := r.Make("dict", NewID())
	require.NoError(t, err)
	defer next.Close()
	require.NoError(t, r.Publish(next, "dict"))
	require.NoError(t, r.Retire(d, "dict", id))
	require.Equal(t, []string{"dict"}, entriesOf(t, r.Path()))
}

// A leftover stands where the directory must go on its way out.
func TestRetireOverLeftover(t *testing.T) {
	r, d, id := tempInstance(t)
	old := filepath.Join(r.Path(), dotted("dict", id))
	require.NoError(t, os.Mkdir(old, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(old, "x"), nil, 0o600))
	require.NoError(t, r.Retire(d, "dict", id))
	require.Empty(t, entriesOf(t, r.Path()))
}

// Those who are attached may give names to files while the directory is removed.
func TestRetireBesideCreators(t *testing.T) {
	for range 50 {
		r, d, id := tempInstance(t)
		begun, done := make(chan struct{}), make(chan error, 1)
		go func() {
			err := error(nil)
			for i := uint32(0); i < 200 && err == nil; i++ {
				var f *Draft
				if f, err = d.Create(Body, 1, i, 128, id); err != nil {
					break
				}
				var s *Segment
				if s, err = f.Publish(); err == nil {
					err = s.Close()
				}
				if i == 3 {
					close(begun)
				}
			}
			done <- err
		}()
		<-begun
		require.NoError(t, r.Retire(d, "dict", id))
		require.Empty(t, entriesOf(t, r.Path()))
		if err := <-done; err != nil {
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
	}
}

func TestSweep(t *testing.T) {
	r, _, _ := tempInstance(t)
	at := func(s ...string) string { return filepath.Join(r.Path(), filepath.Join(s...)) }
	precious := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(precious, "x"), nil, 0o600))

	gone := dotted("gone", NewID())
	require.NoError(t, os.Mkdir(at(gone), 0o700))
	require.NoError(t, os.WriteFile(at(gone, "anything"), nil, 0o600))
	require.NoError(t, os.WriteFile(at(gone, ".draft"), nil, 0o600))
	require.NoError(t, os.Symlink(precious, at(gone, "link")))
	require.NoError(t, syscall.Mkfifo(at(gone, "fifo"), 0o600))
	require.NoError(t, os.Mkdir(at(gone, "directory"), 0o700))

	require.NoError(t, os.Mkdir(at(dotted("empty", NewID())), 0o700))

	// None of these is ours to remove.
	kept := []string{".file." + NewID().String(), ".link." + NewID().String(), ".ssh", ".x.y", "dict"}
	require.NoError(t, os.WriteFile(at(kept[0]), nil, 0o600))
	require.NoError(t, os.Symlink(precious, at(kept[1])))
	require.NoError(t, os.Mkdir(at(".ssh"), 0o700))
	require.NoError(t, os.Mkdir(at(".x.y"), 0o700))

	require.NoError(t, r.Sweep())
	require.ElementsMatch(t, kept, entriesOf(t, r.Path()))
	require.Equal(t, []string{"x"}, entriesOf(t, precious))

	// What cannot be removed is reported, and the rest is removed.
	stuck, rest := dotted("a", NewID()), dotted("b", NewID())
	require.NoError(t, os.MkdirAll(at(stuck, "sub", "sub"), 0o700))
	require.NoError(t, os.Mkdir(at(rest), 0o700))
	require.Error(t, r.Sweep())
	require.DirExists(t, at(stuck, "sub", "sub"), "no directory is descended into")
	require.NoDirExists(t, at(rest))
}

// A creator is killed at each stage: nothing but a dotted directory is left,
// the lock is free, and a sweep leaves nothing.
func TestKilledCreator(t *testing.T) {
	for stage, files := range map[string][]string{"made": {}, "drafted": {}, "filled": {"control"}} {
		t.Run(stage, func(t *testing.T) {
			r := tempRoot(t)
			p := start(t, nil, "create", r.Path(), stage)
			require.Equal(t, stage, p.line(t))
			p.kill()

			left := entriesOf(t, r.Path())
			require.Len(t, left, 1)
			require.True(t, isDotted(left[0]))
			require.Equal(t, files, entriesOf(t, filepath.Join(r.Path(), left[0])))
			names, err := r.List()
			require.NoError(t, err)
			require.Empty(t, names)

			unlock, err := r.Lock(t.Context(), patience)
			require.NoError(t, err)
			require.NoError(t, r.Sweep())
			require.NoError(t, unlock())
			require.Empty(t, entriesOf(t, r.Path()))
		})
	}
}
