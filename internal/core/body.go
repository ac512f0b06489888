package core

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"weak"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/failpoint"
	"github.com/ultradict/go/internal/record"
	"github.com/ultradict/go/internal/shm"
)

// errBodyGone says that a body does not exist: nothing in the dictionary
// refers to it any more, so whoever still does has to catch up.
var errBodyGone = errors.New("body is gone")

// place says where a value stands: in which body, and where there. It is what
// a layer stores for such a value; part of the format.
type place struct {
	body uint64
	record.Place
}

const placeSize = 28

func (p place) encode() string {
	b := make([]byte, 0, placeSize)
	b = binary.LittleEndian.AppendUint64(b, p.body)
	b = binary.LittleEndian.AppendUint64(b, p.Offset)
	b = binary.LittleEndian.AppendUint64(b, p.Length)
	b = binary.LittleEndian.AppendUint32(b, p.Sum)
	return view(b)
}

func parsePlace(s string) (place, bool) {
	if len(s) != placeSize {
		return place{}, false
	}
	b := bytesOf(s)
	return place{
		body: binary.LittleEndian.Uint64(b),
		Place: record.Place{
			Offset: binary.LittleEndian.Uint64(b[8:]),
			Length: binary.LittleEndian.Uint64(b[16:]),
			Sum:    binary.LittleEndian.Uint32(b[24:]),
		},
	}, true
}

// committedOffset is where a body notes the position of the record that refers
// to it, 0 until then; part of the format. Whoever finds a body that nothing
// refers to can tell by it whether something ever did.
const committedOffset = shm.HeaderSize

// writeBody makes the body of a commit that is too large for the stream. The
// segment is the caller's until it is committed or dropped.
func (d *Dict) writeBody(layout *record.Body, room func() error) (*shm.Segment, record.Ref, error) {
	if err := room(); err != nil {
		return nil, record.Ref{}, err
	}
	draft, err := d.create(shm.Body, int64(layout.Size()))
	if err != nil {
		return nil, record.Ref{}, err
	}
	failpoint.Step("fill body")
	layout.Fill(draft.Bytes())
	failpoint.Step("fill body")
	name := draft.Name()
	seg, err := draft.Publish()
	if err != nil {
		d.settle(name)
		return nil, record.Ref{}, errors.Join(fmt.Errorf("publish body: %w", err), draft.Discard())
	}
	return seg, layout.Ref(name.ID64()), nil
}

// committed notes in a body where its record ended.
func committed(seg *shm.Segment, end uint64) {
	if w, ok := shm.At[failpoint.Uint64](seg.Bytes(), committedOffset); ok {
		w.Store(end)
	}
	runtime.KeepAlive(seg)
}

// bodyCache gives each body one mapping a handle, as long as somebody uses it.
type bodyCache struct {
	mu    sync.Mutex
	alive map[uint64]weak.Pointer[shm.Segment]
}

func (d *Dict) openBody(id uint64) (*shm.Segment, error) {
	c := &d.bodies
	c.mu.Lock()
	defer c.mu.Unlock()
	if seg := c.alive[id].Value(); seg != nil {
		return seg, nil
	}
	seg, err := d.dir.Open(shm.NameOf(shm.Body, id), d.segment.Instance(), false, false)
	if errors.Is(err, fs.ErrNotExist) {
		if d.str.Ended() {
			return nil, errs.ErrRemoved
		}
		return nil, fmt.Errorf("%w: %s", errBodyGone, shm.NameOf(shm.Body, id))
	}
	if err != nil {
		return nil, err
	}
	if c.alive == nil {
		c.alive = map[uint64]weak.Pointer[shm.Segment]{}
	}
	for old, p := range c.alive {
		if p.Value() == nil {
			delete(c.alive, old)
		}
	}
	c.alive[id] = weak.Make(seg)
	return seg, nil
}

// readTable returns a verified copy of a body's table of operations.
func (d *Dict) readTable(ref record.Ref) ([]byte, error) {
	return d.readBody(ref.Body, record.Place{Offset: record.BodyStart, Length: ref.Table, Sum: ref.Sum})
}

// readValue returns a verified copy of an encoded value.
func (d *Dict) readValue(at string) (string, error) {
	p, ok := parsePlace(at)
	if !ok {
		return "", &errs.CorruptError{Segment: "layer", Reason: "malformed place of a value"}
	}
	b, err := d.readBody(p.body, p.Place)
	return view(b), d.wrap("read value of", err)
}

func (d *Dict) readBody(id uint64, at record.Place) ([]byte, error) {
	seg, err := d.openBody(id)
	if err != nil {
		return nil, err
	}
	damaged := func(reason string) error {
		return &errs.CorruptError{Segment: seg.Name().String(), Offset: int64(at.Offset), Reason: reason}
	}
	mem := seg.Bytes()
	size := uint64(len(mem))
	if at.Offset < record.BodyStart || at.Offset > size || at.Length > size-at.Offset {
		return nil, damaged("value leaves its body")
	}
	b := append([]byte(nil), mem[at.Offset:at.Offset+at.Length]...)
	runtime.KeepAlive(seg)
	if record.Sum(b) != at.Sum {
		return nil, damaged("checksum of a value does not match")
	}
	return b, nil
}
