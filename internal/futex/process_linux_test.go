package futex_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ultradict/go/internal/futex"
)

// peerEnv carries, to the second process, the path of the shared file.
const peerEnv = "ULTRADICT_TEST_FUTEX_FILE"

type page struct{ turn, woken atomic.Uint32 }

func mapFile(path string) (*page, func(), error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if err := f.Truncate(4096); err != nil {
		return nil, nil, err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return (*page)(unsafe.Pointer(&b[0])), func() { _ = unix.Munmap(b) }, nil
}

const rounds = 200

// pass waits until it is our turn and hands the turn on. It counts the sleepers
// that its wake-ups reached.
func pass(p *page, mine, next uint32) bool {
	deadline := time.Now().Add(forever)
	for range rounds {
		for {
			turn := p.turn.Load()
			if turn == mine {
				break
			}
			if time.Now().After(deadline) {
				return false
			}
			futex.Wait(&p.turn, turn, forever)
		}
		p.turn.Store(next)
		p.woken.Add(uint32(futex.Wake(&p.turn, 1)))
	}
	return true
}

func peer() int {
	p, unmap, err := mapFile(os.Getenv(peerEnv))
	if err != nil {
		return 2
	}
	defer unmap()
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		return 3
	}
	if !pass(p, 2, 1) {
		return 4
	}
	return 0
}

// Two processes hand a word to and fro. Every wait of theirs is longer than the
// test may take, so it ends only if wake-ups cross from process to process.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "word")
	p, unmap, err := mapFile(path)
	require.NoError(t, err)
	defer unmap()
	p.turn.Store(1)

	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-test.run=^$")
	cmd.Env = append(os.Environ(), peerEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)

	require.True(t, pass(p, 1, 2), "the other process did not pass the word on")
	require.NoError(t, cmd.Wait())
	require.NotZero(t, p.woken.Load(), "no wake-up reached a sleeper")
}

// A mapping that may only be read can still be waited on.
func TestReadOnlyMapping(t *testing.T) {
	path := filepath.Join(t.TempDir(), "word")
	p, unmap, err := mapFile(path)
	require.NoError(t, err)
	defer unmap()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
	require.NoError(t, err)
	defer unix.Munmap(b)
	ro := (*page)(unsafe.Pointer(&b[0]))

	woken := make(chan bool)
	go func() {
		for ro.turn.Load() == 0 {
			futex.Wait(&ro.turn, 0, forever)
		}
		woken <- true
	}()
	deadline := time.Now().Add(forever)
	for futex.Wake(&p.turn, 1) == 0 { // until it sleeps, and is reached
		require.True(t, time.Now().Before(deadline), "never woken through the other mapping")
		time.Sleep(time.Millisecond)
	}
	p.turn.Store(1)
	futex.Wake(&p.turn, 1)
	require.True(t, <-woken)
}
