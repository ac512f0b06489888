package core

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/proctest"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/locks"
)

func TestMain(m *testing.M) {
	proctest.Main(m, map[string]func([]string) error{"holder": holder, "folder": folder, "writer": writer})
}

// holder takes the writers' lock and waits.
func holder(args []string) error {
	d, err := Open("test", testConfig(args[0]))
	if err != nil {
		return err
	}
	// Not pinned: this owner takes its time.
	lock := locks.New(&d.control.lock, d.peer, locks.Options{})
	if err := lock.Lock(context.Background(), time.Minute); err != nil {
		return err
	}
	proctest.Say("locked")
	proctest.Receive()
	lock.Unlock()
	proctest.Say("unlocked")
	proctest.Receive()
	return d.Close()
}

// folder takes the lease of the rollover and keeps it.
func folder(args []string) error {
	d, err := Open("test", testConfig(args[0]))
	if err != nil {
		return err
	}
	d.control.work.fold.owner.Store(d.peer.ID())
	d.control.work.merge.owner.Store(d.peer.ID())
	proctest.Say("took")
	proctest.Receive()
	return nil
}

// A writer that is stopped in its critical section is not robbed: others learn
// who it is, and go on as soon as it does.
func TestStoppedWriterKeepsTheLock(t *testing.T) {
	cfg := testConfig(memoryDir(t))
	cfg.LockTimeout = 50 * time.Millisecond
	d := openDict(t, cfg)
	set := func() error {
		_, err := d.Write(context.Background(), []record.Op{putOp("k", "v")}, nil)
		return err
	}
	require.NoError(t, set())
	p := proctest.Start(t, "holder", cfg.Dir)
	require.Equal(t, "locked", p.Line())
	p.Stop()
	for range 3 {
		err := set()
		var locked *errs.LockError
		require.ErrorAs(t, err, &locked)
		require.Equal(t, p.PID(), locked.OwnerPID)
		require.Positive(t, locked.Held)
	}
	v, err := d.Get(at("k"), reader)
	require.NoError(t, err, "readers do not care")
	require.Equal(t, "v", v.Raw())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = d.Write(ctx, []record.Op{putOp("k", "v")}, nil)
	require.ErrorIs(t, err, context.Canceled)
	newcomer := openDict(t, cfg)
	_, err = newcomer.Get(at("k"), reader)
	require.NoError(t, err)
	s, err := d.Status()
	require.NoError(t, err)
	require.Equal(t, p.PID(), s.OwnerPID)
	p.Send("go on")
	p.Cont()
	require.Equal(t, "unlocked", p.Line())
	require.NoError(t, set())
	p.Send("end")
	require.NoError(t, p.Wait())
}

// A writer that is killed in its critical section holds up nobody.
func TestKilledWriterLosesTheLock(t *testing.T) {
	cfg := testConfig(memoryDir(t))
	d := openDict(t, cfg)
	for range 3 {
		p := proctest.Start(t, "holder", cfg.Dir)
		require.Equal(t, "locked", p.Line())
		p.Kill()
		_, err := d.Write(context.Background(), []record.Op{putOp("k", "v")}, nil)
		require.NoError(t, err)
	}
	s, err := d.Status()
	require.NoError(t, err)
	require.EqualValues(t, 3, s.Takeovers)
}

// Whoever has the leases of background work and is stopped, or killed, holds up
// nobody either.
func TestStoppedFolderHoldsUpNobody(t *testing.T) {
	cfg := testConfig(memoryDir(t))
	d := openDict(t, cfg)
	for _, kill := range []bool{false, true} {
		before, err := d.Status()
		require.NoError(t, err)
		p := proctest.Start(t, "folder", cfg.Dir)
		require.Equal(t, "took", p.Line())
		if kill {
			p.Kill()
		} else {
			p.Stop()
		}
		value := string(make([]byte, 400))
		for range 50_000 { // 20 MB: more than the ring may ever grow to
			_, err := d.Write(context.Background(), []record.Op{putOp("k", value)}, nil)
			require.NoError(t, err)
		}
		s, err := d.Status()
		require.NoError(t, err)
		require.Greater(t, s.Rollovers, before.Rollovers)
		require.LessOrEqual(t, s.StreamSize, int64(d.id.chunk)*int64(d.id.limit))
	}
}
