package stream

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.Main(m, map[string]func([]string) error{"writer": writerRole, "reader": readerRole})
}

// writerRole writes until it is told to stop or dies. Floor follows, at times
// closely, at times only when the ring has reached its limit.
func writerRole(args []string) error {
	dir, generation, err := parseArgs(args)
	if err != nil {
		return err
	}
	s, c, err := openRing(dir, generation)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(s)
	rnd := rand.New(rand.NewPCG(generation, 2))
	proctest.Say("writing")
	release := func() {
		c.base.Store(s.Head()) // first: floor must not pass where readers may begin
		s.Release(s.Head())
	}
	for written := uint64(0); c.stop.Load() == 0; {
		position := s.Head()
		payload := content(position)
		err := reserve(s, len(payload))
		if err == ErrLimit {
			release()
			continue
		}
		if err != nil {
			return err
		}
		start, end, err := s.Append(Data, payload, sumOf(payload))
		if err != nil {
			return err
		}
		if start != position || end != s.Head() {
			return fmt.Errorf("record at [%d, %d) instead of [%d, %d)", start, end, position, s.Head())
		}
		s.Ring()
		s.Collect()
		c.written.Add(1)
		// Every other writer leaves the ring as small as it is, and so does
		// little but write and enter chunks.
		if written++; generation%2 == 1 || written/500%2 == 0 && rnd.IntN(4) == 0 {
			release()
		}
		if written/8000%2 == 1 && written%32 == 0 { // let readers keep up for a while
			time.Sleep(20 * time.Microsecond)
		}
	}
	return nil
}

// readerRole follows and verifies each record by its position, and that the
// next one begins where it ended.
func readerRole(args []string) error {
	dir, generation, err := parseArgs(args)
	if err != nil {
		return err
	}
	s, c, err := openRing(dir, generation)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(s)
	proctest.Say("reading")
	rd := s.Reader(c.base.Load())
	var records, lapped int
	var last uint64 // head, as it was seen
	for {
		stopped := c.stop.Load() != 0
		head := s.Head()
		if head < last {
			return fmt.Errorf("head went back from %d to %d", last, head)
		}
		last = head
		before := rd.Position()
		rec, ok, err := rd.Next(head)
		switch {
		case err == ErrLapped:
			lapped++
			base := c.base.Load()
			if base <= before {
				return fmt.Errorf("lapped at %d, but readers may begin at %d", before, base)
			}
			rd.Seek(base)
		case err != nil:
			return fmt.Errorf("at %d: %w", before, err)
		case ok:
			if rec.Start != before || rec.Kind != Data || string(rec.Payload) != string(content(before)) {
				return fmt.Errorf("wrong record at %d: %+v", before, rec)
			}
			records++
		case before != head:
			return fmt.Errorf("nothing to read at %d, but head is %d", before, head)
		case stopped:
			proctest.Say("%d %d", records, lapped)
			return nil
		default:
			spin(s, before)
		}
	}
}

// spin waits a moment for news, so that a reader is at the writer's heels.
func spin(s *Stream, position uint64) {
	for range 100 {
		if s.HeadWord().Load() != position {
			return
		}
	}
	time.Sleep(50 * time.Microsecond)
}

// startReaders starts readers and returns a function that ends the test's
// work and reports what they did.
func startReaders(t *testing.T, dir string, c *control, n int) (finish func() (records, lapped int)) {
	var readers []*proctest.Proc
	for i := range n {
		p := proctest.Start(t, "reader", dir, fmt.Sprint(1000+i))
		require.Equal(t, "reading", p.Line())
		readers = append(readers, p)
	}
	return func() (records, lapped int) {
		c.stop.Store(1)
		for _, p := range readers {
			line, ok := p.TryLine()
			require.NoError(t, p.Wait())
			require.True(t, ok)
			var a, b int
			_, err := fmt.Sscanf(line, "%d %d", &a, &b)
			require.NoError(t, err)
			require.Positive(t, a)
			records, lapped = records+a, lapped+b
		}
		return records, lapped
	}
}

// The smallest ring, one writer, three readers who are lapped now and then.
func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	s, c := createRing(t, dir)
	finish := startReaders(t, dir, c, 3)
	w := proctest.Start(t, "writer", dir, "2")
	require.Equal(t, "writing", w.Line())
	time.Sleep(2 * time.Second)
	records, lapped := finish()
	require.NoError(t, w.Wait())
	require.Positive(t, lapped)
	checkHeader(t, &c.Header, s.cfg)
	t.Logf("%d written, %d read, lapped %d times", c.written.Load(), records, lapped)
}

// Writers die at random, a hundred in a row; their successors go on. Nobody
// sees a gap or a torn record, and what the dead ones left is swept.
func TestWritersDie(t *testing.T) {
	dir := t.TempDir()
	s, c := createRing(t, dir)
	finish := startReaders(t, dir, c, 2)
	rnd := rand.New(rand.NewPCG(1, 3))
	var swept, torn int
	for i := range 100 {
		w := proctest.Start(t, "writer", dir, fmt.Sprint(i+1))
		require.Equal(t, "writing", w.Line())
		time.Sleep(time.Duration(rnd.IntN(4000)) * time.Microsecond)
		w.Kill()
		checkHeader(t, &c.Header, s.cfg)
		verify(t, s, c)
		swept += sweep(t, s, dir)
		if next := s.Head()>>s.shift + 1; c.slots[next%MaxChunks].number.Load() == next+1 {
			torn++ // it had begun to enter, or it is the second chunk still
		}
	}
	records, lapped := finish()

	// The ring returns to its size at rest.
	last, _, err := openRing(dir, 999)
	require.NoError(t, err)
	for range 100 {
		payload := content(last.Head())
		_, end, err := appendTo(last, Data, payload)
		require.NoError(t, err)
		last.Release(end)
		last.Collect()
	}
	require.Equal(t, last.Capacity(), last.Size())
	last.Discard()
	require.Zero(t, sweep(t, s, dir), "a living writer leaves nothing")
	t.Logf("%d written, %d read, lapped %d times, %d files swept, %d times amid entering", c.written.Load(), records, lapped, swept, torn)
}

// verify reads what must be readable: everything from base on.
func verify(t *testing.T, s *Stream, c *control) {
	t.Helper()
	rd := s.Reader(c.base.Load())
	for {
		position := rd.Position()
		rec, ok, err := rd.Next(s.Head())
		require.NoError(t, err)
		if !ok {
			require.Equal(t, s.Head(), position)
			return
		}
		require.Equal(t, position, rec.Start)
		require.Equal(t, content(position), rec.Payload)
	}
}

// A reader that is stopped over many laps of the ring goes on as lapped.
func TestStoppedReader(t *testing.T) {
	dir := t.TempDir()
	s, c := createRing(t, dir)
	r := proctest.Start(t, "reader", dir, "1000")
	require.Equal(t, "reading", r.Line())
	w := proctest.Start(t, "writer", dir, "1")
	require.Equal(t, "writing", w.Line())
	for range 20 {
		r.Stop()
		// Past the chunk table at least once, all in all.
		for until := s.Head() + MaxChunks/8*MinChunk; s.Head() < until; {
			time.Sleep(time.Millisecond)
		}
		r.Cont()
		time.Sleep(5 * time.Millisecond)
	}
	c.stop.Store(1)
	require.NoError(t, w.Wait())
	var records, lapped int
	line, ok := r.TryLine()
	require.NoError(t, r.Wait())
	require.True(t, ok)
	_, err := fmt.Sscanf(line, "%d %d", &records, &lapped)
	require.NoError(t, err)
	require.Positive(t, lapped)
	require.Greater(t, s.Head()>>s.shift, uint64(MaxChunks))
}
